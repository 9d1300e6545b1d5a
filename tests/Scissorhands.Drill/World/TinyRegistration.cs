using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Scissorhands.Drill.World;

/// <summary>Registers the made-up model.</summary>
public static class TinyRegistration
{
    /// <summary>Registers it with two presets and, unless told otherwise, bounds that any result keeps.</summary>
    public static async Task RegisterAsync(HttpClient http, TinyFiles files, string name, string versions, CancellationToken ct, string maxWait = "00:00:00", JsonObject? gate = null, string? data = null, int keepVersions = 0, string? scope = null, params string[] settings)
    {
        var configuration = files.Configuration(settings);
        configuration.Remove("data.cache");
        if (scope is not null)
        {
            configuration["trim.scope"] = new JsonArray(scope);
        }

        var response = await http.PutAsJsonAsync(
            $"v1/models/{name}",
            new
            {
                file = files.ModelPath,
                dataSet = "tiny",
                data = data ?? files.TrainPath,
                testData = files.TestPath,
                versions,
                configuration,
                workers = 2,
                policy = new
                {
                    maxWait,
                    keepVersions,
                    presets = new[] { new { name = "mild", configuration = new { } }, new { name = "milder", configuration = new { } } },
                    firstPreset = "milder",
                    gate = gate ?? new JsonObject { ["smallSets"] = "accept", ["forgetAbove"] = 100, ["forgetBelow"] = 100, ["retainDrop"] = 100, ["testDrop"] = 100 },
                },
            },
            ct);
        if (!response.IsSuccessStatusCode)
        {
            throw new InvalidOperationException($"model {name}: {await response.Content.ReadAsStringAsync(ct)}");
        }
    }
}
