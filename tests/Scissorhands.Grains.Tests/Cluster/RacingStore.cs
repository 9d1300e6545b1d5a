using Scissorhands.Grains.Store;

namespace Scissorhands.Grains.Tests.Cluster;

/// <summary>A store in which others may write between a look at it and what follows from that.</summary>
public sealed class RacingStore(IRunStore inner) : IRunStore
{
    private (string Model, TaskCompletionSource Done)? _overlooked;

    /// <summary>The next look for the running run of a model comes before that one has begun.</summary>
    /// <param name="model">The model.</param>
    /// <returns>Completes once somebody has looked.</returns>
    public Task OverlookRunAtWorkOn(string model)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _overlooked = (model, done);
        return done.Task;
    }

    public async Task<StoredRun?> RunAtWorkOnAsync(string modelKey, CancellationToken ct)
    {
        if (_overlooked is { } overlooked && overlooked.Model == modelKey && overlooked.Done.TrySetResult())
        {
            return null;
        }

        return await inner.RunAtWorkOnAsync(modelKey, ct);
    }

    public Task<(StoredRun Run, bool Created)> CreateAsync(StoredRun run, IReadOnlyList<NewEvent> events, CancellationToken ct) => inner.CreateAsync(run, events, ct);

    public Task<StoredRun?> ReadAsync(string runId, CancellationToken ct) => inner.ReadAsync(runId, ct);

    public Task<StoredRun> WriteAsync(StoredRun run, IReadOnlyList<NewEvent> events, IReadOnlyList<OutgoingMessage> messages, CancellationToken ct) => inner.WriteAsync(run, events, messages, ct);

    public Task<IReadOnlyList<string>> OpenRunsAsync(CancellationToken ct) => inner.OpenRunsAsync(ct);

    public Task<StoredRun?> OpenRunWritingToAsync(string outputFolder, CancellationToken ct) => inner.OpenRunWritingToAsync(outputFolder, ct);

    public Task<IReadOnlyList<RunHead>> HeadsAsync(int limit, CancellationToken ct) => inner.HeadsAsync(limit, ct);

    public Task<IReadOnlyList<StoredRun>> ReadManyAsync(IReadOnlyCollection<string> runIds, CancellationToken ct) => inner.ReadManyAsync(runIds, ct);

    public Task<IReadOnlyList<StoredEvent>> EventsAsync(string runId, long after, int limit, CancellationToken ct) => inner.EventsAsync(runId, after, limit, ct);
}
