using System.Globalization;
using System.Text.Json;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Cli.Commands;
using Scissorhands.CommandLine;
using Scissorhands.Planning;

namespace Scissorhands.Cli.Cluster;

/// <summary>Follows a run of the cluster on the screen until it has ended.</summary>
internal static class RunWatch
{
    private static readonly TimeSpan LineInterval = TimeSpan.FromSeconds(2);

    /// <summary>Follows.</summary>
    /// <param name="client">The coordinator.</param>
    /// <param name="run">The run.</param>
    /// <param name="json">Whether each line is an object for machines.</param>
    /// <param name="untilPlanned">Whether to end as soon as workers have accepted the inputs, or the run waits for workers.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Ends the following, not the run.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> FollowAsync(CoordinatorClient client, string run, bool json, bool untilPlanned, TimeProvider time, CancellationToken cancellationToken)
    {
        try
        {
            return await UntilEndAsync(client, run, json, untilPlanned, time, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            await Console.Error.WriteLineAsync($"run {run} goes on without being watched; watch {run} follows it, cancel {run} ends it");
            throw;
        }
    }

    private static async Task<int> UntilEndAsync(CoordinatorClient client, string run, bool json, bool untilPlanned, TimeProvider time, CancellationToken cancellationToken)
    {
        await client.ViewAsync(run, cancellationToken);
        RunView? view = null;
        string? waits = null;
        long lastLine = 0;
        await foreach (var (kind, value) in client.WatchAsync(run, time, cancellationToken))
        {
            if (kind == "status")
            {
                view = value.Deserialize<RunView>(JsonSerializerOptions.Web);
                if (!json && view?.Waits is { } reason && reason != waits)
                {
                    Console.WriteLine($"{view.Status}: {reason}");
                }

                waits = view?.Waits;
                if (!json && view is not null && Progress(view) is { } line && (lastLine == 0 || time.GetElapsedTime(lastLine) >= LineInterval))
                {
                    lastLine = time.GetTimestamp();
                    Console.WriteLine(line);
                }
            }
            else if (!json)
            {
                Console.WriteLine(EventText.Of(value.GetProperty("name").GetString()!, value.GetProperty("fields")));
            }

            if (json)
            {
                Console.WriteLine(JsonSerializer.Serialize(new { kind, value }, JsonSerializerOptions.Web));
            }

            if (untilPlanned && kind == "event" && value.GetProperty("name").GetString() == "planned")
            {
                return ExitCodes.Done;
            }

            if (untilPlanned && waits is not null)
            {
                return ExitCodes.Done;
            }
        }

        return view switch
        {
            { Status: "completed" } => ExitCodes.Done,
            { Status: "failed", BadInput: true } => throw new InputException(view.Reason ?? "the input is at fault"),
            { Status: "failed" } => throw new RunFailedException(view.Reason ?? "the run has failed"),
            { Status: "cancelled" } => throw new RunFailedException($"run {run} was cancelled{(view.Reason is null ? "" : $" ({view.Reason})")}"),
            _ => ExitCodes.Done,
        };
    }

    private static string? Progress(RunView view)
    {
        if (view.Progress is not [_, ..] ranks)
        {
            return null;
        }

        // Workers go side by side; the slowest says when the stage will end.
        var slowest = ranks.Where(p => p.Stage == view.Stage).MinBy(static p => p.Total == 0 ? 1 : p.Done / (double)p.Total);
        return slowest is null ? null : string.Create(CultureInfo.InvariantCulture, $"{view.Stage}: {slowest.Done}/{slowest.Total} {slowest.Unit}, {view.Members.Count} workers{(slowest.Loss is { } loss ? $", loss {loss:F4}" : "")}");
    }
}
