using System.Globalization;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Data.Samples;
using Scissorhands.Reporting.Model;
using Scissorhands.Worker.Run;

namespace Scissorhands.Cli.Progress;

/// <summary>One line now and then, for logs and pipes.</summary>
public sealed class PlainProgress : IRunProgress
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);
    private readonly Lock _lock = new();
    private readonly TextWriter _output;
    private readonly TimeProvider _time;
    private string? _stage;
    private RateMeter? _meter;
    private long _lastLine;
    private long _furthest;

    /// <summary>Creates the progress.</summary>
    /// <param name="output">Where lines go.</param>
    /// <param name="time">The clock.</param>
    public PlainProgress(TextWriter output, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(time);
        _output = output;
        _time = time;
        _lastLine = time.GetTimestamp();
    }

    /// <inheritdoc />
    public void Data(string source, DataProgress progress)
    {
        lock (_lock)
        {
            if (progress.Done != progress.Total && _time.GetElapsedTime(_lastLine) < Interval)
            {
                return;
            }

            // Before a source is indexed nobody knows how many samples it holds.
            var of = progress.Total > 0 ? string.Create(CultureInfo.InvariantCulture, $"/{progress.Total}") : " samples";
            Line(string.Create(CultureInfo.InvariantCulture, $"{source}: {progress.Activity} {progress.Done}{of}"));
        }
    }

    /// <inheritdoc />
    public void Report(WorkerReport report, string? stage = null)
    {
        lock (_lock)
        {
            switch (report)
            {
                case StageProgress p:
                    var name = stage ?? StageNames.Of(p.Stage);
                    if (_stage != name)
                    {
                        (_stage, _meter, _furthest) = (name, new RateMeter(_time, Math.Max(0, p.Done - 1)), 0);
                    }

                    // Several workers report: the bar never goes back.
                    var finished = _furthest >= p.Total;
                    _furthest = Math.Max(_furthest, p.Done);
                    if (finished || (_furthest < p.Total && _time.GetElapsedTime(_lastLine) < Interval))
                    {
                        return;
                    }

                    var loss = p.Loss is { } l ? string.Create(CultureInfo.InvariantCulture, $", loss {l:F4}") : "";
                    var remaining = _meter!.Remaining(_furthest, p.Total) is { } r && _furthest < p.Total ? $", {Format(r)} left" : "";
                    Line(string.Create(CultureInfo.InvariantCulture, $"{name}: {_furthest}/{p.Total} {p.Unit}, {_meter.Rate(_furthest):F1}/s{loss}{remaining}"));
                    break;
                case CheckpointWritten { Rank: 0 } c:
                    Line($"{StageNames.Of(c.Stage)}: checkpoint {c.Name}");
                    break;
            }
        }
    }

    /// <inheritdoc />
    public void Say(string line)
    {
        lock (_lock)
        {
            Line(line);
        }
    }

    /// <inheritdoc />
    public void Completed(RunReport report, RunFolder folder) => RunSummary.Write(_output, report, folder);

    /// <inheritdoc />
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    internal static string Format(TimeSpan time) =>
        time.TotalHours >= 1 ? time.ToString(@"h\:mm\:ss", CultureInfo.InvariantCulture) : time.ToString(@"m\:ss", CultureInfo.InvariantCulture);

    private void Line(string text)
    {
        _output.WriteLine(text);
        _output.Flush();
        _lastLine = _time.GetTimestamp();
    }
}
