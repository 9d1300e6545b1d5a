using System.Text.Json;
using Scissorhands.Abstractions.Runs;

namespace Scissorhands.Worker.Run;

/// <summary>
/// Appends what happens to the run's files: <c>events.jsonl</c> for people and pipelines, the repair steps' totals for the
/// report. A resumed run appends; a step that is done again comes later in the file and counts instead.
/// </summary>
public sealed class RunEvents : IDisposable
{
    private static readonly JsonSerializerOptions Options = new() { PropertyNamingPolicy = JsonNamingPolicy.CamelCase };
    private readonly StreamWriter _events;
    private readonly StreamWriter _steps;
    private readonly TimeProvider _time;
    private Exception? _failure;

    /// <summary>Opens the files.</summary>
    /// <param name="folder">The run's folder.</param>
    /// <param name="time">The clock.</param>
    public RunEvents(RunFolder folder, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(folder);
        _time = time;
        _events = new StreamWriter(folder.EventsPath, append: true);

        // Steps go out at once: a checkpoint must never hold one that a killed process had not yet written down.
        _steps = new StreamWriter(folder.StepsPath, append: true) { AutoFlush = true };
    }

    /// <summary>Why writing failed, a full disk for instance; null while it has not.</summary>
    public Exception? Failure => _failure;

    /// <summary>Writes an event.</summary>
    /// <param name="name">What happened.</param>
    /// <param name="fields">Its fields, or null.</param>
    public void Write(string name, object? fields = null)
    {
        try
        {
            _events.WriteLine(JsonSerializer.Serialize(new { time = _time.GetUtcNow(), @event = name, fields }, Options));
            _events.Flush();
        }
        catch (IOException e)
        {
            // The run itself notices a full disk at its next checkpoint and says so.
            _failure ??= e;
        }
    }

    /// <summary>Writes down a report, where it is worth it. Called one report at a time.</summary>
    /// <param name="report">The report.</param>
    public void Report(WorkerReport report)
    {
        switch (report)
        {
            case StepDone step:
                try
                {
                    _steps.WriteLine(JsonSerializer.Serialize(step, Options));
                }
                catch (IOException e)
                {
                    _failure ??= e;
                }

                break;
            case CheckpointWritten { Rank: 0 } c:
                Write("checkpoint", new { stage = StageNames.Of(c.Stage), progress = c.Progress, name = c.Name });
                break;
            case StageDone { Rank: 0 } d:
                Write("stage-done", new { stage = StageNames.Of(d.Stage) });
                break;
            case WorkerFailed f:
                Write("failed", new { stage = StageNames.Of(f.Stage), worker = f.Rank, reason = f.Reason });
                break;
        }
    }

    /// <summary>Reads the steps of a run, each once, in order.</summary>
    /// <param name="folder">The run's folder.</param>
    /// <returns>The steps.</returns>
    public static IReadOnlyList<StepDone> ReadSteps(RunFolder folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        var steps = new SortedDictionary<int, StepDone>();
        if (File.Exists(folder.StepsPath))
        {
            foreach (var line in File.ReadLines(folder.StepsPath))
            {
                try
                {
                    if (JsonSerializer.Deserialize<StepDone>(line, Options) is { } step)
                    {
                        steps[step.Step] = step;
                    }
                }
                catch (JsonException)
                {
                    // A line cut short by a crash; its step was done again.
                }
            }
        }

        return [.. steps.Values];
    }

    /// <inheritdoc />
    public void Dispose()
    {
        Close(_events);
        Close(_steps);
    }

    private void Close(StreamWriter writer)
    {
        try
        {
            writer.Dispose();
        }
        catch (IOException e)
        {
            _failure ??= e;
        }
    }
}
