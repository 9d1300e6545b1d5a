using System.Diagnostics;
using System.Globalization;

namespace Scissorhands.Benchmarks.Collectives;

/// <summary>The rank processes of one group.</summary>
internal sealed class RankProcesses : IDisposable
{
    private readonly Process[] _processes;

    internal RankProcesses(Uri broker, int ranks, string command = "collective-rank", params string[] more)
    {
        _processes = [.. Enumerable.Range(0, ranks).Select(rank => Start(command, broker, rank, ranks, more))];
        var queues = string.Join(' ', _processes.Select(static p => Read(p, "queue")));
        foreach (var process in _processes)
        {
            process.StandardInput.WriteLine(queues);
        }
    }

    /// <summary>Measures a case: the times of rank 0 in milliseconds, and the largest resident set of a rank in MiB so far.</summary>
    internal (double[] Milliseconds, int PeakMebibytes) Measure(string mode, long bytes, int rounds)
    {
        foreach (var process in _processes)
        {
            process.StandardInput.WriteLine(FormattableString.Invariant($"{mode} {bytes} {rounds}"));
            process.StandardInput.Flush();
        }

        var lines = _processes.Select(static p => Read(p, "times").Split(' ')).ToArray();
        return (
            [.. lines[0].Skip(2).Select(static t => double.Parse(t, CultureInfo.InvariantCulture))],
            lines.Max(static l => int.Parse(l[1], CultureInfo.InvariantCulture)));
    }

    /// <summary>Waits for a line of each rank that begins with a word; returns the rest of it, by rank.</summary>
    internal string[] ReadAll(string word) => [.. _processes.Select(p => Read(p, word))];

    public void Dispose()
    {
        foreach (var process in _processes)
        {
            process.StandardInput.Close();
            if (!process.WaitForExit(20_000))
            {
                process.Kill();
            }

            process.Dispose();
        }
    }

    private static Process Start(string command, Uri broker, int rank, int ranks, string[] more)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!, [command, broker.ToString(), rank.ToString(CultureInfo.InvariantCulture), ranks.ToString(CultureInfo.InvariantCulture), .. more])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        start.Environment["DOTNET_gcServer"] = "0";
        return Process.Start(start)!;
    }

    private static string Read(Process process, string word)
    {
        var line = process.StandardOutput.ReadLine();
        return line is not null && line.StartsWith(word + " ", StringComparison.Ordinal)
            ? line[(word.Length + 1)..]
            : throw new InvalidOperationException($"A rank said '{line}' instead of {word}.");
    }
}
