using System.Diagnostics;
using System.Globalization;
using Scissorhands.Coordinator.Access;
using Scissorhands.Data.Requests;
using Scissorhands.Deletion.Batching;
using Scissorhands.Deletion.Requests;
using Scissorhands.Grains.Deletion;
using Scissorhands.Grains.Store;
using Scissorhands.Grains.Telemetry;
using Scissorhands.Planning;

namespace Scissorhands.Coordinator.Intake;

/// <summary>The answer to a request: the same to the same request, whichever door it came through.</summary>
/// <param name="Request">The request as stored.</param>
/// <param name="Expected">When it should be done (UTC).</param>
/// <param name="Conflict">Whether the caller's id stands for another request already.</param>
internal sealed record IntakeAnswer(DeletionRequest Request, DateTimeOffset Expected, bool Conflict);

/// <summary>Takes deletion requests in, behind all doors.</summary>
internal sealed class DeletionIntake(ModelCatalogue catalogue, RequestWriter writer, IDeletionStore store, StorageRoots roots, TimeProvider time)
{
    private const int MostInFile = 1_000_000;
    private const long MostFileBytes = 256L << 20;
    private static readonly TimeSpan DefaultDeadline = TimeSpan.FromDays(30);
    private static readonly TimeSpan Longest = TimeSpan.FromDays(3653);
    private static readonly TimeSpan ClockSkew = TimeSpan.FromMinutes(5);

    /// <summary>Resolves a request and stores it, one a model.</summary>
    /// <param name="caller">Who hands it in.</param>
    /// <param name="submission">What is asked.</param>
    /// <param name="door">The door it came through, for the instruments: http or queue.</param>
    /// <param name="ct">Ends the wait; requests may still be stored.</param>
    /// <returns>One answer a model.</returns>
    /// <exception cref="InputException">The model, the data set or the file is not known, or a time is wrong.</exception>
    public async Task<IReadOnlyList<IntakeAnswer>> TakeAsync(Caller caller, DeletionSubmission submission, string door, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        try
        {
            var answers = await TakeAsync(caller, submission, now, ct);
            foreach (var answer in answers)
            {
                ServiceMeters.Submitted(door, answer.Conflict ? "conflict" : answer.Request.StoredAt != now ? "repeated" : answer.Request.State == RequestState.Rejected ? "rejected" : "accepted");
            }

            return answers;
        }
        catch (InputException)
        {
            ServiceMeters.Submitted(door, "refused");
            throw;
        }
    }

    private async Task<IReadOnlyList<IntakeAnswer>> TakeAsync(Caller caller, DeletionSubmission submission, DateTimeOffset now, CancellationToken ct)
    {
        if (submission.ReceivedAt > now + ClockSkew || submission.ReceivedAt < now - Longest)
        {
            throw new InputException("receivedAt: lies in the future, or more than ten years ago");
        }

        // Also where receivedAt is left out: a zero time is a deadline that nothing can be planned by.
        if (submission.Deadline <= (submission.ReceivedAt ?? now) || submission.Deadline > now + Longest)
        {
            throw new InputException("deadline: must lie after receivedAt, or now, and at most ten years ahead");
        }

        var models = submission.Model is { } one ? [one] : await catalogue.OfDataSetAsync(caller.Tenant, submission.DataSet!, ct);
        var (ids, subjects) = Names(submission);
        var answers = new List<IntakeAnswer>(models.Count);
        foreach (var model in models)
        {
            if (await TakeAsync(caller, submission, model, ids, subjects, now, ct) is { } answer)
            {
                answers.Add(answer);
            }
        }

        return answers.Count > 0 ? answers : throw new InputException($"dataSet {submission.DataSet}: no model that takes requests is registered as trained on it");
    }

    private async Task<IntakeAnswer?> TakeAsync(Caller caller, DeletionSubmission submission, string model, IReadOnlyList<string> ids, IReadOnlyList<string> subjects, DateTimeOffset now, CancellationToken ct)
    {
        var view = await catalogue.FindAsync(model, again: false, ct) is { } found && found.Model.Record.Tenant == caller.Tenant ? found : throw new InputException($"model {model}: is not registered");
        var id = DeletionSubmission.IdOf(caller.Tenant, caller.Name, submission.RequestId!, model);

        // One that was taken before has its first answer still.
        if (view.Model.Record.RetiredAt is { } retired && await store.RequestAsync(id, ct) is null)
        {
            return submission.Model is null ? null : throw new InputException($"model {model}: was retired {retired:u} and takes no more requests; name the model that has replaced it, or the data set");
        }

        var (samples, before, resolution) = RequestResolver.Resolve(ids, subjects, view, submission.LegalHold);
        if (resolution.Unknown.Count > 0)
        {
            view = (await catalogue.FindAsync(model, again: true, ct))!;
            (samples, before, resolution) = RequestResolver.Resolve(ids, subjects, view, submission.LegalHold);
        }

        // Where all was forgotten before, the model's grain ends it: what is known here may be from before a roll-back.
        var isNothing = samples.Count + before.Count == 0;
        var received = submission.ReceivedAt ?? now;
        var request = new DeletionRequest
        {
            Id = id,
            Tenant = caller.Tenant,
            Principal = caller.Name,
            CallerId = submission.RequestId!,
            BodyDigest = submission.Digest(),
            Model = model,
            ReceivedAt = received,
            StoredAt = now,
            Deadline = submission.Deadline ?? received + DefaultDeadline,
            State = isNothing ? RequestState.Rejected : RequestState.Received,
            Reason = isNothing ? "nothing that it names is in the data" : samples.Count == 0 ? "all that it names was forgotten before: it is rejected once its model has looked again" : null,
            EndedAt = isNothing ? now : null,
            LegalHold = submission.LegalHold,
            Samples = isNothing ? null : samples,
            ForgottenBefore = before,
            Resolution = Tellable(submission, resolution),
            Trace = Activity.Current?.Id,
        };
        var outcome = await writer.WriteAsync(request, DeletionAudit.Received(request), ct);
        var stored = outcome.Request;
        var policy = view.Model.Record.Policy;
        var expected = stored.Samples is [] ? stored.StoredAt : BatchPlanner.Expect([new WaitingRequest(stored.Id, stored.StoredAt, stored.Deadline, stored.Resolution.Samples)], policy, stored.StoredAt);
        return new IntakeAnswer(stored, expected, outcome.Conflict);
    }

    private (IReadOnlyList<string> Ids, IReadOnlyList<string> Subjects) Names(DeletionSubmission submission)
    {
        if (submission.File is null)
        {
            return (submission.Ids, submission.Subjects);
        }

        var path = roots.Check("file", submission.File);
        if (File.Exists(path) && new FileInfo(path).Length is > MostFileBytes and var length)
        {
            throw new InputException($"file: holds {length} bytes, at most {MostFileBytes} are taken in one request");
        }

        var entries = ForgetList.Read(path);
        if (entries.Count > MostInFile)
        {
            throw new InputException($"file: holds {entries.Count} entries, at most {MostInFile} are taken in one request");
        }

        return (
            [.. submission.Ids, .. entries.Where(static e => e.Id is not null).Select(static e => e.Id!)],
            [.. submission.Subjects, .. entries.Where(static e => e.Subject is not null).Select(static e => e.Subject!)]);
    }

    /// <summary>
    /// Names that a caller has sent are told back; those that stood in a file are only counted, or whoever may hand requests in
    /// could read files of the service.
    /// </summary>
    private static Resolution Tellable(DeletionSubmission submission, Resolution resolution)
    {
        if (submission.File is null)
        {
            return resolution;
        }

        var sent = submission.Ids.Concat(submission.Subjects).ToHashSet(StringComparer.Ordinal);
        return resolution with { Unknown = Tell(resolution.Unknown, sent), Duplicates = Tell(resolution.Duplicates, sent), AlreadyForgotten = Tell(resolution.AlreadyForgotten, sent) };
    }

    private static List<string> Tell(IReadOnlyList<string> names, HashSet<string> sent)
    {
        var told = names.Where(sent.Contains).ToList();
        if (told.Count < names.Count)
        {
            told.Add(string.Create(CultureInfo.InvariantCulture, $"{names.Count - told.Count} in the file"));
        }

        return told;
    }
}
