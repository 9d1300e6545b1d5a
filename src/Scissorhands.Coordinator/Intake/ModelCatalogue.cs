using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Scissorhands.Coordinator.Deletion;
using Scissorhands.Data.Samples;
using Scissorhands.Grains.Store;
using Scissorhands.Planning;

namespace Scissorhands.Coordinator.Intake;

/// <summary>What requests to a model are resolved against.</summary>
/// <param name="Model">The model.</param>
/// <param name="Names">Ids and subjects of its training data, and of what is in quarantine.</param>
/// <param name="Forgotten">Ids that its versions have forgotten.</param>
internal sealed record ModelView(StoredModel Model, SampleNames Names, IReadOnlySet<string> Forgotten);

/// <summary>
/// Models with the names of their samples, kept for a moment: requests come by the hundred. What is a moment old is still
/// right enough, as a batch looks again at what was forgotten meanwhile.
/// </summary>
internal sealed partial class ModelCatalogue(IDeletionStore store, TimeProvider time, ILogger<ModelCatalogue> logger) : IDisposable
{
    private static readonly TimeSpan ModelFresh = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan NamesFresh = TimeSpan.FromSeconds(30);
    private readonly ConcurrentDictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _oneAtATime = new(1, 1);

    /// <summary>A model; null where there is none of this name.</summary>
    /// <param name="name">The model.</param>
    /// <param name="again">Whether to look at the data again, should the last look be long ago: a name was not found.</param>
    /// <param name="ct">Ends the wait.</param>
    public async Task<ModelView?> FindAsync(string name, bool again, CancellationToken ct)
    {
        if (Fresh(name, again) is { } fresh)
        {
            return fresh;
        }

        // One for all who ask: an index of a large data set is not to be read by each of them.
        await _oneAtATime.WaitAsync(ct);
        try
        {
            return Fresh(name, again) ?? await ReadAsync(name, again, ct);
        }
        finally
        {
            _oneAtATime.Release();
        }
    }

    /// <summary>Looks at a model anew, as it was changed here; elsewhere that is noticed within a second.</summary>
    /// <param name="name">The model.</param>
    public void Forget(string name)
    {
        if (_entries.TryGetValue(name, out var entry))
        {
            _entries[name] = entry with { ReadAt = time.GetTimestamp() - (long)(ModelFresh.TotalSeconds * time.TimestampFrequency) };
        }
    }

    private ModelView? Fresh(string name, bool again) =>
        _entries.TryGetValue(name, out var entry) && time.GetElapsedTime(entry.ReadAt) < ModelFresh && !(again && time.GetElapsedTime(entry.NamesAt) >= NamesFresh) ? entry.View : null;

    private async Task<ModelView?> ReadAsync(string name, bool again, CancellationToken ct)
    {
        _entries.TryGetValue(name, out var entry);
        if (await store.ModelAsync(name, ct) is not { } model)
        {
            return null;
        }

        var now = time.GetTimestamp();
        var names = entry is not null && !(again && time.GetElapsedTime(entry.NamesAt) >= NamesFresh)
            ? (entry.View.Names, At: entry.NamesAt)
            : (await NamesAsync(model, ct), At: now);
        var forgotten = entry?.View.Model.Forgotten == model.Forgotten && entry.View.Model.CurrentVersion == model.CurrentVersion
            ? entry.View.Forgotten
            : (await store.TombstonesAsync(name, ct)).ToHashSet(StringComparer.Ordinal);
        var view = new ModelView(model, names.Item1, forgotten);
        _entries[name] = new Entry(view, now, names.At);
        return view;
    }

    private async Task<SampleNames> NamesAsync(StoredModel model, CancellationToken ct)
    {
        try
        {
            return await Task.Run(() => SampleNames.Read(model.Record.Data, QuarantineFolder.IndexOptions(model.Record), QuarantineFolder.Names(model.Record, ct), ct), ct);
        }
        catch (Exception e) when (e is InputException or RunFailedException or IOException or UnauthorizedAccessException)
        {
            // A disk that is full, data that are away: it was there when the model was registered.
            LogUnreadable(model.Record.Name, e.Message);
            throw new ModelDataUnreadableException(model.Record.Name, e);
        }
    }

    [LoggerMessage(LogLevel.Warning, "The names of model {Model}'s training data cannot be read, so that its deletion requests cannot be taken in: {Reason}")]
    private partial void LogUnreadable(string model, string reason);

    /// <inheritdoc/>
    public void Dispose() => _oneAtATime.Dispose();

    /// <summary>Names of a tenant's models trained on a data set.</summary>
    public async Task<IReadOnlyList<string>> OfDataSetAsync(string tenant, string dataSet, CancellationToken ct) => [.. (await store.ModelsAsync(dataSet, ct)).Where(m => m.Record.Tenant == tenant).Select(static m => m.Record.Name)];

    private sealed record Entry(ModelView View, long ReadAt, long NamesAt);
}
