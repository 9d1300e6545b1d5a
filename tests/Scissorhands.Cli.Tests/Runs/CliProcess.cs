using System.Diagnostics;
using System.Globalization;
using Scissorhands.Drill.Cluster;
using Scissorhands.Testing;

namespace Scissorhands.Cli.Tests.Runs;

/// <summary>What a process left behind.</summary>
public sealed record CliResult(int ExitCode, IReadOnlyList<string> Output, IReadOnlyList<string> Errors)
{
    public string Describe() => string.Create(CultureInfo.InvariantCulture, $"exit code {ExitCode}\n{string.Join('\n', Output.TakeLast(5))}\n{string.Join('\n', Errors)}");
}

/// <summary>The real executable as a child process, whose output is read line by line.</summary>
public sealed class CliProcess : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    private readonly Process _process;
    private readonly List<string> _output = [];
    private readonly Task<string> _errors;
    private readonly CancellationTokenSource _limit;

    private CliProcess(Process process, TimeSpan limit)
    {
        _process = process;
        _limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        _limit.CancelAfter(limit);
        _errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
    }

    public static CliProcess Start(IEnumerable<string> arguments, string? folder = null, TimeSpan? limit = null, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(Executable.Path, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = folder ?? "" };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return new CliProcess(Process.Start(start)!, limit ?? Limit);
    }

    public static async Task<CliResult> RunAsync(IEnumerable<string> arguments, string? folder = null, TimeSpan? limit = null)
    {
        await using var process = Start(arguments, folder, limit);
        return await process.FinishAsync();
    }

    /// <summary>Reads up to the line that is waited for.</summary>
    /// <returns>False where the output ended before.</returns>
    public async Task<bool> ReachAsync(Func<string, bool> line)
    {
        while (await _process.StandardOutput.ReadLineAsync(_limit.Token) is { } read)
        {
            _output.Add(read);
            if (line(read))
            {
                return true;
            }
        }

        return false;
    }

    public void Kill() => _process.Kill();

    public void Interrupt() => Signals.Send(_process.Id, "INT");

    public async Task<CliResult> FinishAsync()
    {
        await ReachAsync(_ => false);
        var errors = await _errors.WaitAsync(_limit.Token);
        await _process.WaitForExitAsync(_limit.Token);
        return new CliResult(_process.ExitCode, _output, errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync(CancellationToken.None);
        }

        _limit.Dispose();
        _process.Dispose();
    }
}
