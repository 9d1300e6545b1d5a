using Scissorhands.Abstractions.Cluster;
using Scissorhands.Deletion.Audit;
using Scissorhands.Deletion.Batching;
using Scissorhands.Deletion.Gate;
using Scissorhands.Deletion.Models;
using Scissorhands.Deletion.Requests;
using Scissorhands.Grains.Deletion;
using Scissorhands.Grains.Store;

namespace Scissorhands.Grains.Tests.Deletion;

internal sealed class TestFaultException() : Exception("armed");

/// <summary>Lets chosen calls fail, before they have an effect or after.</summary>
internal sealed class Faults
{
    private Action? _count;
    private HashSet<(int Call, bool After)> _failures = [];
    private int _calls;

    public void Arm(Action? count, IEnumerable<(int Call, bool After)> failures)
    {
        _count = count;
        _failures = [.. failures];
        _calls = 0;
    }

    public async Task<T> CallAsync<T>(Func<Task<T>> call)
    {
        var number = _calls++;
        _count?.Invoke();
        if (_failures.Contains((number, false)))
        {
            throw new TestFaultException();
        }

        var result = await call();
        return _failures.Contains((number, true)) ? throw new TestFaultException() : result;
    }
}

/// <summary>The store, whose writes may fail.</summary>
internal sealed class FailingStore(IDeletionStore store, Faults faults) : IDeletionStore
{
    public Task<StoredModel> CommitAsync(StoredModel model, ModelChange change, CancellationToken ct) => faults.CallAsync(() => store.CommitAsync(model, change, ct));

    public Task<StoredModel> RegisterAsync(ModelRecord record, ModelVersion first, AuditDraft audit, CancellationToken ct) => store.RegisterAsync(record, first, audit, ct);

    public Task<StoredModel?> ModelAsync(string name, CancellationToken ct) => store.ModelAsync(name, ct);

    public Task<IReadOnlyList<StoredModel>> ModelsAsync(string? dataSet, CancellationToken ct) => store.ModelsAsync(dataSet, ct);

    public Task<IReadOnlyList<string>> ModelsAtWorkAsync(CancellationToken ct) => store.ModelsAtWorkAsync(ct);

    public Task<IReadOnlyList<AcceptOutcome>> AcceptAsync(IReadOnlyList<(DeletionRequest Request, AuditDraft Audit)> requests, CancellationToken ct) => store.AcceptAsync(requests, ct);

    public Task<IReadOnlyList<DeletionRequest>> RequestsAsync(string model, IReadOnlyCollection<string> ids, CancellationToken ct) => store.RequestsAsync(model, ids, ct);

    public Task<IReadOnlyList<WaitingRequest>> WaitingAsync(string model, DateTimeOffset now, CancellationToken ct) => store.WaitingAsync(model, now, ct);

    public Task<IReadOnlyList<DeletionRequest>> CustodyAsync(string model, CustodyNeed need, DateTimeOffset now, int limit, CancellationToken ct) => store.CustodyAsync(model, need, now, limit, ct);

    public Task<DeletionRequest?> RequestAsync(string id, CancellationToken ct) => store.RequestAsync(id, ct);

    public Task<IReadOnlyList<DeletionRequest>> RequestsAsync(string model, IReadOnlyList<RequestState> states, CancellationToken ct) => store.RequestsAsync(model, states, ct);

    public Task<IReadOnlyList<DeletionRequest>> ListAsync(string tenant, string? model, int limit, CancellationToken ct) => store.ListAsync(tenant, model, limit, ct);

    public Task<RequestCounts> CountAsync(string tenant, DateTimeOffset now, int due, CancellationToken ct) => store.CountAsync(tenant, now, due, ct);

    public Task<DeletionBatch?> BatchAsync(string model, int number, CancellationToken ct) => store.BatchAsync(model, number, ct);

    public Task<IReadOnlyList<ModelVersion>> VersionsAsync(string model, CancellationToken ct) => store.VersionsAsync(model, ct);

    public Task<IReadOnlyList<string>> TombstonesAsync(string model, CancellationToken ct) => store.TombstonesAsync(model, ct);

    public Task<IReadOnlyDictionary<string, string>> ContentsAsync(string model, CancellationToken ct) => store.ContentsAsync(model, ct);

    public Task<IReadOnlyList<RequestSamples>> DoneByAsync(string model, IReadOnlyList<int> batches, CancellationToken ct) => store.DoneByAsync(model, batches, ct);

    public Task<IReadOnlyList<string>> TombstonesAsync(string model, int batch, CancellationToken ct) => store.TombstonesAsync(model, batch, ct);
}

/// <summary>A model's folder in memory. What is done twice is done once, as in the real one.</summary>
internal sealed class FakeFolders(Faults faults) : IVersionFolders, ICertifier, IQuarantine
{
    private readonly HashSet<string> _log = new(StringComparer.Ordinal);
    private int? _reports;
    private int _earlier;

    /// <summary>Presets whose results remember too much.</summary>
    public IReadOnlyList<string> Remembers { get; set; } = [];

    /// <summary>Samples that are not in the data any more.</summary>
    public IReadOnlyList<string> Gone { get; set; } = [];

    public int Current { get; private set; }

    /// <summary>What is in quarantine, by request.</summary>
    public Dictionary<string, string[]> Copies { get; } = new(StringComparer.Ordinal);

    /// <summary>What batches take from copies.</summary>
    public Dictionary<int, string[]> Gathered { get; } = [];

    /// <summary>Requests whose copies are found to be damaged.</summary>
    public HashSet<string> Damaged { get; } = new(StringComparer.Ordinal);

    /// <summary>Accuracy on the test data that no choice looks at, in [0,1].</summary>
    public double Unseen { get; set; } = 0.8;

    /// <summary>Why no certificate can be written; null where it can.</summary>
    public string? Unwritable { get; set; }

    /// <summary>Why nothing can be copied; null where it can.</summary>
    public string? Full { get; set; }

    /// <summary>Done while a version is published.</summary>
    public Func<Task> Publishing { get; set; } = static () => Task.CompletedTask;

    /// <summary>Done while copies are made.</summary>
    public Func<Task> Meanwhile { get; set; } = static () => Task.CompletedTask;

    public Task<IReadOnlyList<CopyOutcome>> CopyAsync(ModelRecord model, IReadOnlyList<RequestSamples> requests, IReadOnlyDictionary<string, string> contents, CancellationToken ct) => faults.CallAsync<IReadOnlyList<CopyOutcome>>(async () =>
    {
        var outcomes = new List<CopyOutcome>();
        foreach (var request in requests)
        {
            var missing = request.Samples.Count(id => Gone.Contains(id) && !Copies.Values.Any(copy => copy.Contains(id)));
            if (missing == 0 && Full is null)
            {
                Damaged.Remove(request.Id);
                Copies[request.Id] = [.. request.Samples];
            }

            outcomes.Add(new CopyOutcome(request.Id, missing, missing == 0 ? Full : null));
        }

        await Meanwhile();
        return outcomes;
    });

    public Task<GatheredCopies> GatherAsync(ModelRecord model, DeletionBatch batch, IReadOnlyList<RequestSamples> requests, IReadOnlyDictionary<string, string> earlier, CancellationToken ct) => faults.CallAsync(() =>
    {
        string[] damaged = [.. requests.Where(r => Damaged.Contains(r.Id) || !Copies.TryGetValue(r.Id, out var copy) || !copy.ToHashSet(StringComparer.Ordinal).SetEquals(r.Samples)).Select(static r => r.Id)];
        Gathered[batch.Number] = [.. requests.SelectMany(static r => r.Samples)];
        return Task.FromResult(new GatheredCopies(damaged, damaged.Length > 0 ? [] : [.. earlier.Where(e => e.Value == $"bytes of {e.Key}").Select(static e => e.Key).Except(Gone).Order(StringComparer.Ordinal)]));
    });

    public Task<IReadOnlyDictionary<string, string>> ContentsAsync(ModelRecord model, DeletionBatch batch, CancellationToken ct) => faults.CallAsync(() =>
        Task.FromResult<IReadOnlyDictionary<string, string>>(Gathered[batch.Number].Distinct().ToDictionary(static id => id, static id => $"bytes of {id}", StringComparer.Ordinal)));

    public Task TrimAsync(ModelRecord model, RequestSamples request, CancellationToken ct) => faults.CallAsync(() =>
    {
        Copies[request.Id] = [.. Copies[request.Id].Intersect(request.Samples)];
        return Task.FromResult(0);
    });

    public Task DestroyAsync(ModelRecord model, IReadOnlyList<string> requests, CancellationToken ct) => faults.CallAsync(() =>
    {
        foreach (var request in requests)
        {
            Copies.Remove(request);
        }

        return Task.FromResult(0);
    });

    public Task<IReadOnlyList<string>> ListAsync(ModelRecord model, CancellationToken ct) => faults.CallAsync(() => Task.FromResult<IReadOnlyList<string>>([.. Copies.Keys]));

    public IEnumerable<string> Log => _log;

    public Task<ModelVersion> AdoptAsync(ModelRecord model, CancellationToken ct) => throw new NotSupportedException();

    public Task<RunOrder> PrepareAsync(StoredModel model, DeletionBatch batch, BatchAttempt attempt, ModelVersion from, RunSamples samples, CancellationToken ct) => faults.CallAsync(() =>
    {
        (_reports, _earlier) = (batch.Number, samples.Earlier.Count);
        _log.Add($"forget {string.Join(',', samples.Forget)} after {string.Join(',', samples.Earlier)}{(samples.Withheld.Count > 0 ? $" without {string.Join(',', samples.Withheld)}" : "")}");
        return Task.FromResult(new RunOrder { Model = from.File, Data = "/d", Forget = string.Join(',', samples.Forget), Forgotten = string.Join(',', samples.Earlier), Out = $"/v/work/{batch.Number}/{attempt.Number}", Configuration = attempt.Preset });
    });

    public Task<GateFigures> FiguresAsync(StoredModel model, DeletionBatch batch, BatchAttempt attempt, CancellationToken ct) => faults.CallAsync(() => Task.FromResult(_reports != batch.Number ? throw new InvalidOperationException("There is no report.") : new GateFigures(
        new MeasuredShare(Remembers.Contains(attempt.Preset) ? 1 : 0.8, 1000),
        null,
        new MeasuredShare(0.9, 1000),
        new MeasuredShare(0.9, 1000),
        new MeasuredShare(0.8, 1000),
        new MeasuredShare(0.8, 1000),
        _earlier > 0 ? new MeasuredShare(0.8, _earlier) : null,
        new MeasuredShare(0.8, 1000),
        new MeasuredShare(Unseen, 1000))));

    public Task<LineageDrift?> DriftAsync(ModelRecord model, IReadOnlyList<ModelVersion> versions, int version, long forgotten, CancellationToken ct) =>
        Task.FromResult<LineageDrift?>(new LineageDrift(versions.Count, forgotten, 0));

    public Task<string?> DigestAsync(StoredModel model, int version, CancellationToken ct) => Task.FromResult<string?>("certificate");

    public Task<PublishedVersion> PublishAsync(StoredModel model, DeletionBatch batch, BatchAttempt attempt, int number, CancellationToken ct) =>
        faults.CallAsync(async () =>
        {
            await Publishing();
            return new PublishedVersion($"/v/{number}", $"hash of {attempt.Preset}", new Dictionary<string, string> { ["model"] = attempt.Preset });
        });

    public Task PointAsync(ModelRecord model, int version, CancellationToken ct) => faults.CallAsync(() => Task.FromResult(Current = version));

    public Task<IReadOnlyList<string>> DestroyAsync(StoredModel model, DeletionBatch batch, IReadOnlyList<ModelVersion> superseded, CancellationToken ct) =>
        faults.CallAsync(() => Task.FromResult<IReadOnlyList<string>>([.. superseded.Select(static v => $"version {v.Number}")]));

    public Task SweepAsync(StoredModel model, CancellationToken ct) => faults.CallAsync(() =>
    {
        // Reports lie in the folders that are deleted.
        _reports = model.OpenBatch;
        return Task.FromResult(0);
    });

    public Task<string> CertifyAsync(StoredModel model, DeletionBatch batch, ModelVersion version, ModelVersion from, IReadOnlyList<DeletionRequest> requests, IReadOnlyList<string> forgotten, CancellationToken ct) => faults.CallAsync(() =>
    {
        if (Unwritable is { } reason)
        {
            throw new IOException(reason);
        }

        _log.Add($"certify {string.Join(',', forgotten)}");
        return Task.FromResult("certificate");
    });
}

/// <summary>Runs that are done as soon as they are submitted.</summary>
internal sealed class FakeRuns(Faults faults)
{
    private readonly HashSet<string> _submitted = new(StringComparer.Ordinal);

    /// <summary>How they end.</summary>
    public (string Status, bool BadInput) Outcome { get; set; } = ("completed", false);

    public string? BadKey { get; set; }

    public IRunGrain Of(string id) => new FakeRun(this, id);

    private sealed class FakeRun(FakeRuns runs, string id) : IRunGrain
    {
        public Task<SubmitOutcome> SubmitAsync(RunOrder order) => runs._faults.CallAsync(() => Task.FromResult(new SubmitOutcome(true, runs._submitted.Add(id), null)));

        public Task<RunView?> ViewAsync() => runs._faults.CallAsync(() => Task.FromResult(runs._submitted.Contains(id)
            ? new RunView { RunId = id, Status = runs.Outcome.Status, BadInput = runs.Outcome.BadInput, BadKey = runs.BadKey, Reason = "no luck", Out = "/v", Pool = "default" }
            : null));

        public Task<RunTrace> TraceAsync() => throw new NotSupportedException();

        public Task<bool> CancelAsync(string reason) => throw new NotSupportedException();

        public Task CallAsync(WorkerCall call) => throw new NotSupportedException();

        public Task ProgressAsync(WorkerProgress progress) => throw new NotSupportedException();

        public Task WakeAsync() => throw new NotSupportedException();

        public Task<bool> FormAsync(IReadOnlyList<GangMember> members) => throw new NotSupportedException();

        public Task WaitsAsync(string? reason) => throw new NotSupportedException();

        public Task MembersLostAsync(IReadOnlyList<string> workerIds, string reason) => throw new NotSupportedException();

        public Task MemberLeavingAsync(string workerId) => throw new NotSupportedException();
    }

    private readonly Faults _faults = faults;
}
