using System.Diagnostics;
using System.Globalization;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Deletion.Audit;
using Scissorhands.Deletion.Batching;
using Scissorhands.Deletion.Gate;
using Scissorhands.Deletion.Models;
using Scissorhands.Deletion.Requests;
using Scissorhands.Grains.Store;
using Scissorhands.Grains.Telemetry;
using Scissorhands.Planning;

namespace Scissorhands.Grains.Deletion;

/// <summary>
/// Carries a model's requests from waiting to certified, one step at a call. What a step does outside the store it finds
/// done when it is repeated; what it decides is written with the model's version before the next step acts on it.
/// </summary>
internal sealed class BatchDriver
{
    private const int MaxLinks = 128;

    // The same again would come to the same: what has to change is the policy, the configuration, or the set of requests.
    private const string GateRemedy = "register the model (scissorhands models add) with a policy of other bounds or presets, or with another configuration, then try the requests again";

    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan FirstRunRetry = TimeSpan.FromMinutes(10);
    private readonly IDeletionStore _store;
    private readonly IVersionFolders _folders;
    private readonly ICertifier _certifier;
    private readonly PublicationEvents _events;
    private readonly IQuarantine _quarantine;
    private readonly Func<string, IRunGrain> _runs;
    private readonly TimeProvider _time;
    private readonly OffTurn<PreparedRun> _preparing;
    private readonly OffTurn<PublishedVersion> _publishing;

    public BatchDriver(IDeletionStore store, IVersionFolders folders, ICertifier certifier, PublicationEvents events, IQuarantine quarantine, Func<string, IRunGrain> runs, TimeProvider time)
    {
        _store = store;
        _folders = folders;
        _certifier = certifier;
        _events = events;
        _quarantine = quarantine;
        _runs = runs;
        _time = time;
        _preparing = new OffTurn<PreparedRun>(time);
        _publishing = new OffTurn<PublishedVersion>(time);
    }

    /// <summary>Does the next step, if there is one.</summary>
    /// <param name="model">The model.</param>
    /// <param name="ct">Ends the step; it is done again later.</param>
    /// <returns>The model as it is then, and whether a further step may follow at once.</returns>
    public async Task<(StoredModel Model, bool More)> StepAsync(StoredModel model, CancellationToken ct)
    {
        if (model.OpenBatch is not { } number)
        {
            return await FormAsync(model, ct);
        }

        var batch = await _store.BatchAsync(model.Record.Name, number, ct) ?? throw new InvalidOperationException($"model {model.Record.Name}: its open batch {number} is not stored");
        try
        {
            return await StepAsync(model, batch, ct);
        }
        catch (Exception e) when (e is InputException or RunFailedException { MayPass: false } && batch.Phase is BatchPhase.Preparing or BatchPhase.Running)
        {
            // A file that is gone or another one, a report that cannot be read: it would come again with every beat.
            return (await FailAsync(model, batch, $"the run could not be prepared or read: {e.Message}", mayPass: false, ct), true);
        }
    }

    private async Task<(StoredModel Model, bool More)> StepAsync(StoredModel model, DeletionBatch batch, CancellationToken ct)
    {
        return batch.Phase switch
        {
            BatchPhase.Preparing => await SubmitAsync(model, batch, ct),
            BatchPhase.Running => await FollowAsync(model, batch, ct),
            BatchPhase.Publishing or BatchPhase.Destroying or BatchPhase.Certifying => await ConcludeAsync(model, batch, ct),
            _ => (await _store.CommitAsync(model with { OpenBatch = null }, new ModelChange(), ct), true),
        };
    }

    /// <summary>
    /// Does the next step of a batch whose result is to be in use. What cannot be done now, as a folder cannot be written, is
    /// tried again after ever longer waits, and the batch and its requests say what is in the way.
    /// </summary>
    private async Task<(StoredModel Model, bool More)> ConcludeAsync(StoredModel model, DeletionBatch batch, CancellationToken ct)
    {
        var now = _time.GetUtcNow();
        if (batch.TryAt > now)
        {
            return (model, false);
        }

        try
        {
            var free = batch with { Hindrance = null, TryAt = null, Failures = 0 };
            return batch.Phase switch
            {
                BatchPhase.Publishing => await PublishAsync(model, free, ct) is { } published ? (published, true) : (model, false),
                BatchPhase.Destroying => (await DestroyAsync(model, free, ct), true),
                _ => (await CertifyAsync(model, free, ct), true),
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InputException or RunFailedException)
        {
            var failures = Math.Min(batch.Failures + 1, 30);
            var wait = FirstRetry * Math.Pow(2, failures - 1);
            var next = batch with { Failures = failures, Hindrance = $"{batch.Phase.ToString().ToLowerInvariant()}: {e.Message}", TryAt = now + (wait < LongestRetry ? wait : LongestRetry) };
            var told = (await RequestsAsync(batch, ct)).Select(r => r with { Reason = next.Hindrance, RetryAt = next.TryAt }).ToArray();
            return (await _store.CommitAsync(
                model,
                new ModelChange { Batch = next, Requests = told, Audit = batch.Hindrance == next.Hindrance ? [] : Audit(told, next, "hindered", new { reason = next.Hindrance }, now) },
                ct), false);
        }
    }

    /// <summary>The model with what the batch was formed with, for all that the batch does; never to be stored.</summary>
    private static StoredModel Bound(StoredModel model, DeletionBatch batch) => batch.Terms is not { } terms ? model : model with { Record = model.Record with { Policy = terms.Policy, Configuration = terms.Configuration } };

    /// <summary>A request whose samples were all forgotten while it waited.</summary>
    internal static DeletionRequest Needless(DeletionRequest request, DateTimeOffset now) => Move(request, RequestState.Rejected, now).WithoutNames() with
    {
        Reason = request.Samples is [] ? "nothing is left to forget: what it names was forgotten before, or is not in the data" : "nothing is left to forget: other runs have forgotten all of its samples since",
        RetryAt = null,
        EndedAt = now,
    };

    private async Task<(StoredModel Model, bool More)> FormAsync(StoredModel model, CancellationToken ct)
    {
        var now = _time.GetUtcNow();
        var decision = BatchPlanner.Decide(await _store.WaitingAsync(model.Record.Name, now, ct), model.Record.Policy, now);
        if (decision.Requests.Count == 0)
        {
            return (model, false);
        }

        // Only those of the batch are read with all that they name: the others may be many.
        var known = (await _store.TombstonesAsync(model.Record.Name, ct)).ToHashSet(StringComparer.Ordinal);
        var chosen = await _store.RequestsAsync(model.Record.Name, [.. decision.Requests.Select(static r => r.Id)], ct);

        // Accepted while a batch with the same samples was published: there is nothing left to forget.
        if (chosen.Where(r => r.Samples!.All(known.Contains)).ToArray() is { Length: > 0 } needless)
        {
            DeletionRequest[] ended = [.. needless.Select(r => Needless(r, now))];
            return (await _store.CommitAsync(model, new ModelChange { Requests = ended, Done = Done(needless), Audit = Audit(ended, now) }, ct), true);
        }

        var policy = model.Record.Policy;
        var number = model.LastBatch + 1;
        var batch = new DeletionBatch
        {
            Model = model.Record.Name,
            Number = number,
            Phase = BatchPhase.Preparing,
            Requests = [.. chosen.Select(static r => r.Id)],
            Samples = Samples(chosen, known).Count,
            From = model.CurrentVersion,
            Deadline = chosen.Min(static r => r.Deadline),
            CreatedAt = now,
            Attempts = [new BatchAttempt(0, policy.FirstPreset ?? policy.Presets[0].Name, null, null, null)],
            Terms = new BatchTerms(policy, model.Record.Configuration),
            Trace = chosen.Where(static r => r.Trace is not null).MinBy(static r => r.StoredAt)?.Trace,
        };
        using var span = Begin("form", batch, [.. chosen.Select(static r => r.Trace).OfType<string>().Distinct(StringComparer.Ordinal)]);
        var scheduled = chosen.Select(r => Move(r, RequestState.Scheduled, now) with { Batch = number, RetryAt = null, Reason = null }).ToArray();
        var change = new ModelChange
        {
            Requests = scheduled,
            Batch = batch,
            Audit = [.. Audit(scheduled, now), .. Audit(scheduled, batch, "formed", new { batch.Requests, batch.Samples, batch.From, decision.Reason }, now)],
        };
        return (await _store.CommitAsync(model with { LastBatch = number, OpenBatch = number }, change, ct), true);
    }

    private async Task<(StoredModel Model, bool More)> SubmitAsync(StoredModel model, DeletionBatch batch, CancellationToken ct)
    {
        using var span = Begin("submit", batch);
        var now = _time.GetUtcNow();
        var requests = await RequestsAsync(batch, ct);
        var tombstones = await _store.TombstonesAsync(model.Record.Name, ct);
        var known = tombstones.ToHashSet(StringComparer.Ordinal);

        // The oldest copy first: a row may have been overwritten since. Requests that began before there were copies have none.
        var copied = requests.Where(static r => r.QuarantinedAt is not null).OrderBy(static r => r.QuarantinedAt).ThenBy(static r => r.Id, StringComparer.Ordinal)
            .Select(r => new RequestSamples(r.Id, Samples([r], known))).ToArray();
        var contents = await _store.ContentsAsync(model.Record.Name, ct);
        var earlier = tombstones.Where(contents.ContainsKey).ToDictionary(static id => id, id => contents[id], StringComparer.Ordinal);
        var forget = Samples(requests, known);
        var from = (await _store.VersionsAsync(model.Record.Name, ct)).Single(v => v.Number == batch.From);
        var attempt = batch.Attempts[^1];

        // Copies and model are read whole.
        async Task<PreparedRun> PrepareAsync(CancellationToken token)
        {
            var gathered = copied.Length + earlier.Count == 0 ? new GatheredCopies([], []) : await _quarantine.GatherAsync(model.Record, batch, copied, earlier, token);
            if (gathered.Damaged.Count > 0)
            {
                return new PreparedRun(gathered.Damaged, null);
            }

            var withheld = await WithheldAsync(model, tombstones.Except(gathered.Earlier, StringComparer.Ordinal), forget, known, token);
            return new PreparedRun([], await _folders.PrepareAsync(Bound(model, batch), batch, attempt, from, new RunSamples(forget, gathered.Earlier, withheld, copied.Length > 0), token));
        }

        PreparedRun? prepared;
        try
        {
            prepared = await _preparing.TryAsync(Work(batch), PrepareAsync, ct);
        }
        catch (RunFailedException e) when (e.MayPass)
        {
            return (await FailAsync(model, batch, e.Message, mayPass: true, ct), true);
        }

        if (prepared is null)
        {
            return (model, false);
        }

        if (prepared.Order is not { } order)
        {
            return (await CopyAgainAsync(model, batch, requests, prepared.Damaged, ct), true);
        }

        var outcome = await _runs(order.Id()).SubmitAsync(order);
        if (!outcome.Accepted)
        {
            return (await FailAsync(model, batch, outcome.Reason ?? "its run was refused", mayPass: true, ct), true);
        }

        var running = requests.Where(static r => r.State != RequestState.Running).Select(r => Move(r, RequestState.Running, now)).ToArray();
        var next = batch with { Phase = BatchPhase.Running, Attempts = [.. batch.Attempts.SkipLast(1), attempt with { RunId = order.Id() }] };
        var change = new ModelChange { Batch = next, Requests = running, Audit = [.. Audit(running, now), .. Audit(requests, next, "submitted", new { run = order.Id(), attempt = attempt.Number, attempt.Preset }, now)] };
        return (await _store.CommitAsync(model, change, ct), true);
    }

    /// <summary>What a run must not depend on: rows of accepted requests, and of those forgotten before, may be erased at any moment.</summary>
    private async Task<IReadOnlyList<string>> WithheldAsync(StoredModel model, IEnumerable<string> forgotten, IReadOnlyList<string> forget, HashSet<string> known, CancellationToken ct)
    {
        var ours = forget.ToHashSet(StringComparer.Ordinal);
        var others = (await _store.RequestsAsync(model.Record.Name, [RequestState.Received, RequestState.Accepted, RequestState.OnHold, RequestState.Failed], ct))
            .Where(static r => r.AcceptedAt is not null);
        return [.. forgotten.Concat(Samples(others, known).Where(id => !ours.Contains(id))).Order(StringComparer.Ordinal)];
    }

    private static string Work(DeletionBatch batch) => string.Create(CultureInfo.InvariantCulture, $"{batch.Number}.{batch.Attempts[^1].Number}");

    /// <summary>Ends a batch whose copies are not whole: its other requests are formed anew, those are copied again where they still can be.</summary>
    private async Task<StoredModel> CopyAgainAsync(StoredModel model, DeletionBatch batch, IReadOnlyList<DeletionRequest> requests, IReadOnlyList<string> damaged, CancellationToken ct)
    {
        var now = _time.GetUtcNow();
        var reason = $"the copies of {damaged.Count} of {requests.Count} requests in quarantine are missing or damaged";
        var changed = requests.Select(r => damaged.Contains(r.Id)
            ? Move(r, RequestState.Received, now) with { Batch = null, QuarantinedAt = null, Reason = "the copies of its samples are missing or damaged, and are made again" }
            : Move(r, RequestState.Failed, now) with { Reason = reason, RetryAt = now }).ToArray();
        var next = batch with { Phase = BatchPhase.Failed, Reason = reason, EndedAt = now };
        return await _store.CommitAsync(
            model with { OpenBatch = null },
            new ModelChange
            {
                Batch = next,
                Requests = changed,
                Audit = [.. Audit(changed, now), .. Audit(requests, next, "failed", new { reason, attempts = next.Attempts.Count }, now)],
                Messages = _events.Failed(next, now, now),
            },
            ct);
    }

    private async Task<(StoredModel Model, bool More)> FollowAsync(StoredModel model, DeletionBatch batch, CancellationToken ct)
    {
        var attempt = batch.Attempts[^1];
        var view = await _runs(attempt.RunId!).ViewAsync();
        switch (view?.Status)
        {
            case "completed":
                return (await JudgeAsync(model, batch, ct), true);
            case "failed" or "cancelled":
                // A run's own reason may quote a sample; audit and certificate must not.
                var reason = view.Status == "failed" ? $"run {attempt.RunId} failed: {Cause(view)}" : $"run {attempt.RunId} was cancelled";
                var failed = batch with { Attempts = [.. batch.Attempts.SkipLast(1), attempt with { Failure = reason }] };
                // Who cancels a run wants it out of the way for longer than a moment.
                return (await FailAsync(model, failed, reason, mayPass: !view.BadInput, ct, isWanted: view.Status == "cancelled"), true);
            case null:
                // Written as submitted, yet not known: the store was restored from before.
                return (await _store.CommitAsync(model, new ModelChange { Batch = batch with { Phase = BatchPhase.Preparing } }, ct), true);
            default:
                return (model, false);
        }
    }

    private static string Cause(RunView view) => (view.BadInput, view.BadKey) switch
    {
        (true, { } key) => $"configuration key '{key}' does not fit the model (scissorhands status {view.RunId} says how); register the model with another value (scissorhands models add), then try the requests again",
        (true, null) => $"what it was given is at fault (scissorhands status {view.RunId} names it); put that right, then try the requests again",
        _ => $"scissorhands status {view.RunId} says why",
    };

    private async Task<StoredModel> JudgeAsync(StoredModel model, DeletionBatch batch, CancellationToken ct)
    {
        using var span = Begin("judge", batch);
        var now = _time.GetUtcNow();
        var policy = Bound(model, batch).Record.Policy;
        var requests = await RequestsAsync(batch, ct);
        var attempt = batch.Attempts[^1];
        var figures = await _folders.FiguresAsync(model, batch, attempt, ct);
        var verdict = GateJudge.Judge(figures, policy.Gate);
        var final = verdict.Decision == GateDecision.Publish ? GateJudge.JudgeFinal(figures, policy.Gate) : null;
        if (verdict.Decision == GateDecision.Publish && final is null)
        {
            verdict = verdict with { Notes = [.. verdict.Notes, $"no last word by test data that the choice had not seen: there are fewer than {policy.Gate.MinForgetSamples} of them"] };
        }

        var earlier = (Judged: figures.Earlier?.Count ?? 0, All: model.Forgotten);
        if (earlier.Judged < earlier.All)
        {
            verdict = verdict with { Notes = [.. verdict.Notes, $"{earlier.Judged} of the {earlier.All} samples that earlier runs forgot are judged again: the others are gone, are changed, or their bytes are not known"] };
        }

        var judged = batch with { Attempts = [.. batch.Attempts.SkipLast(1), attempt with { Verdict = verdict, Final = final }] };
        var verifying = requests.Where(static r => r.State == RequestState.Running).Select(r => Move(r, RequestState.Verifying, now)).ToArray();
        var audit = Audit(requests, judged, "judged", new { attempt = attempt.Number, attempt.Preset, verdict, final }, now);
        if (final is { Decision: not GateDecision.Publish })
        {
            // No other attempt: it would be chosen by what is to have the last word.
            ServiceMeters.Judged(final.Decision, last: true);
            return await FailAsync(
                model,
                judged,
                $"no version was published: attempt {attempt.Number + 1} was chosen, but did not hold on test data that the choice had not seen: {final.Describe()}; {GateRemedy}",
                mayPass: false,
                ct,
                [.. Audit(verifying, now), .. audit]);
        }

        ServiceMeters.Judged(verdict.Decision, last: Next(policy, judged, verdict.Decision) is null);
        if (verdict.Decision == GateDecision.Publish)
        {
            return await _store.CommitAsync(model, new ModelChange { Batch = judged with { Phase = BatchPhase.Publishing }, Requests = verifying, Audit = [.. Audit(verifying, now), .. audit] }, ct);
        }

        if (Next(policy, judged, verdict.Decision) is not { } preset)
        {
            return await FailAsync(model, judged, $"no version was published: {verdict.Describe()}; {GateRemedy}", mayPass: false, ct, [.. Audit(verifying, now), .. audit]);
        }

        var again = judged with { Phase = BatchPhase.Preparing, Attempts = [.. judged.Attempts, new BatchAttempt(attempt.Number + 1, preset, null, null, null)] };
        return await _store.CommitAsync(model, new ModelChange { Batch = again, Audit = audit }, ct);
    }

    private async Task<StoredModel?> PublishAsync(StoredModel model, DeletionBatch batch, CancellationToken ct)
    {
        using var span = Begin("publish", batch);
        var now = _time.GetUtcNow();
        var name = model.Record.Name;
        var requests = await RequestsAsync(batch, ct);
        var versions = await _store.VersionsAsync(name, ct);
        if (versions.FirstOrDefault(v => v.Batch == batch.Number) is { } done)
        {
            await _folders.PointAsync(model.Record, done.Number, ct);
            return await _store.CommitAsync(model, new ModelChange { Batch = batch with { Phase = BatchPhase.Destroying } }, ct);
        }

        var number = versions.Max(static v => v.Number) + 1;
        var attempt = batch.Attempts[^1];
        if (await _publishing.TryAsync(Work(batch), token => _folders.PublishAsync(model, batch, attempt, number, token), ct) is not { } published)
        {
            return null;
        }

        var former = versions.Single(static v => v.State == VersionState.Current);
        var version = new ModelVersion
        {
            Model = name,
            Number = number,
            Parent = batch.From,
            File = published.File,
            Sha256 = published.Sha256,
            RunId = attempt.RunId,
            Batch = batch.Number,
            PublishedAt = now,
            State = VersionState.Current,
        };
        var known = (await _store.TombstonesAsync(name, ct)).ToHashSet(StringComparer.Ordinal);
        var forgotten = Samples(requests, known);
        var contents = await _quarantine.ContentsAsync(model.Record, batch, ct);
        var files = batch with { Files = published.Files };
        version = version with { Drift = await _folders.DriftAsync(model.Record, versions, number, model.Forgotten + forgotten.Count, ct) };
        version = version with { Retrain = version.Drift is { } drift ? Bound(model, batch).Record.Policy.Retrain.Exceeded(drift) : null };
        var recommended = version.Retrain is not null && former.Retrain is null;

        // The store is the truth; the pointer follows, here or in the next step.
        return await _store.CommitAsync(
            model with { CurrentVersion = number },
            new ModelChange
            {
                Batch = files,
                Versions = [former with { State = VersionState.Superseded }, version],
                Tombstones = forgotten,
                Contents = forgotten.Where(contents.ContainsKey).ToDictionary(static id => id, id => contents[id], StringComparer.Ordinal),
                Done = Done(requests),
                Audit =
                [
                    .. Audit(requests, files, "published", new { version = number, version.Sha256, files.Files, version.Drift, version.Retrain }, now),
                    .. recommended ? [DeletionAudit.RetrainRecommended(model.Record.Tenant, version, now)] : (AuditDraft[])[],
                ],
                Messages = recommended ? _events.RetrainRecommended(batch, version, now) : [],
            },
            ct);
    }

    private async Task<StoredModel> DestroyAsync(StoredModel model, DeletionBatch batch, CancellationToken ct)
    {
        using var span = Begin("destroy", batch);
        var now = _time.GetUtcNow();
        var requests = await RequestsAsync(batch, ct);
        var versions = await _store.VersionsAsync(model.Record.Name, ct);
        ModelVersion[] superseded =
        [
            .. versions.Where(static v => v.State == VersionState.Superseded).SkipLast(Bound(model, batch).Record.Policy.KeepVersions),
            .. versions.Where(static v => v.State == VersionState.RolledBack),
        ];
        var copies = await DestroyCopiesAsync(model, batch, requests, ct);
        var destroyed = await _folders.DestroyAsync(model, batch, superseded, ct);
        var next = batch with { Phase = BatchPhase.Certifying, Destroyed = [.. destroyed, .. copies.Destroyed], Kept = copies.Kept };
        var needless = copies.Needless.Select(r => Needless(r, now)).ToArray();
        var done = Done(copies.Needless);
        return await _store.CommitAsync(
            model,
            new ModelChange
            {
                Batch = next,
                Requests = [.. requests.Select(static r => r with { QuarantinedAt = null, Reason = null, RetryAt = null }), .. needless],
                Done = done,
                Versions = [.. superseded.Select(static v => v with { State = VersionState.Destroyed })],
                Audit = [.. Audit(requests, next, "destroyed", new { destroyed = next.Destroyed, kept = next.Kept }, now), .. Audit(needless, now)],
            },
            ct);
    }

    /// <summary>Destroys the copies of a batch's samples: those of its requests, and those that other requests have of the same ones.</summary>
    private async Task<(IReadOnlyList<string> Destroyed, IReadOnlyList<string> Kept, IReadOnlyList<DeletionRequest> Needless)> DestroyCopiesAsync(StoredModel model, DeletionBatch batch, IReadOnlyList<DeletionRequest> requests, CancellationToken ct)
    {
        var own = requests.Select(static r => r.Id).ToHashSet(StringComparer.Ordinal);
        var known = (await _store.TombstonesAsync(model.Record.Name, ct)).ToHashSet(StringComparer.Ordinal);
        var (trimmed, held) = (0, 0);
        var needless = new List<DeletionRequest>();
        foreach (var other in await _store.CustodyAsync(model.Record.Name, CustodyNeed.Hold, _time.GetUtcNow(), int.MaxValue, ct))
        {
            if (own.Contains(other.Id) || !other.Samples!.Any(known.Contains))
            {
                continue;
            }

            // What is held is evidence: it goes when the hold is lifted.
            if (other.State == RequestState.OnHold || other.LegalHold)
            {
                held++;
                continue;
            }

            var left = Samples([other], known);
            await _quarantine.TrimAsync(model.Record, new RequestSamples(other.Id, left), ct);
            trimmed++;
            needless.AddRange(left.Count == 0 ? [other] : (DeletionRequest[])[]);
        }

        var copied = requests.Count(static r => r.QuarantinedAt is not null);
        await _quarantine.DestroyAsync(model.Record, [.. own], ct);
        string[] destroyed =
        [
            .. copied > 0 ? [$"quarantine: the copies of the samples of {copied} requests"] : (string[])[],
            .. trimmed > 0 ? [$"quarantine: the same samples in the copies of {trimmed} requests that wait"] : (string[])[],
        ];
        return (destroyed, held > 0 ? [$"quarantine: copies of these samples that belong to {held} requests under legal hold"] : [], needless);
    }

    private async Task<StoredModel> CertifyAsync(StoredModel model, DeletionBatch batch, CancellationToken ct)
    {
        using var span = Begin("certify", batch);
        var requests = await RequestsAsync(batch, ct);
        var versions = await _store.VersionsAsync(model.Record.Name, ct);
        var version = versions.Single(v => v.Batch == batch.Number);
        var forgotten = await _store.TombstonesAsync(model.Record.Name, batch.Number, ct);
        var certificate = await CountedAsync(() => _certifier.CertifyAsync(Bound(model, batch), batch, version, versions.Single(v => v.Number == batch.From), requests, forgotten, ct));
        var now = _time.GetUtcNow();
        var completed = requests.Select(r => Move(r, RequestState.Completed, now).WithoutNames() with { EndedAt = now, Reason = null, RetryAt = null }).ToArray();
        var next = batch with { Phase = BatchPhase.Completed, EndedAt = now };
        model = await _store.CommitAsync(
            model with { OpenBatch = null },
            new ModelChange
            {
                Batch = next,
                Requests = completed,
                Versions = [version with { Certificate = certificate }],
                Audit = [.. Audit(requests, next, "certified", new { certificate, version = version.Number }, now), .. Audit(completed, now)],
                Messages = _events.Published(next, version, certificate, now),
            },
            ct);
        ServiceMeters.BatchEnded(completed: true);
        foreach (var request in completed)
        {
            ServiceMeters.Completed((now - request.StoredAt).TotalSeconds);
        }

        return model;
    }

    /// <summary>Begins a span of the batch's trace, with links to those of its requests.</summary>
    private static Activity? Begin(string what, DeletionBatch batch, IReadOnlyList<string>? requests = null)
    {
        if (!ServiceMeters.Spans.HasListeners())
        {
            return null;
        }

        var links = (requests ?? []).Take(MaxLinks).Where(static r => ActivityContext.TryParse(r, null, out _)).Select(static r => new ActivityLink(ActivityContext.Parse(r, null)));
        ActivityContext.TryParse(batch.Trace, null, out var parent);
        return ServiceMeters.Spans.StartActivity($"batch {what}", ActivityKind.Internal, parent, links: links)?.SetTag("model", batch.Model).SetTag("batch", batch.Number);
    }

    private static async Task<string> CountedAsync(Func<Task<string>> certify)
    {
        try
        {
            var certificate = await certify();
            ServiceMeters.Certified(signed: true);
            return certificate;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            ServiceMeters.Certified(signed: false);
            throw;
        }
    }

    // What passes, such as a full disk, is mostly put right soon; what fails again and again is tried ever more rarely.
    private async Task<TimeSpan> RetryAfterAsync(StoredModel model, DeletionBatch batch, CancellationToken ct)
    {
        var longest = model.Record.Policy.RetryAfter;
        var wait = FirstRunRetry;
        for (var number = batch.Number - 1; number > 0 && wait < longest && await _store.BatchAsync(batch.Model, number, ct) is { Phase: BatchPhase.Failed, MayPass: true }; number--)
        {
            wait *= 2;
        }

        return wait < longest ? wait : longest;
    }

    private async Task<StoredModel> FailAsync(StoredModel model, DeletionBatch batch, string reason, bool mayPass, CancellationToken ct, IReadOnlyList<AuditDraft>? before = null, bool isWanted = false)
    {
        var now = _time.GetUtcNow();
        var requests = await RequestsAsync(batch, ct);
        DateTimeOffset? retry = mayPass ? now + (isWanted ? model.Record.Policy.RetryAfter : await RetryAfterAsync(model, batch, ct)) : null;
        var failed = requests.Select(r => Move(r, RequestState.Failed, now) with { Reason = reason, RetryAt = retry }).ToArray();
        var next = batch with { Phase = BatchPhase.Failed, MayPass = mayPass && !isWanted, Reason = reason, EndedAt = now };
        model = await _store.CommitAsync(
            model with { OpenBatch = null },
            new ModelChange
            {
                Batch = next,
                Requests = failed,
                Audit = [.. before ?? [], .. Audit(failed, now), .. Audit(requests, next, "failed", new { reason, attempts = next.Attempts.Count }, now)],
                Messages = _events.Failed(next, retry, now),
            },
            ct);

        ServiceMeters.BatchEnded(completed: false);

        // Afterwards: what is left by a crash in between the next sweep deletes.
        await _folders.SweepAsync(model, ct);
        return model;
    }

    // Stronger presets follow in the list, milder ones precede; none is tried twice.
    private static string? Next(DeletionPolicy policy, DeletionBatch batch, GateDecision decision)
    {
        if (batch.Attempts.Count >= policy.MaxAttempts)
        {
            return null;
        }

        var names = policy.Presets.Select(static p => p.Name).ToList();
        var at = names.IndexOf(batch.Attempts[^1].Preset) + (decision == GateDecision.Stronger ? 1 : -1);
        return at >= 0 && at < names.Count && batch.Attempts.All(a => a.Preset != names[at]) ? names[at] : null;
    }

    /// <summary>What requests named: what they are opened again with, should it be known again.</summary>
    internal static IReadOnlyList<RequestSamples> Done(IEnumerable<DeletionRequest> requests) => [.. requests.Where(static r => r.Samples is not null).Select(static r => new RequestSamples(r.Id, [.. r.Samples!, .. r.ForgottenBefore]))];

    private static DeletionRequest Move(DeletionRequest request, RequestState state, DateTimeOffset now) => RequestTransitions.Allows(request.State, state)
        ? request with { State = state }
        : throw new InvalidOperationException($"request {request.Id} cannot go from {request.State} to {state} ({now:u})");

    private static List<string> Samples(IEnumerable<DeletionRequest> requests, HashSet<string> forgotten)
    {
        var samples = requests.SelectMany(static r => r.Samples ?? []).Where(id => !forgotten.Contains(id)).Distinct(StringComparer.Ordinal).ToList();
        samples.Sort(StringComparer.Ordinal);
        return samples;
    }

    private static IReadOnlyList<AuditDraft> Audit(IEnumerable<DeletionRequest> changed, DateTimeOffset now) => [.. changed.Select(r => DeletionAudit.Changed(r, now))];

    // Each tenant's chain tells what happened to its requests.
    private static IReadOnlyList<AuditDraft> Audit(IEnumerable<DeletionRequest> requests, DeletionBatch batch, string what, object details, DateTimeOffset now) =>
        [.. requests.Select(static r => r.Tenant).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).Select(tenant => DeletionAudit.Batch(tenant, batch, what, details, now))];

    private async Task<IReadOnlyList<DeletionRequest>> RequestsAsync(DeletionBatch batch, CancellationToken ct)
    {
        var all = await _store.RequestsAsync(batch.Model, [RequestState.Scheduled, RequestState.Running, RequestState.Verifying], ct);
        return [.. all.Where(r => r.Batch == batch.Number)];
    }

    /// <param name="Damaged">Requests whose copies are missing or damaged.</param>
    /// <param name="Order">The run; null where there are any.</param>
    private sealed record PreparedRun(IReadOnlyList<string> Damaged, RunOrder? Order);
}
