using System.Diagnostics;
using System.Text;

namespace Scissorhands.Testing;

/// <summary>A process the tests start and end by its id; keeps its output for messages.</summary>
public sealed class ChildProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly TaskCompletionSource _said = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly string? _ready;

    /// <summary>Starts it.</summary>
    public ChildProcess(string file, IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment, string? ready = null)
    {
        _ready = ready;
        var start = new ProcessStartInfo(file, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        _process = new Process { StartInfo = start, EnableRaisingEvents = true };
        _process.OutputDataReceived += (_, e) => Take(e.Data);
        _process.ErrorDataReceived += (_, e) => Take(e.Data);
        _process.Exited += (_, _) => _said.TrySetException(new InvalidOperationException($"{file} has ended early:\n{Output}"));
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>What the process has printed.</summary>
    public string Output
    {
        get
        {
            lock (_output)
            {
                return _output.ToString();
            }
        }
    }

    /// <summary>Completes when the process has printed what it prints once ready; fails when it ends before.</summary>
    public Task Ready => _said.Task;

    /// <summary>Id of the process.</summary>
    public int Id => _process.Id;

    /// <summary>Ends when the process has.</summary>
    public Task Exited => _process.WaitForExitAsync();

    /// <summary>Writes a line to the process.</summary>
    public void Tell(string line)
    {
        _process.StandardInput.WriteLine(line);
        _process.StandardInput.Flush();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _ = _said.Task.Exception;
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }

    private void Take(string? line)
    {
        if (line is null)
        {
            return;
        }

        lock (_output)
        {
            _output.AppendLine(line);
        }

        if (_ready is not null && line.Contains(_ready, StringComparison.Ordinal))
        {
            _said.TrySetResult();
        }
    }
}
