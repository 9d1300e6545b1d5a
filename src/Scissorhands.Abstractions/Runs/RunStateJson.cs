using System.Text.Json;
using System.Text.Json.Serialization;

namespace Scissorhands.Abstractions.Runs;

/// <summary>A run's state as the JSON it is stored and sent as.</summary>
public static class RunStateJson
{
    /// <summary>Camel case, stages by name, indented for people.</summary>
    public static JsonSerializerOptions Options { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
        Converters = { new JsonStringEnumConverter() },
    };

    /// <summary>Writes a state.</summary>
    /// <param name="state">The state.</param>
    /// <returns>JSON.</returns>
    public static string Write(RunState state) => JsonSerializer.Serialize(state, Options);

    /// <summary>Reads a state.</summary>
    /// <param name="json">What <see cref="Write"/> wrote.</param>
    /// <returns>The state.</returns>
    /// <exception cref="JsonException">Not a state.</exception>
    public static RunState Read(string json) => JsonSerializer.Deserialize<RunState>(json, Options) ?? throw new JsonException("the state of the run is empty");
}
