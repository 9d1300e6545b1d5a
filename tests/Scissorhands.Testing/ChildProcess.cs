using System.Diagnostics;
using System.Text;

namespace Scissorhands.Testing;

/// <summary>A process the tests start and end by its id; keeps its output for messages.</summary>
public sealed class ChildProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly TaskCompletionSource _said = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<(Func<string, bool> IsMeant, TaskCompletionSource<string> Said)> _awaited = [];
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

        // Once for all who ask: each wait of its own is one more listener, and thousands of them take minutes to leave.
        Exited = _process.WaitForExitAsync();
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

    /// <summary>Ends when the process has, and all its output has been read.</summary>
    public Task Exited { get; }

    /// <summary>What the process ended with.</summary>
    public int ExitCode => _process.ExitCode;

    /// <summary>The first line that the process prints, or has printed, with this beginning; fails when it ends without it.</summary>
    /// <param name="words">The beginning.</param>
    /// <param name="anywhere">Whether the words may stand anywhere in the line, as behind the head of a log's line.</param>
    public async Task<string> SaysAsync(string words, bool anywhere = false)
    {
        bool IsMeant(string line) => anywhere ? line.Contains(words, StringComparison.Ordinal) : line.StartsWith(words, StringComparison.Ordinal);
        var said = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_output)
        {
            var line = _output.ToString().Split('\n').FirstOrDefault(IsMeant);
            if (line is not null)
            {
                return line.TrimEnd('\r');
            }

            _awaited.Add((IsMeant, said));
        }

        await Task.WhenAny(said.Task, Exited);
        return said.Task.IsCompleted ? await said.Task : throw new InvalidOperationException($"The process has ended without saying '{words}':\n{Output}");
    }

    /// <summary>Sends a signal: KILL, STOP, CONT, ...</summary>
    public void Signal(string signal) => Signals.Send(Id, signal);

    /// <summary>Runs a program to its end.</summary>
    /// <param name="program">The program.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="patience">How long it may take; two minutes where not given.</param>
    /// <param name="environment">Further variables; none where not given.</param>
    /// <returns>Its exit code and what it printed.</returns>
    public static async Task<(int Code, string Output)> RunAsync(string program, IEnumerable<string> arguments, TimeSpan? patience = null, IReadOnlyDictionary<string, string>? environment = null)
    {
        await using var process = new ChildProcess(program, arguments, environment ?? new Dictionary<string, string>());
        await process.Exited.WaitAsync(patience ?? TimeSpan.FromMinutes(2));
        return (process.ExitCode, process.Output);
    }

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
            await Exited;
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
            foreach (var (_, said) in _awaited.Where(a => a.IsMeant(line)))
            {
                said.TrySetResult(line);
            }
        }

        if (_ready is not null && line.Contains(_ready, StringComparison.Ordinal))
        {
            _said.TrySetResult();
        }
    }
}
