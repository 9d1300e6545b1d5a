using System.Globalization;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Data.Samples;
using Scissorhands.Reporting.Model;
using Scissorhands.Worker.Run;
using Spectre.Console;

namespace Scissorhands.Cli.Progress;

/// <summary>Bars with rate, remaining time and current loss on a terminal.</summary>
public sealed class TerminalProgress : IRunProgress
{
    private readonly Lock _lock = new();
    private readonly TimeProvider _time;
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<ProgressContext> _context = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _display;
    private readonly Dictionary<string, (ProgressTask Task, RateMeter Meter)> _tasks = new(StringComparer.Ordinal);

    /// <summary>Starts the display.</summary>
    /// <param name="time">The clock.</param>
    public TerminalProgress(TimeProvider time)
    {
        _time = time;
        _display = AnsiConsole.Progress()
            .AutoClear(false)
            .HideCompleted(false)
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .StartAsync(async context =>
            {
                _context.SetResult(context);
                await _finished.Task;
            });
    }

    /// <inheritdoc />
    public void Data(string source, DataProgress progress) => Show($"{source} {progress.Activity}", progress.Done, progress.Total, "samples", null);

    /// <inheritdoc />
    public void Report(WorkerReport report, string? stage = null)
    {
        if (report is StageProgress p)
        {
            Show(stage ?? StageNames.Of(p.Stage), p.Done, p.Total, p.Unit, p.Loss);
        }
    }

    /// <inheritdoc />
    public void Say(string line) => AnsiConsole.WriteLine(line);

    /// <inheritdoc />
    public void Completed(RunReport report, RunFolder folder) => RunSummary.Write(Console.Out, report, folder);

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        _finished.TrySetResult();
        await _display;
    }

    private void Show(string name, long done, long total, string unit, double? loss)
    {
        lock (_lock)
        {
            if (!_context.Task.IsCompletedSuccessfully)
            {
                return;
            }

            if (!_tasks.TryGetValue(name, out var entry))
            {
                // One thing follows another: what came before is done, whether or not anybody knew how much it was.
                foreach (var (earlier, _) in _tasks.Values)
                {
                    earlier.IsIndeterminate = false;
                    earlier.MaxValue = Math.Max(1, earlier.Value);
                    earlier.StopTask();
                }

                // The context is there: the display has called back.
                var task = _context.Task.GetAwaiter().GetResult().AddTask(name, maxValue: total == 0 ? double.MaxValue : total);
                _tasks.Add(name, entry = (task, new RateMeter(_time, Math.Max(0, done - 1))));
            }

            // A total of 0 is one that nobody knows yet.
            entry.Task.IsIndeterminate = total == 0;
            entry.Task.MaxValue = total == 0 ? double.MaxValue : total;
            entry.Task.Value = Math.Max(entry.Task.Value, done);
            var text = string.Create(CultureInfo.InvariantCulture, $"{name,-18} {entry.Meter.Rate(done),8:F1} {unit}/s");
            entry.Task.Description = Markup.Escape(loss is { } l ? string.Create(CultureInfo.InvariantCulture, $"{text}  loss {l:F4}") : text);
        }
    }
}
