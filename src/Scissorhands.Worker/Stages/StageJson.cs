using System.Text.Json;
using Scissorhands.Planning;

namespace Scissorhands.Worker.Stages;

/// <summary>Stage results as JSON: they travel in reports and are kept in the run's state.</summary>
public static class StageJson
{
    private static readonly JsonSerializerOptions Options = new() { PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    /// <summary>Writes a result.</summary>
    /// <typeparam name="T">Result record.</typeparam>
    /// <param name="result">The result.</param>
    /// <returns>JSON.</returns>
    public static string Write<T>(T result) => JsonSerializer.Serialize(result, Options);

    /// <summary>Reads a result.</summary>
    /// <typeparam name="T">Result record.</typeparam>
    /// <param name="json">JSON of <see cref="Write"/>.</param>
    /// <returns>The result.</returns>
    public static T Read<T>(string json) =>
        JsonSerializer.Deserialize<T>(json, Options) ?? throw new RunFailedException($"the stored {typeof(T).Name} is empty");
}
