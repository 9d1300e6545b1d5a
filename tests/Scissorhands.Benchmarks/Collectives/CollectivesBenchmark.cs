using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Scissorhands.Messaging.Wire;
using Scissorhands.Testing;

namespace Scissorhands.Benchmarks.Collectives;

/// <summary>
/// Times of the collectives over a broker started for it, in separate processes, next to gloo's on the same machine in the
/// same run, to the same bytes through the broker without sums, and to the twin within one process.
/// </summary>
internal static class CollectivesBenchmark
{
    private const int Passes = 3;

    // Beyond it a round takes seconds, and fewer have to do.
    private const long Large = 64 << 20;
    private static readonly string[] Modes = ["fp32", "plain", "bf16", "int8", "masked", "bare"];

    /// <summary>
    /// Runs: [RANKS,...] [BYTES,...] [ROUNDS] [MODES,...]; all ranks, sizes and modes, 20 rounds, where not given, which takes
    /// about an hour. Sizes take K and M.
    /// </summary>
    public static int Run(string[] args)
    {
        var worlds = (args.Length > 0 ? args[0] : "2,3,4,8").Split(',').Select(static w => int.Parse(w, CultureInfo.InvariantCulture)).ToArray();
        var sizes = (args.Length > 1 ? args[1] : "1K,64K,1M,16M,44M,256M").Split(',').Select(SizeOf).ToArray();
        var rounds = args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 20;
        var chosen = args.Length > 3 ? args[3].Split(',') : Modes;
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

                // The first rounds of a process are the compiler's.
                processes.Measure("fp32", 8 << 20, 60);
                processes.Measure("int8", 8 << 20, 60);
                foreach (var size in sizes)
                {
                    var many = size <= 65_536 ? rounds * 10 : size > Large ? Math.Max(1, rounds / 5) : rounds;
                    for (var pass = 0; pass < Passes; pass++)
                    {
                        // In turn, so that what disturbs the machine disturbs all alike.
                        var gloo = Gloo(ranks, (int)(size >> 20), rounds);
                        Report(ranks, "gloo", size, gloo, gloo, 0);
                        Report(ranks, "in process", size, Median(InProcessRanks.Measure(ranks, size, many, WireFormat.Fp32)), gloo, 0);
                        foreach (var mode in size <= 65_536 ? [.. chosen, "counts"] : chosen)
                        {
                            var (times, peak) = processes.Measure(mode, size, many);
                            Report(ranks, mode, size, Median(times), gloo, peak);
                        }
                    }
                }
            }

            return 0;
        }
        finally
        {
            broker.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    private static long SizeOf(string text) => text[^1] switch
    {
        'K' => long.Parse(text[..^1], CultureInfo.InvariantCulture) << 10,
        'M' => long.Parse(text[..^1], CultureInfo.InvariantCulture) << 20,
        _ => long.Parse(text, CultureInfo.InvariantCulture),
    };

    private static void Report(int ranks, string mode, long bytes, double? milliseconds, double? gloo, int peak) =>
        Console.WriteLine(JsonSerializer.Serialize(new
        {
            ranks,
            mode,
            bytes,
            milliseconds = milliseconds is { } ms ? Math.Round(ms, 3) : (double?)null,
            mebibytesPerSecond = milliseconds is { } time ? Math.Round(bytes / time * 1000 / (1 << 20), 1) : (double?)null,
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
        if (!File.Exists(script) || mebibytes == 0)
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
