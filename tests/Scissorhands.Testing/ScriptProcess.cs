using System.Diagnostics;

namespace Scissorhands.Testing;

/// <summary>A program of another language that runs to its end; what it prints and what it complains of are kept apart.</summary>
internal static class ScriptProcess
{
    /// <summary>Runs it.</summary>
    /// <param name="program">The interpreter.</param>
    /// <param name="arguments">The script and its arguments.</param>
    /// <param name="environment">Further variables; none where null.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Whether it succeeded, and what it printed; where it did not, what it complained of.</returns>
    public static async Task<(bool Done, string Output)> RunAsync(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync(cancellationToken);
        var output = await process.StandardOutput.ReadToEndAsync(cancellationToken);
        await process.WaitForExitAsync(cancellationToken);
        return (process.ExitCode == 0, process.ExitCode == 0 ? output.Trim() : await errors);
    }
}
