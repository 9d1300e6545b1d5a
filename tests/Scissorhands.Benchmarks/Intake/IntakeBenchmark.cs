using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Scissorhands.Data.Safetensors;
using Scissorhands.Deletion.Requests;
using Scissorhands.Drill.Cluster;
using Scissorhands.Drill.World;
using Scissorhands.Grains.Store;
using Scissorhands.Testing;

namespace Scissorhands.Benchmarks.Intake;

/// <summary>
/// Deletion requests over HTTP to a coordinator, from another process: <c>intake [seconds] [connections] [rounds]</c>, 20, 20
/// and 3 where not given. PostgreSQL, which flushes, broker, coordinator and caller share the machine. Each connection sends
/// its next request when the last was answered; each answer is of a durable request, and those in the store are counted at
/// the end. Target on two cores: 500 requests a second, 99 of 100 within 100 ms. The load average is printed beside it, for
/// what else the machine does counts, too.
/// </summary>
internal static class IntakeBenchmark
{
    private const string Model = "faces";
    private const int Samples = 2000;
    private const int WarmUpSeconds = 5;

    /// <summary>Runs the benchmark.</summary>
    public static int Run(string[] args)
    {
        int Argument(int index, int otherwise) => args.Length > index ? int.Parse(args[index], CultureInfo.InvariantCulture) : otherwise;
        return RunAsync(Argument(0, 20), Argument(1, 20), Argument(2, 3)).GetAwaiter().GetResult();
    }

    private static async Task<int> RunAsync(int seconds, int connections, int rounds)
    {
        await using var broker = new Broker();
        await using var postgres = new Postgres(flushes: true);
        await broker.StartAsync();
        await postgres.StartAsync();
        if ((broker.Missing ?? postgres.Missing) is { } missing)
        {
            await Console.Error.WriteLineAsync(missing);
            return 1;
        }

        var folder = Directory.CreateTempSubdirectory("scissorhands-intake-").FullName;
        try
        {
            var store = await postgres.CreateAsync("intake");
            var options = new ClusterOptions { Broker = broker, Store = store, BeatSeconds = 2, CoordinatorArguments = ["--root", folder] };
            await using var cluster = await LocalCluster.StartAsync(options, workers: 0);
            await RegisterAsync(cluster.Address, folder);
            await LoadAsync(cluster.Address, WarmUpSeconds, connections, "w");
            var before = await CountAsync(store);
            for (var round = 0; round < rounds; round++)
            {
                var cpu = Cpu(cluster.Coordinator.Id);
                var load = LoadAverage();
                var outcome = await LoadAsync(cluster.Address, seconds, connections, string.Create(CultureInfo.InvariantCulture, $"r{round}"));
                var spent = Cpu(cluster.Coordinator.Id) - cpu;
                var after = await CountAsync(store);
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{outcome.Accepted / outcome.Seconds,6:F0} requests/s, 50 % within {outcome.Median:F1} ms, 95 % within {outcome.P95:F1} ms, 99 % within {outcome.P99:F1} ms, slowest {outcome.Slowest:F0} ms; {outcome.Refused} not accepted; coordinator {spent.TotalSeconds / outcome.Seconds:F2} cores; load average {load} before, {LoadAverage()} after"));
                if (after - before != outcome.Accepted)
                {
                    await Console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{outcome.Accepted} were accepted, {after - before} are in the store"));
                    return 1;
                }

                before = after;
            }

            return 0;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task RegisterAsync(string address, string folder)
    {
        var file = Path.Combine(folder, "model.safetensors");
        var data = Path.Combine(folder, "train-0.tar");

        // Nobody loads it: its requests wait.
        SafetensorsWriter.Write(file, [new SafetensorsInput("weight", SafetensorsDType.F32, [1], static destination => destination.Write(new byte[sizeof(float)]))], null);
        TinyData.WriteShard(data, "train", Samples, static _ => TinyFiles.Size, static i => i % TinyFiles.Classes);
        using var http = new HttpClient { BaseAddress = new Uri(address) };
        var response = await http.PutAsJsonAsync(
            $"v1/models/{Model}",
            new { file, dataSet = "faces", data, versions = Path.Combine(folder, "versions"), policy = new { minRequests = 1_000_000, maxRequests = 1_000_000, maxWait = "20.00:00:00" } });
        if (!response.IsSuccessStatusCode)
        {
            throw new InvalidOperationException(await response.Content.ReadAsStringAsync());
        }
    }

    private static async Task<LoadOutcome> LoadAsync(string address, int seconds, int connections, string prefix)
    {
        string[] arguments = ["intake-load", address, Model, seconds.ToString(CultureInfo.InvariantCulture), connections.ToString(CultureInfo.InvariantCulture), Samples.ToString(CultureInfo.InvariantCulture), prefix];
        await using var load = new ChildProcess(Environment.ProcessPath!, arguments, new Dictionary<string, string>());
        return JsonSerializer.Deserialize<LoadOutcome>(await load.SaysAsync("{"))!;
    }

    private static async Task<int> CountAsync(string store)
    {
        await using var provider = new ServiceCollection().AddSingleton(TimeProvider.System).AddRunStore(StoreOptions.Parse(store)).BuildServiceProvider();
        return (await provider.GetRequiredService<IDeletionStore>().RequestsAsync(Model, [RequestState.Received, RequestState.Accepted], CancellationToken.None)).Count;
    }

    private static TimeSpan Cpu(int process)
    {
        using var running = Process.GetProcessById(process);
        return running.TotalProcessorTime;
    }

    private static string LoadAverage() => File.ReadAllText("/proc/loadavg").Split(' ')[0];
}
