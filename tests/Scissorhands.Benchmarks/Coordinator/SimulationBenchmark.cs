using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Grains.Store;
using Scissorhands.Planning.Configuration;
using Scissorhands.Testing;

namespace Scissorhands.Benchmarks.Coordinator;

/// <summary>
/// One coordinator and many workers without arithmetic: <c>simulation [workers] [runs] [leases] [lease seconds] [sqlite|postgresql]</c>,
/// 1,000, 100, 100,000, 1 and sqlite where not given; <c>simulation growth FILE.svg</c> varies workers, then leases, each
/// point in a process of its own, and draws what grows. Grains, store and the keeper of open runs are the real ones, the
/// broker is not there. A twentieth of the workers is killed on the way and comes back; a twentieth of the questions arrives
/// twice, a hundredth of the answers never.
/// </summary>
internal static class SimulationBenchmark
{
    private const double KilledShare = 0.05;
    private const double DoubledShare = 0.05;
    private const double LostShare = 0.01;
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(9);
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(0.25);

    /// <summary>Runs the benchmark.</summary>
    public static int Run(string[] args)
    {
        if (args.Length > 0 && args[0] == "growth")
        {
            return Growth(args.Length > 1 ? args[1] : "coordinator-growth.svg");
        }

        var workers = Number(args, 0, 1_000);
        var runs = Number(args, 1, 100);
        var leases = Number(args, 2, 100_000);
        var seconds = args.Length > 3 ? double.Parse(args[3], CultureInfo.InvariantCulture) : 1;
        var outcome = SimulateAsync(workers, runs, leases / runs, seconds, args.Length > 4 ? args[4] : "sqlite").GetAwaiter().GetResult();
        Console.WriteLine(JsonSerializer.Serialize(outcome, JsonSerializerOptions.Web));
        return outcome.Holds ? 0 : 1;
    }

    private static int Growth(string path)
    {
        // The same work for each worker; then the same workers with more and more work.
        SimulationOutcome[] overWorkers = [.. ((int[])[100, 200, 400, 700, 1_000, 1_500, 2_000]).Select(static workers => InProcess(workers, workers / 10, 10 * workers, 0.5))];
        SimulationOutcome[] overLeases = [.. ((int[])[2_000, 5_000, 10_000, 20_000, 40_000]).Select(static leases => InProcess(200, 20, leases, 0.2))];
        File.WriteAllText(path, GrowthPlot.Draw(
            overWorkers, "workers (a run for each ten, 100 leases of 0.5 s a run)",
            overLeases, "leases (200 workers, 20 runs, 0.2 s a lease)"));
        return overWorkers.Concat(overLeases).All(static o => o.Holds) ? 0 : 1;
    }

    private static SimulationOutcome InProcess(int workers, int runs, int leases, double leaseSeconds)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!, ["simulation", Text(workers), Text(runs), Text(leases), Text(leaseSeconds)]) { RedirectStandardOutput = true };
        using var process = Process.Start(start)!;
        var line = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Console.Write(line);
        return JsonSerializer.Deserialize<SimulationOutcome>(line, JsonSerializerOptions.Web)!;
    }

    private static async Task<SimulationOutcome> SimulateAsync(int workers, int runs, int leases, double leaseSeconds, string storeName)
    {
        await using var postgres = new Postgres();
        using var folder = new TemporaryFolder();
        var store = new StoreOptions { Connection = $"sqlite:{folder.Path}/runs.db" };
        if (storeName == "postgresql")
        {
            await postgres.StartAsync();
            store = new StoreOptions { Connection = postgres.Missing is null ? postgres.Address : throw new InvalidOperationException(postgres.Missing) };
        }

        await using var cluster = await SimulatedCluster.StartAsync(store, Ports.Free(2));
        var time = TimeProvider.System;
        var ledger = new LeaseLedger(leases);
        var times = new DecisionTimes();
        var world = new SimulatedWorld(cluster, MadeUpPlan.Of(leases), TimeSpan.FromSeconds(leaseSeconds), ledger, times, time, DoubledShare, LostShare);
        using var end = new CancellationTokenSource();
        var lives = Enumerable.Range(0, workers).Select(i => OneAfterAnotherAsync(world, i, leases * leaseSeconds * runs / workers, end.Token)).ToArray();
        var configuration = ConfigurationJson.Canonical(new RunConfiguration());
        var began = time.GetTimestamp();
        var longestSubmission = TimeSpan.Zero;
        var submitted = new List<IRunGrain>();
        for (var i = 0; i < runs; i++)
        {
            var grain = cluster.Grains.GetGrain<IRunGrain>($"simulated-{i:D5}");
            var asked = time.GetTimestamp();
            await grain.SubmitAsync(new RunOrder { Model = $"model-{i}", Data = "-", Forget = "-", Out = $"out-{i}", Configuration = configuration, Workers = Math.Max(1, workers / runs) });
            longestSubmission = TimeSpan.FromTicks(Math.Max(longestSubmission.Ticks, time.GetElapsedTime(asked).Ticks));
            submitted.Add(grain);
        }

        var completed = 0;
        while (completed < runs && time.GetElapsedTime(began) < Deadline)
        {
            await Task.Delay(LookInterval, time);
            while (completed < runs && (await submitted[completed].ViewAsync())?.Status == "completed")
            {
                completed++;
            }
        }

        var seconds = time.GetElapsedTime(began).TotalSeconds;
        var generations = 0L;
        foreach (var grain in submitted)
        {
            generations += (await grain.ViewAsync())!.Generation;
        }

        await end.CancelAsync();
        await Task.WhenAll(lives);
        foreach (var violation in ledger.Violations.Take(5))
        {
            await Console.Error.WriteLineAsync(violation);
        }

        using var process = Process.GetCurrentProcess();
        var at = times.Percentiles(0.5, 0.99, 1);
        return new SimulationOutcome(
            storeName, workers, runs, (long)runs * leases, ledger.Counted, ledger.Computed, completed, generations, ledger.Violations.Count, longestSubmission.TotalMilliseconds,
            times.Count, at[0], at[1], at[2], process.PeakWorkingSet64 / (double)(1 << 20), seconds, process.TotalProcessorTime.TotalSeconds);
    }

    // A worker in twenty is killed at some moment of the run's usual length, and comes back.
    private static async Task OneAfterAnotherAsync(SimulatedWorld world, int index, double usualSeconds, CancellationToken end)
    {
        var random = new Random(index);
        var id = $"worker-{index:D5}";
        if (random.NextDouble() < KilledShare)
        {
            using var killed = CancellationTokenSource.CreateLinkedTokenSource(end);
            killed.CancelAfter(TimeSpan.FromSeconds(5 + (usualSeconds * random.NextDouble())));
            await new SimulatedWorker(world, id, index).LiveAsync(killed.Token);
            try
            {
                await Task.Delay(TimeSpan.FromSeconds(10), world.Time, end);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }

        await new SimulatedWorker(world, id, index + 1_000_000).LiveAsync(end);
    }

    private static string Text(IFormattable number) => number.ToString(null, CultureInfo.InvariantCulture);

    private static int Number(string[] args, int index, int otherwise) => args.Length > index ? int.Parse(args[index], CultureInfo.InvariantCulture) : otherwise;

    private sealed class TemporaryFolder : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("scissorhands-simulation-").FullName;

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
