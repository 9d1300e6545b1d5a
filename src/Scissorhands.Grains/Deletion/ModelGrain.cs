using Microsoft.Extensions.Logging;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Abstractions.Deletion;
using Scissorhands.Deletion.Models;
using Scissorhands.Deletion.Requests;
using Scissorhands.Grains.Cluster;
using Scissorhands.Grains.Store;

namespace Scissorhands.Grains.Deletion;

/// <summary>Hosts a model's <see cref="BatchDriver"/>: steps as long as there is something to do, and again with every beat.</summary>
public sealed partial class ModelGrain : Grain, IModelGrain
{
    private readonly IDeletionStore _store;
    private readonly IVersionFolders _folders;
    private readonly TimeProvider _time;
    private readonly LivenessOptions _options;
    private readonly ILogger<ModelGrain> _logger;
    private readonly RequestCustody _custody;
    private readonly BatchDriver _driver;
    private readonly ICertifier _certifier;
    private readonly PublicationEvents _events;
    private bool _tidied;

    /// <summary>Creates the grain.</summary>
    /// <param name="store">The store of truth.</param>
    /// <param name="folders">The model's files.</param>
    /// <param name="certifier">Certifies what was forgotten.</param>
    /// <param name="events">Tells others of batches that have ended.</param>
    /// <param name="quarantine">Copies of requests' samples.</param>
    /// <param name="time">The clock.</param>
    /// <param name="options">How patient the coordinator is.</param>
    /// <param name="logger">The log.</param>
    public ModelGrain(IDeletionStore store, IVersionFolders folders, ICertifier certifier, PublicationEvents events, IQuarantine quarantine, TimeProvider time, LivenessOptions options, ILogger<ModelGrain> logger)
    {
        _store = store;
        _folders = folders;
        _time = time;
        _options = options;
        _logger = logger;
        _certifier = certifier;
        _events = events;
        _custody = new RequestCustody(store, quarantine, time);
        _driver = new BatchDriver(store, folders, certifier, events, quarantine, run => GrainFactory.GetGrain<IRunGrain>(run), time);
    }

    private string Name => this.GetPrimaryKeyString();

    /// <inheritdoc/>
    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        this.RegisterGrainTimer(StepAsync, new GrainTimerCreationOptions(TimeSpan.Zero, _options.BeatInterval) { Interleave = false });
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task WakeAsync() => Task.CompletedTask;

    /// <inheritdoc/>
    public async Task<string?> ActAsync(string requestId, RequestAction action, string principal)
    {
        if (await _store.ModelAsync(Name, CancellationToken.None) is not { } model || await _store.RequestAsync(requestId, CancellationToken.None) is not { } request)
        {
            return $"request {requestId}: not known here";
        }

        if (action == RequestAction.Cancel ? request.State == RequestState.Cancelled : action == RequestAction.Hold && (request.State == RequestState.OnHold || request is { State: RequestState.Received, LegalHold: true }))
        {
            // Asked again, as the first answer was lost.
            return null;
        }

        // Without copies of its samples it is neither held nor accepted: whoever sees that may erase their rows.
        var target = action switch
        {
            RequestAction.Cancel => RequestState.Cancelled,
            _ when request.QuarantinedAt is null || request.State == RequestState.Received => RequestState.Received,
            RequestAction.Hold => RequestState.OnHold,
            _ => RequestState.Accepted,
        };
        var isHeld = request.State == RequestState.OnHold || request is { State: RequestState.Received, LegalHold: true };
        if ((action == RequestAction.Release && !isHeld)
            || (action == RequestAction.Retry && request.State != RequestState.Failed)
            || request.State is RequestState.Completed or RequestState.Scheduled
            || !RequestTransitions.Allows(request.State, target))
        {
            return $"request {requestId} is {request.State.ToString().ToLowerInvariant()}: it cannot be {Past(action)} now";
        }

        var now = _time.GetUtcNow();
        var changed = (target == RequestState.Cancelled ? request.WithoutNames() : request) with
        {
            State = target,
            Reason = (action, target) switch
            {
                (RequestAction.Hold, RequestState.Received) => $"to be held, by {principal}, once its samples are copied",
                (RequestAction.Hold or RequestAction.Cancel, _) => $"by {principal}",
                _ => null,
            },
            LegalHold = action switch
            {
                RequestAction.Hold => true,
                RequestAction.Release => false,
                _ => request.LegalHold,
            },
            RetryAt = null,
            Batch = null,
            EndedAt = target == RequestState.Cancelled ? now : null,
        };
        await _store.CommitAsync(model, new ModelChange { Requests = [changed], Audit = [DeletionAudit.Changed(changed, now, principal)] }, CancellationToken.None);
        return null;
    }

    /// <inheritdoc/>
    public async Task<string?> RollBackAsync(int version, bool reopen, string principal)
    {
        if (await _store.ModelAsync(Name, CancellationToken.None) is not { } model)
        {
            return $"model {Name}: not known here";
        }

        if (model.OpenBatch is { } open)
        {
            return $"model {Name}: batch {open} is at work on it; roll back when it has ended";
        }

        var versions = await _store.VersionsAsync(Name, CancellationToken.None);
        if (version == model.CurrentVersion)
        {
            await _folders.PointAsync(model.Record, version, CancellationToken.None);
            return null;
        }

        if (versions.FirstOrDefault(v => v.Number == version) is not { } target || version >= model.CurrentVersion)
        {
            return $"model {Name}: there is no version {version} before version {model.CurrentVersion}, which is in use";
        }

        if (target.State == VersionState.RolledBack)
        {
            return $"model {Name}: version {version} was taken back before, and its certificate is revoked; choose one that was not";
        }

        if (target.State == VersionState.Destroyed)
        {
            return $"model {Name}: the weights of version {version} were destroyed, as they knew what was to be forgotten (a policy with keepVersions keeps some for this)";
        }

        var back = versions.Where(v => v.Number > version && v.State is VersionState.Current or VersionState.Superseded).ToArray();
        var batches = back.Select(static v => v.Batch!.Value).ToArray();
        var named = (await _store.DoneByAsync(Name, batches, CancellationToken.None)).ToDictionary(static d => d.Id, static d => d.Samples, StringComparer.Ordinal);

        // Rejected ones are among those that were written down as done where another's batch has forgotten all of their samples.
        var known = (await _store.RequestsAsync(Name, [RequestState.Completed, RequestState.Rejected], CancellationToken.None))
            .Where(r => named.ContainsKey(r.Id) || (r is { State: RequestState.Completed, Batch: { } batch } && batches.Contains(batch))).ToArray();
        if (known.Length > 0 && !reopen)
        {
            return $"model {Name}: version {version} still knows the samples of {known.Length} requests that are done; roll back with reopen, which opens them again with their deadlines and revokes their certificates";
        }

        var now = _time.GetUtcNow();
        var reopened = new List<DeletionRequest>();
        foreach (var request in known)
        {
            // One from before that was written down is opened again with all that its batch has forgotten.
            var samples = named.TryGetValue(request.Id, out var own) ? own : await _store.TombstonesAsync(Name, request.Batch!.Value, CancellationToken.None);
            reopened.Add(request with
            {
                State = RequestState.Received,
                Reason = $"version {version}, which still knows its samples, is in use again{(request.State == RequestState.Completed ? $"; the certificate of batch {request.Batch} is revoked" : "")}",
                Batch = null,
                EndedAt = null,
                QuarantinedAt = null,
                Samples = samples,
            });
        }

        var revoked = new List<ModelVersion>();
        foreach (var taken in back)
        {
            revoked.Add(taken with { State = VersionState.RolledBack, RevokedAt = now, Certificate = taken.Certificate ?? await _certifier.DigestAsync(model, taken.Number, CancellationToken.None) });
        }

        // Those that wait had these samples taken out of their copies, or when they were taken in, and are to have them again.
        var again = new HashSet<string>(StringComparer.Ordinal);
        foreach (var batch in batches)
        {
            again.UnionWith(await _store.TombstonesAsync(Name, batch, CancellationToken.None));
        }

        var waiting = (await _store.RequestsAsync(Name, [RequestState.Received, RequestState.Accepted, RequestState.OnHold, RequestState.Failed], CancellationToken.None))
            .Where(r => r.Samples!.Concat(r.ForgottenBefore).Any(again.Contains))
            .Select(r => r.KnownAgain(again.Contains) with
            {
                State = RequestState.Received,
                LegalHold = r.LegalHold || r.State == RequestState.OnHold,
                QuarantinedAt = null,
                RetryAt = null,
            });
        await _store.CommitAsync(
            model with { CurrentVersion = version },
            new ModelChange
            {
                Requests = [.. reopened, .. waiting],
                Versions = [.. revoked, target with { State = VersionState.Current }],
                ReopenedBatches = batches,
                Reopened = [.. reopened.Select(static r => r.Id)],
                Audit = [DeletionAudit.RolledBack(model.Record.Tenant, Name, model.CurrentVersion, version, [.. reopened.Select(static r => r.Id)], [.. revoked.Select(static v => v.Certificate).OfType<string>()], principal, now)],
                Messages = _events.RolledBack(model, target, revoked, [.. reopened.Select(static r => r.Id)], now),
            },
            CancellationToken.None);
        await _folders.PointAsync(model.Record, version, CancellationToken.None);
        return null;
    }

    /// <inheritdoc/>
    public async Task<string?> RetireAsync(string principal)
    {
        if (await _store.ModelAsync(Name, CancellationToken.None) is not { } model)
        {
            return $"model {Name}: not known here";
        }

        if (model.Record.RetiredAt is not null)
        {
            return null;
        }

        // One that comes at this moment is carried out all the same.
        var open = (await _store.RequestsAsync(Name, [.. Enum.GetValues<RequestState>().Where(static s => !RequestTransitions.IsFinal(s))], CancellationToken.None)).Count;
        if (open > 0)
        {
            return $"model {Name}: {open} of its requests are open; retire it when they have ended, or cancel them (scissorhands requests --model {Name})";
        }

        var now = _time.GetUtcNow();
        var record = model.Record with { RetiredAt = now };
        await _store.CommitAsync(model with { Record = record }, new ModelChange { Audit = [DeletionAudit.Retired(record, principal, now)] }, CancellationToken.None);
        return null;
    }

    private static string Past(RequestAction action) => action switch
    {
        RequestAction.Cancel => "cancelled",
        RequestAction.Hold => "held",
        RequestAction.Release => "released",
        _ => "tried again",
    };

    private async Task StepAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (await _store.ModelAsync(Name, cancellationToken) is not { } model)
            {
                return;
            }

            if (!_tidied)
            {
                // Where the last host was lost in between: the store says what is in use, and what is left over.
                await _folders.PointAsync(model.Record, model.CurrentVersion, cancellationToken);
                await _folders.SweepAsync(model, cancellationToken);
                _tidied = true;
            }

            for (var more = true; more && !cancellationToken.IsCancellationRequested;)
            {
                var kept = false;
                try
                {
                    (model, kept) = await _custody.StepAsync(model, cancellationToken);
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    // A copy that cannot be deleted now must keep no batch from going on; what was to be done is found again.
                    LogCustody(e, Name);
                }

                (model, more) = await _driver.StepAsync(model, cancellationToken);
                more |= kept;
            }
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // Done again with the next beat: each step finds what is done already.
            LogStep(e, Name);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Model {Model}: copies in its quarantine could not be read or deleted, it is tried again")]
    private partial void LogCustody(Exception exception, string model);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Model {Model}: a step of its deletion batch failed, it is tried again")]
    private partial void LogStep(Exception exception, string model);
}
