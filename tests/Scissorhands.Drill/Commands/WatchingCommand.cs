using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Scissorhands.Drill.Cluster;
using Scissorhands.Drill.World;
using Scissorhands.Testing;

namespace Scissorhands.Drill.Commands;

/// <summary><c>watching</c>: what it costs to watch a run, as its throughput beside that of the same run without.</summary>
internal static class WatchingCommand
{
    private const double Target = 0.98;
    private static readonly TimeSpan ScrapeInterval = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);

    public static Command Create()
    {
        var rounds = new Option<int>("--rounds") { Description = "How often both are run, in turn", DefaultValueFactory = static _ => 5 };
        var epochs = new Option<int>("--epochs") { Description = "Epochs of a run's repair", DefaultValueFactory = static _ => 20 };
        var workers = new Option<int>("--workers") { Description = "Workers of each cluster", DefaultValueFactory = static _ => 2 };
        var command = new Command(
            "watching",
            "Run the same on a cluster whose metrics are scraped every five seconds and whose metrics and traces leave over OTLP, and on one without; prints a JSON line a round and the ratio. Needs a machine that does nothing else")
        {
            rounds, epochs, workers,
        };
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed.GetValue(rounds), parsed.GetValue(epochs), parsed.GetValue(workers), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(int rounds, int epochs, int workers, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("scissorhands-watching-").FullName;
        await using var plainBroker = new Broker();
        await using var watchedBroker = new Broker(servesMetrics: true);
        await plainBroker.StartAsync();
        await watchedBroker.StartAsync();
        if ((plainBroker.Missing ?? watchedBroker.Missing) is { } missing)
        {
            await Console.Error.WriteLineAsync(missing);
            return 1;
        }

        try
        {
            var files = new TinyFiles(Directory.CreateDirectory(Path.Combine(folder, "files")).FullName, "resnet20;classes=3;stem=cifar;width=16");
            await files.WriteAsync();
            using var sink = new OtlpSink();
            var variables = new Dictionary<string, string> { ["OTEL_EXPORTER_OTLP_ENDPOINT"] = sink.Address, ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf", ["OTEL_METRIC_EXPORT_INTERVAL"] = "5000" };
            await using var plain = await LocalCluster.StartAsync(new ClusterOptions { Broker = plainBroker, BeatSeconds = 2 }, workers);
            await using var watched = await LocalCluster.StartAsync(new ClusterOptions { Broker = watchedBroker, BeatSeconds = 2, Metrics = true, Variables = variables }, workers);
            var ratios = new List<double>();

            // The first of each warms up.
            for (var round = -1; round < rounds; round++)
            {
                // Whoever goes first has the cooler machine: they take turns at that too.
                var (without, with) = (0.0, 0.0);
                for (var i = 0; i < 2; i++)
                {
                    if ((i + round) % 2 == 0)
                    {
                        without = await TimeAsync(plain, files, Path.Combine(folder, $"plain-{round}"), epochs, workers, cancellationToken);
                    }
                    else
                    {
                        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                        var scraping = ScrapeAsync(watched.MetricsTargets.Values, ended.Token);
                        with = await TimeAsync(watched, files, Path.Combine(folder, $"watched-{round}"), epochs, workers, cancellationToken);
                        await ended.CancelAsync();
                        await scraping;
                    }
                }

                if (round >= 0)
                {
                    ratios.Add(without / with);
                    Console.WriteLine(JsonSerializer.Serialize(new { round, withoutSeconds = Math.Round(without, 3), watchedSeconds = Math.Round(with, 3), ratio = Math.Round(without / with, 4), otlpRequests = sink.Requests }, JsonSerializerOptions.Web));
                }
            }

            double[] sorted = [.. ratios.Order()];
            var median = (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"throughput watched over not: {median:F3} ({sorted[0]:F3} to {sorted[^1]:F3}), target {Target}"));
            return median >= Target && sink.Requests > 0 ? 0 : 1;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Seconds from a run's submission to its end.</summary>
    private static async Task<double> TimeAsync(LocalCluster cluster, TinyFiles files, string output, int epochs, int workers, CancellationToken cancellationToken)
    {
        using var http = new HttpClient { BaseAddress = new Uri(cluster.Address) };
        var configuration = new
        {
            data = new { cache = Path.Combine(files.Folder, "cache") },
            // The made-up model knows nothing; learnt faster than this, its loss becomes NaN within a few epochs.
            repair = new { epochs, batchSize = 16, slices = workers, lr = 1e-4 },
            sensitivity = new { batchSize = 4, blockBatches = 2 },
            checkpoint = new { everySteps = 50 },
            evaluation = new { mia = false },
        };
        var started = Stopwatch.GetTimestamp();
        var answer = await http.PostAsJsonAsync("v1/runs", new { model = files.ModelPath, data = files.TrainPath, testData = files.TestPath, forget = files.ForgetPath, @out = output, configuration, workers }, cancellationToken);
        var body = await answer.Content.ReadAsStringAsync(cancellationToken);
        if (!answer.IsSuccessStatusCode)
        {
            throw new InvalidOperationException(body);
        }

        var run = JsonNode.Parse(body)!["run"]!.GetValue<string>();
        var (status, view) = await http.UntilAsync($"v1/runs/{run}", "status", static s => s is "completed" or "failed" or "cancelled", Limit, cluster.Describe, cancellationToken, TimeSpan.FromMilliseconds(20));
        return status == "completed" ? Stopwatch.GetElapsedTime(started).TotalSeconds : throw new InvalidOperationException(view.ToJsonString());
    }

    private static async Task ScrapeAsync(IEnumerable<string> targets, CancellationToken cancellationToken)
    {
        using var http = new HttpClient();
        using var timer = new PeriodicTimer(ScrapeInterval);
        try
        {
            do
            {
                foreach (var target in targets)
                {
                    await http.GetByteArrayAsync(new Uri($"http://{target}/metrics"), cancellationToken);
                }
            }
            while (await timer.WaitForNextTickAsync(cancellationToken));
        }
        catch (OperationCanceledException)
        {
            // The run has ended.
        }
    }

    /// <summary>Takes whatever is sent over OTLP.</summary>
    private sealed class OtlpSink : IDisposable
    {
        private readonly HttpListener _listener = new();
        private int _requests;

        public OtlpSink()
        {
            Address = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{Ports.Free(1)[0]}");
            _listener.Prefixes.Add(Address + "/");
            _listener.Start();
            _ = TakeAsync();
        }

        public string Address { get; }

        public int Requests => Volatile.Read(ref _requests);

        public void Dispose() => _listener.Close();

        private async Task TakeAsync()
        {
            try
            {
                while (true)
                {
                    var context = await _listener.GetContextAsync();
                    await context.Request.InputStream.CopyToAsync(Stream.Null);
                    Interlocked.Increment(ref _requests);
                    context.Response.ContentType = "application/x-protobuf";
                    context.Response.Close();
                }
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                // Closed.
            }
        }
    }
}
