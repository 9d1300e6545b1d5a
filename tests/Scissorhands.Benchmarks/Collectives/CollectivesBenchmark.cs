using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Scissorhands.Testing;

namespace Scissorhands.Benchmarks.Collectives;

/// <summary>
/// Times of the collectives over a broker started for it, in separate processes, next to gloo's on the same machine in the
/// same run.
/// </summary>
internal static class CollectivesBenchmark
{
    private const int Mebibytes = 44;
    private const int Passes = 3;

    /// <summary>Runs: [RANKS,...] [ROUNDS].</summary>
    public static int Run(string[] args)
    {
        var worlds = (args.Length > 0 ? args[0] : "2,4").Split(',').Select(static w => int.Parse(w, CultureInfo.InvariantCulture)).ToArray();
        var rounds = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 20;
        var broker = new Broker();
        try
        {
            broker.StartAsync().AsTask().GetAwaiter().GetResult();
            if (broker.Missing is { } missing)
            {
                Console.Error.WriteLine(missing);
                return 1;
            }

            foreach (var ranks in worlds)
            {
                using var processes = new RankProcesses(broker.Address, ranks);
                for (var pass = 0; pass < Passes; pass++)
                {
                    // In turn, so that what disturbs the machine disturbs all alike.
                    var gloo = Gloo(ranks, Mebibytes, rounds);
                    Report(ranks, "gloo", Mebibytes << 20, gloo, gloo, 0);
                    foreach (var mode in new[] { "fp32", "plain", "bf16", "int8", "masked" })
                    {
                        var (times, peak) = processes.Measure(mode, Mebibytes << 20, rounds);
                        Report(ranks, mode, Mebibytes << 20, Median(times), gloo, peak);
                    }
                }

                foreach (var mode in new[] { "fp32", "counts" })
                {
                    var (times, _) = processes.Measure(mode, 1024, 300);
                    Report(ranks, mode, 1024, Median(times), null, 0);
                }
            }

            return 0;
        }
        finally
        {
            broker.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    private static void Report(int ranks, string mode, long bytes, double? milliseconds, double? gloo, int peak) =>
        Console.WriteLine(JsonSerializer.Serialize(new
        {
            ranks,
            mode,
            bytes,
            milliseconds = milliseconds is { } ms ? Math.Round(ms, 3) : (double?)null,
            ratioToGloo = milliseconds / gloo is { } ratio ? Math.Round(ratio, 2) : (double?)null,
            peakMebibytes = peak,
        }));

    private static double Median(double[] values)
    {
        var sorted = values.Order().ToArray();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>Gloo's median in milliseconds; null where Python's torch or the script is missing.</summary>
    private static double? Gloo(int ranks, int mebibytes, int rounds)
    {
        var script = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../../../shared/tools/gloo_allreduce.py"));
        if (!File.Exists(script))
        {
            return null;
        }

        using var process = Process.Start(new ProcessStartInfo(
            "/usr/bin/python3",
            [script, ranks.ToString(CultureInfo.InvariantCulture), mebibytes.ToString(CultureInfo.InvariantCulture), rounds.ToString(CultureInfo.InvariantCulture)])
        {
            RedirectStandardOutput = true,
        })!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? JsonDocument.Parse(output).RootElement.GetProperty("median_ms").GetDouble() : null;
    }
}
