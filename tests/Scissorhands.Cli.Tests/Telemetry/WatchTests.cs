using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Scissorhands.Cli.Tests.Cluster;
using Scissorhands.Cli.Tests.Runs;
using Scissorhands.Drill.Cluster;
using Scissorhands.Drill.World;

namespace Scissorhands.Cli.Tests.Telemetry;

/// <summary>What a cluster of processes tells of itself while it carries out a deletion request.</summary>
[Collection(AloneCollection.Name)]
public sealed partial class WatchTests(TinyWorld world, BrokerFixture fixture) : IClassFixture<BrokerFixture>
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    // What this cluster has no cause to tell: no GPU, no hook, no message that is no request, no failure.
    private static readonly string[] NoCause =
    [
        "hw_gpu_memory_usage_bytes", "hw_gpu_memory_limit_bytes", "hw_gpu_utilization", "scissorhands_hook_deliveries_total", "scissorhands_intake_dead_total",
        "scissorhands_rank_drift_total", "scissorhands_retries_total", "scissorhands_collective_frames_dropped_total", "scissorhands_checkpoint_age_seconds", "scissorhands_deletion_slack_seconds",
        "scissorhands_workers_lost_total",
    ];

    [Fact]
    public async Task Request_isOneTraceAndEveryInstrumentSpeaks()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        var ct = TestContext.Current.CancellationToken;
        var folder = Directory.CreateTempSubdirectory("scissorhands-watch-").FullName;
        await using var traces = await TraceReceiver.StartAsync();
        await using var cluster = await LocalCluster.StartAsync(
            new ClusterOptions { Broker = fixture.Broker, Metrics = true, Variables = traces.Variables, CacheHome = Path.Combine(folder, "home"), CoordinatorArguments = ["--root", Path.GetTempPath()] },
            workers: 2);
        using var http = new HttpClient { BaseAddress = new Uri(cluster.Address) };
        foreach (var target in cluster.MetricsTargets.Values)
        {
            foreach (var check in (string[])["startup", "ready", "live"])
            {
                Assert.Equal(HttpStatusCode.OK, (await http.GetAsync(new Uri($"http://{target}/health/{check}"), ct)).StatusCode);
            }
        }

        await TinyRegistration.RegisterAsync(http, world.Files, "watched", Path.Combine(folder, "watched"), ct);
        using var submission = new HttpRequestMessage(HttpMethod.Post, "v1/deletion-requests") { Content = JsonContent.Create(new { requestId = "r", model = "watched", ids = new[] { TinyData.Id("train", 1), TinyData.Id("train", 2) } }) };
        submission.Headers.Add("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        var accepted = await http.SendAsync(submission, ct);
        Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);

        // The caller's own trace goes on from the door over coordinator, run and both workers to the certificate.
        string[] expected = ["batch form", "batch submit", "batch judge", "batch publish", "batch destroy", "batch certify", "stage sensitivity", "stage repair", "generation", "sensitivity", "repair"];
        const string Trace = "0af7651916cd43dd8448eb211c80319c";
        var spans = (await traces.UntilAsync(all => expected.All(name => all.Any(s => s.Name == name && s.Trace == Trace)), Limit, ct))
            .Where(static s => s.Trace == Trace).ToArray();
        Assert.Equal(2, spans.Count(static s => s is { Service: "worker", Name: "generation" }));
        var known = spans.Select(static s => s.Id).Append("b7ad6b7169203331").ToHashSet(StringComparer.Ordinal);
        Assert.All(spans.Where(s => expected.Contains(s.Name, StringComparer.Ordinal)), s => Assert.Contains(s.Parent, known));

        var status = (await accepted.Content.ReadFromJsonAsync<JsonObject>(ct))!["status"]!.GetValue<string>();
        Assert.Equal("completed", (await http.GetFromJsonAsync<JsonObject>(status, ct))!["state"]!.GetValue<string>());
        var missing = MetricsCatalogueTests.Rows.Select(static r => r.Prometheus).Except(NoCause, StringComparer.Ordinal).ToHashSet(StringComparer.Ordinal);
        var text = await UntilToldAsync(http, cluster, missing, ct);
        Assert.True(missing.Count == 0, $"Not told: {string.Join(", ", missing.Order(StringComparer.Ordinal))}\n{text}");

        // Nothing of them names a run, a request or a sample.
        Assert.DoesNotContain("train/", text, StringComparison.Ordinal);
        Assert.DoesNotContain(TinyData.Id("train", 1), text, StringComparison.Ordinal);
        Assert.DoesNotMatch(@"[{,](run|run_id|request|sample|subject)=""", text);
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>Asks all processes until they have told all of it, or the limit is reached; leaves what is missing.</summary>
    private static async Task<string> UntilToldAsync(HttpClient http, LocalCluster cluster, HashSet<string> missing, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(TimeSpan.FromSeconds(30));
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1));
        var text = "";
        try
        {
            do
            {
                text = string.Join('\n', await Task.WhenAll(cluster.MetricsTargets.Values.Select(target => http.GetStringAsync(new Uri($"http://{target}/metrics"), limit.Token))));
                missing.ExceptWith(Name().Matches(text).Select(static m => m.Groups[1].Value).SelectMany(static n => (string[])[n, Suffix().Replace(n, "")]).ToArray());
            }
            while (missing.Count > 0 && await timer.WaitForNextTickAsync(limit.Token));
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            // What is missing then is told by the caller.
        }

        return text;
    }

    [GeneratedRegex(@"^([a-z_]+)[{ ]", RegexOptions.Multiline)]
    private static partial Regex Name();

    [GeneratedRegex("_(bucket|sum|count)$")]
    private static partial Regex Suffix();
}
