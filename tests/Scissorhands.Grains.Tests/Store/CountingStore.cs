using Scissorhands.Grains.Store;

namespace Scissorhands.Grains.Tests.Store;

/// <summary>Counts the runs that are read with their states.</summary>
public sealed class CountingStore(IRunStore inner) : IRunStore
{
    /// <summary>How many there were.</summary>
    public int StatesRead { get; private set; }

    public async Task<IReadOnlyList<StoredRun>> ReadManyAsync(IReadOnlyCollection<string> runIds, CancellationToken ct)
    {
        var read = await inner.ReadManyAsync(runIds, ct);
        StatesRead += read.Count;
        return read;
    }

    public async Task<StoredRun?> ReadAsync(string runId, CancellationToken ct)
    {
        StatesRead++;
        return await inner.ReadAsync(runId, ct);
    }

    public Task<IReadOnlyList<RunHead>> HeadsAsync(int limit, CancellationToken ct) => inner.HeadsAsync(limit, ct);

    public Task<(StoredRun Run, bool Created)> CreateAsync(StoredRun run, IReadOnlyList<NewEvent> events, CancellationToken ct) => inner.CreateAsync(run, events, ct);

    public Task<StoredRun> WriteAsync(StoredRun run, IReadOnlyList<NewEvent> events, IReadOnlyList<OutgoingMessage> messages, CancellationToken ct) => inner.WriteAsync(run, events, messages, ct);

    public Task<IReadOnlyList<string>> OpenRunsAsync(CancellationToken ct) => inner.OpenRunsAsync(ct);

    public Task<StoredRun?> RunAtWorkOnAsync(string modelKey, CancellationToken ct) => inner.RunAtWorkOnAsync(modelKey, ct);

    public Task<StoredRun?> OpenRunWritingToAsync(string outputFolder, CancellationToken ct) => inner.OpenRunWritingToAsync(outputFolder, ct);

    public Task<IReadOnlyList<StoredEvent>> EventsAsync(string runId, long after, int limit, CancellationToken ct) => inner.EventsAsync(runId, after, limit, ct);
}
