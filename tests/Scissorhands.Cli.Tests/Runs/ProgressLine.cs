using System.Text.Json;

namespace Scissorhands.Cli.Tests.Runs;

/// <summary>A moment of a run, as its progress lines tell it.</summary>
public sealed record ProgressLine(string? Event, string? Stage, int Done)
{
    public static ProgressLine Parse(string line)
    {
        using var json = JsonDocument.Parse(line);
        var root = json.RootElement;
        return new ProgressLine(
            root.GetProperty("event").GetString(),
            root.TryGetProperty("stage", out var stage) ? stage.GetString() : null,
            root.TryGetProperty("done", out var done) ? done.GetInt32() : 0);
    }

    /// <summary>Whether this is the moment, or one after it within the stage.</summary>
    public static Func<string, bool> Reaches(string @event, string stage, int done) => line =>
        Parse(line) is var moment && moment.Event == @event && moment.Stage == stage && moment.Done >= done;
}
