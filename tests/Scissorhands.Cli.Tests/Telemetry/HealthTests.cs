using System.Globalization;
using System.Net;
using Scissorhands.Drill.Cluster;
using Scissorhands.Testing;

namespace Scissorhands.Cli.Tests.Telemetry;

/// <summary>What supervisors are told of a coordinator that cannot begin yet.</summary>
public sealed class HealthTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Coordinator_withoutItsStore_livesAndSaysThatItHasNotStarted()
    {
        var ports = Ports.Free(5).Select(static p => p.ToString(CultureInfo.InvariantCulture)).ToArray();
        var variables = new Dictionary<string, string>
        {
            ["SCISSORHANDS_STORE"] = $"postgres://nobody:nothing@127.0.0.1:{ports[0]}/none",
            ["SCISSORHANDS_RABBITMQ"] = $"amqp://guest:guest@127.0.0.1:{ports[0]}/",
        };
        await using var coordinator = new ChildProcess(
            Executable.Path,
            ["coordinator", "--http", $"http://127.0.0.1:{ports[1]}", "--metrics-port", ports[2], "--silo-port", ports[3], "--gateway-port", ports[4]],
            variables);
        await coordinator.SaysAsync("waiting for the store", anywhere: true).WaitAsync(Limit, Ct);

        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{ports[2]}") };
        var startup = await http.GetAsync("health/startup", Ct);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, startup.StatusCode);
        Assert.Contains("waits for the store", await startup.Content.ReadAsStringAsync(Ct), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("health/live", Ct)).StatusCode);

        // As the images' own checks ask.
        await using var asks = new ChildProcess(Executable.Path, ["health", "ready", "--host", "127.0.0.1", "--metrics-port", ports[2]], new Dictionary<string, string>());
        await asks.Exited.WaitAsync(Limit, Ct);
        Assert.Equal(1, asks.ExitCode);
        Assert.Contains("waits for the store", asks.Output, StringComparison.Ordinal);
    }
}
