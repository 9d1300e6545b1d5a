using Scissorhands.Deletion.Audit;
using Scissorhands.Deletion.Models;
using Scissorhands.Deletion.Requests;
using Scissorhands.Grains.Store;
using Scissorhands.Planning;

namespace Scissorhands.Grains.Deletion;

/// <summary>
/// Keeps the samples of a model's requests: has them copied into quarantine, accepts the requests, and has the copies
/// destroyed once a request has ended. From acceptance on their rows may be erased in the data; while a run may read the
/// data, none is accepted, as that run might still need the rows.
/// </summary>
internal sealed class RequestCustody
{
    private const int MostAtOnce = 1000;
    private static readonly TimeSpan AfterFailure = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan AfterLoss = TimeSpan.FromHours(1);
    private static readonly TimeSpan BetweenFailures = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan SweepInterval = TimeSpan.FromMinutes(10);
    private readonly IDeletionStore _store;
    private readonly IQuarantine _quarantine;
    private readonly TimeProvider _time;
    private readonly OffTurn<Copied> _copying;
    private DateTimeOffset _notBefore;
    private DateTimeOffset _sweepAt;

    public RequestCustody(IDeletionStore store, IQuarantine quarantine, TimeProvider time)
    {
        _store = store;
        _quarantine = quarantine;
        _time = time;
        _copying = new OffTurn<Copied>(time);
    }

    /// <summary>Does what there is to do, as far as it can be done at once.</summary>
    /// <param name="model">The model.</param>
    /// <param name="ct">Ends it; what is under way is done again later.</param>
    /// <returns>The model as it is then, and whether there may be more to do at once.</returns>
    public async Task<(StoredModel Model, bool More)> StepAsync(StoredModel model, CancellationToken ct)
    {
        var name = model.Record.Name;
        var now = _time.GetUtcNow();
        if (await _store.CustodyAsync(name, CustodyNeed.Destroy, now, MostAtOnce, ct) is { Count: > 0 } ended)
        {
            await _quarantine.DestroyAsync(model.Record, [.. ended.Select(static r => r.Id)], ct);
            var changed = ended.Select(static r => r with { QuarantinedAt = null }).ToArray();
            return (await _store.CommitAsync(model, new ModelChange { Requests = changed, Audit = [.. changed.Select(r => DeletionAudit.Destroyed(r, now))] }, ct), true);
        }

        if (await MayAcceptAsync(model, ct) && await _store.CustodyAsync(name, CustodyNeed.Accept, now, MostAtOnce, ct) is { Count: > 0 } copied)
        {
            return (await CommitAsync(model, [.. copied.Select(r => Accept(r, now))], [], ct), true);
        }

        if (now >= _sweepAt)
        {
            await SweepAsync(model, ct);
            _sweepAt = now + SweepInterval;
        }

        return now >= _notBefore || _copying.IsBusy ? await CopyAsync(model, now, ct) : (model, false);
    }

    private static DeletionRequest Accept(DeletionRequest request, DateTimeOffset now) => request with
    {
        State = request.LegalHold ? RequestState.OnHold : RequestState.Accepted,
        Reason = null,
        RetryAt = null,
        AcceptedAt = request.AcceptedAt ?? now,
    };

    // No attempt of a batch follows once it is published: nobody reads the data then.
    private async Task<bool> MayAcceptAsync(StoredModel model, CancellationToken ct) =>
        model.OpenBatch is not { } number || (await _store.BatchAsync(model.Record.Name, number, ct))?.Phase is not (BatchPhase.Preparing or BatchPhase.Running);

    private async Task<(StoredModel Model, bool More)> CopyAsync(StoredModel model, DateTimeOffset now, CancellationToken ct)
    {
        var name = model.Record.Name;
        var done = await _copying.TryAsync(name, token => CopyAsync(model.Record, now, token), ct);
        if (done is null || done.Outcomes.Count == 0)
        {
            return (model, false);
        }

        // Meanwhile a request may have been cancelled or held, and a version published that knows less.
        var outcomes = done.Outcomes.ToDictionary(static o => o.Id, StringComparer.Ordinal);
        var known = (await _store.TombstonesAsync(name, ct)).ToHashSet(StringComparer.Ordinal);
        var mayAccept = await MayAcceptAsync(model, ct);
        var (changed, late, needless) = (new List<DeletionRequest>(), new List<string>(), new List<RequestSamples>());
        foreach (var request in await _store.RequestsAsync(name, outcomes.Keys, ct))
        {
            var outcome = outcomes[request.Id];
            if (request.State is not (RequestState.Received or RequestState.Failed) || request.QuarantinedAt is not null)
            {
                late.AddRange(RequestTransitions.IsFinal(request.State) ? [request.Id] : (string[])[]);
            }
            else if (request.ForgottenBefore.Any(id => !known.Contains(id)))
            {
                // It was taken in by what was known a moment before a roll-back. They are copied with the others next time.
                changed.Add(request.KnownAgain(id => !known.Contains(id)) with { Reason = null });
            }
            else if (request.Samples!.Count == 0 || (!request.LegalHold && request.Samples.All(known.Contains)))
            {
                needless.AddRange(BatchDriver.Done([request]));
                changed.Add(BatchDriver.Needless(request, now));
            }
            else if (outcome.Failure is { } failure)
            {
                changed.Add(request with { State = RequestState.Received, Reason = failure, RetryAt = now + AfterFailure });
            }
            else if (outcome.Missing > 0)
            {
                changed.Add(request with
                {
                    State = RequestState.Failed,
                    Reason = $"{outcome.Missing} of its {request.Samples!.Count} samples are no longer in the data: put them back until the request is accepted",
                    RetryAt = now + (model.Record.Policy.RetryAfter < AfterLoss ? model.Record.Policy.RetryAfter : AfterLoss),
                });
            }
            else if (done.Tombstones == known.Count)
            {
                var kept = request with { State = RequestState.Received, Reason = null, RetryAt = null, QuarantinedAt = now };
                changed.Add(mayAccept ? Accept(kept, now) : kept);
            }
        }

        // Where none could be copied the others fare no better now; each is tried for itself, so that a few do not keep all waiting.
        var failed = done.Outcomes.All(static o => o.Failure is not null);
        _notBefore = failed ? now + BetweenFailures : default;
        if (late.Count > 0)
        {
            await _quarantine.DestroyAsync(model.Record, late, ct);
        }

        return (changed.Count > 0 ? await CommitAsync(model, changed, needless, ct) : model, !failed);
    }

    private async Task<Copied> CopyAsync(ModelRecord model, DateTimeOffset now, CancellationToken ct)
    {
        var requests = await _store.CustodyAsync(model.Name, CustodyNeed.Copy, now, MostAtOnce, ct);
        if (requests.Count == 0)
        {
            return new Copied([], 0);
        }

        var known = (await _store.TombstonesAsync(model.Name, ct)).ToHashSet(StringComparer.Ordinal);
        try
        {
            // What is held is evidence, also where another's run has forgotten it.
            var wanted = requests.Select(r => new RequestSamples(r.Id, [.. r.Samples!.Where(id => r.LegalHold || !known.Contains(id)).Distinct(StringComparer.Ordinal)])).ToArray();
            var contents = await _store.ContentsAsync(model.Name, ct);
            return new Copied([.. await _quarantine.CopyAsync(model, [.. wanted.Where(static r => r.Samples.Count > 0)], contents, ct), .. wanted.Where(static r => r.Samples.Count == 0).Select(static r => new CopyOutcome(r.Id, 0, null))], known.Count);
        }
        catch (InputException)
        {
            // Its message may quote an id, which nobody reads in the audit.
            return new Copied([.. requests.Select(static r => new CopyOutcome(r.Id, 0, "its samples cannot be copied, as the training data cannot be read (see: scissorhands data); tried again"))], known.Count);
        }
    }

    private Task<StoredModel> CommitAsync(StoredModel model, IReadOnlyList<DeletionRequest> changed, IReadOnlyList<RequestSamples> needless, CancellationToken ct)
    {
        var now = _time.GetUtcNow();

        // That something is copied, or still is not, is no news as long as its request is not accepted.
        var audit = changed.Where(static r => r.State != RequestState.Received).Select(r => DeletionAudit.Changed(r, now)).ToArray();
        return _store.CommitAsync(model, new ModelChange { Requests = changed, Done = needless, Audit = audit }, ct);
    }

    /// <summary>Deletes what a coordinator left that was lost, or wrote although the request had ended.</summary>
    private async Task SweepAsync(StoredModel model, CancellationToken ct)
    {
        var there = await _quarantine.ListAsync(model.Record, ct);
        if (there.Count == 0)
        {
            return;
        }

        var open = (await _store.RequestsAsync(model.Record.Name, [.. there], ct)).Where(static r => !RequestTransitions.IsFinal(r.State)).Select(static r => r.Id).ToHashSet(StringComparer.Ordinal);
        await _quarantine.DestroyAsync(model.Record, [.. there.Where(id => !open.Contains(id))], ct);
    }

    private sealed record Copied(IReadOnlyList<CopyOutcome> Outcomes, int Tombstones);
}
