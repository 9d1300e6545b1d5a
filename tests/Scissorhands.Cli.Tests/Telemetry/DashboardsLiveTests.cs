using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Scissorhands.Cli.Tests.Cluster;
using Scissorhands.Cli.Tests.Runs;
using Scissorhands.Drill.Cluster;
using Scissorhands.Drill.World;
using Scissorhands.Testing;

namespace Scissorhands.Cli.Tests.Telemetry;

/// <summary>The dashboards over a Prometheus that watches a cluster at work, in which something breaks.</summary>
[Collection(AloneCollection.Name)]
public sealed partial class DashboardsLiveTests(TinyWorld world)
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(4);

    // What this cluster cannot have: GPUs and a kubelet; and what did not happen in it.
    private static readonly string[] NoCause =
    [
        "hw_gpu_", "kubelet_", "scissorhands_hook_deliveries", "scissorhands_checkpoint_age", "scissorhands_deletion_slack", "consume_errors", "receive_fault",
        "collective_frames_dropped", "_error", "rabbitmq_alarms", "http_response_status_code=~\"5", "http_response_status_code=~\"4", "ALERTS", "scissorhands_run_silence",
    ];

    [Fact]
    public async Task Boards_ofAClusterAtWorkThatLosesAWorker_showDataInEveryPanel()
    {
        var check = RepositoryFiles.FindShared("tools", "dashcheck.py");
        Assert.SkipWhen(check is null, "../shared/tools/dashcheck.py is not beside the repository");
        await using var broker = new Broker(servesMetrics: true);
        await broker.StartAsync();
        Assert.SkipWhen(broker.Missing is not null, broker.Missing ?? "");
        var ct = TestContext.Current.CancellationToken;
        var folder = Directory.CreateTempSubdirectory("scissorhands-boards-").FullName;
        await using var cluster = await LocalCluster.StartAsync(
            new ClusterOptions { Broker = broker, Intake = await broker.AddVirtualHostAsync("intake", "pipeline"), Metrics = true, CacheHome = Path.Combine(folder, "home"), CoordinatorArguments = ["--root", Path.GetTempPath()] },
            workers: 2);
        var targets = cluster.MetricsTargets.ToLookup(static t => t.Key.StartsWith("coordinator", StringComparison.Ordinal), static t => t.Value);
        await using var prometheus = new Prometheus();
        await prometheus.StartAsync(
        [
            new ScrapeJob("scissorhands-coordinator", "/metrics", [.. targets[true]]),
            new ScrapeJob("scissorhands-worker", "/metrics", [.. targets[false]]),
            new ScrapeJob("rabbitmq", "/metrics/per-object", broker.MetricsAddress!),
        ],
        Path.Combine(RepositoryFiles.Root, "deploy", "helm", "scissorhands", "files", "alerts.yaml"));
        Assert.SkipWhen(prometheus.Missing is not null, prometheus.Missing ?? "");

        // Counters have to be seen before they count.
        await prometheus.UntilAsync("scissorhands_workers{state=\"free\"} == 2", Limit, ct);
        using var http = new HttpClient { BaseAddress = new Uri(cluster.Address) };
        await TinyRegistration.RegisterAsync(http, world.Files, "boards", Path.Combine(folder, "boards"), ct);
        await CompleteAsync(http, "first", 1, prometheus, 1, ct);

        // The fault: a worker dies in the middle of a run, and comes back.
        var submitted = await http.PostAsJsonAsync("v1/deletion-requests", new { requestId = "second", model = "boards", ids = new[] { TinyData.Id("train", 7) } }, ct);
        Assert.True(submitted.IsSuccessStatusCode);
        await prometheus.UntilAsync("sum(scissorhands_runs_active) > 0", Limit, ct);
        cluster.Worker("w1").Signal("KILL");
        await prometheus.UntilAsync("scissorhands_workers_lost_total > 0", Limit, ct);
        await cluster.StartWorkerAsync("w1");
        await prometheus.UntilAsync("scissorhands_deletion_requests{state=\"completed\"} == 2", Limit, ct);

        // A second more, so that all rates have two samples of everything.
        await prometheus.UntilAsync("count_over_time(scissorhands_model_accuracy_percent{set=\"earlier\"}[1m]) > 3", Limit, ct);
        var output = await DashcheckAsync(check!, prometheus.Url, ct);
        Assert.DoesNotContain(output, static line => Problems().Match(line) is { Success: true } found && found.Groups[1].Value != "0");
        Assert.Equal(3, output.Count(static line => Problems().IsMatch(line)));
        var empty = output.Where(static line => line.TrimStart().StartsWith("empty:", StringComparison.Ordinal) && !NoCause.Any(word => line.Contains(word, StringComparison.Ordinal))).ToArray();
        Assert.True(empty.Length == 0, string.Join('\n', empty));

        // Nobody is called for a worker that was replaced.
        Assert.Empty((await prometheus.QueryAsync("ALERTS{alertstate=\"firing\", severity=\"critical\"}", ct)).Select(static a => a.Labels["alertname"]));
        Directory.Delete(folder, recursive: true);
    }

    private static async Task CompleteAsync(HttpClient http, string request, int sample, Prometheus prometheus, int completed, CancellationToken ct)
    {
        var submitted = await http.PostAsJsonAsync("v1/deletion-requests", new { requestId = request, model = "boards", ids = new[] { TinyData.Id("train", sample) } }, ct);
        Assert.True(submitted.IsSuccessStatusCode, await submitted.Content.ReadAsStringAsync(ct));
        var status = (await submitted.Content.ReadFromJsonAsync<JsonObject>(ct))!["status"]!.GetValue<string>();
        await prometheus.UntilAsync($"scissorhands_deletion_requests{{state=\"completed\"}} == {completed}", Limit, ct);
        Assert.Equal("completed", (await http.GetFromJsonAsync<JsonObject>(status, ct))!["state"]!.GetValue<string>());
    }

    private static async Task<IReadOnlyList<string>> DashcheckAsync(string check, Uri prometheus, CancellationToken ct)
    {
        var boards = Directory.GetFiles(Path.Combine(RepositoryFiles.Root, "deploy", "helm", "scissorhands", "files", "dashboards"), "*.json");
        using var process = Process.Start(new ProcessStartInfo("/usr/bin/python3", [check, "--prom", prometheus.ToString().TrimEnd('/'), .. boards]) { RedirectStandardOutput = true })!;
        var lines = (await process.StandardOutput.ReadToEndAsync(ct)).Split('\n');
        await process.WaitForExitAsync(ct);
        return lines;
    }

    [GeneratedRegex(@" without data, (\d+) problems$")]
    private static partial Regex Problems();
}
