using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Scissorhands.Cli.Tests.Runs;
using Scissorhands.Drill.World;

namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>Registers the made-up model.</summary>
internal static class TinyRegistration
{
    /// <summary>Registers it with two presets and, unless told otherwise, bounds that any result keeps.</summary>
    public static async Task RegisterAsync(HttpClient http, TinyWorld world, string name, string versions, CancellationToken ct, string maxWait = "00:00:00", JsonObject? gate = null, string? data = null, int keepVersions = 0)
    {
        var configuration = new JsonObject();
        foreach (var setting in world.Settings().Where(static s => s != "--set" && !s.StartsWith("data.cache", StringComparison.Ordinal)))
        {
            var parts = setting.Split('=', 2);
            configuration[parts[0]] = parts[1] is "true" or "false" ? bool.Parse(parts[1]) : JsonNode.Parse(parts[1]);
        }

        var response = await http.PutAsJsonAsync(
            $"v1/models/{name}",
            new
            {
                file = world.ModelPath,
                dataSet = "tiny",
                data = data ?? world.TrainPath,
                testData = world.TestPath,
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
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync(ct));
    }
}
