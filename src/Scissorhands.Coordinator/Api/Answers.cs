using System.Text.Json.Serialization;
using Scissorhands.Deletion.Models;
using Scissorhands.Deletion.Requests;
using Scissorhands.Grains.Store;

namespace Scissorhands.Coordinator.Api;

/// <summary>What is wrong.</summary>
/// <param name="Error">One line that names the key or id at fault, and the remedy.</param>
public sealed record ErrorAnswer(string Error);

/// <summary>The answer to a deletion request; to one for a data set, <c>requests</c> alone: one answer a model.</summary>
public sealed record SubmissionAnswer
{
    /// <summary>The service's id of the request.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Id { get; init; }

    /// <summary>The caller's own id.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? RequestId { get; init; }

    /// <summary>The model.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Model { get; init; }

    /// <summary>Where the request can be asked after, below the coordinator's address.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Status { get; init; }

    /// <summary>Its state.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public RequestState? State { get; init; }

    /// <summary>Why it is in that state; null where that needs no words.</summary>
    public string? Reason { get; init; }

    /// <summary>When it was accepted (UTC).</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? AcceptedAt { get; init; }

    /// <summary>When it has to be done (UTC).</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>When it should be done (UTC).</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? ExpectedCompletion { get; init; }

    /// <summary>How many samples it comes to.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Resolved { get; init; }

    /// <summary>Names that are not in the data.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? Unknown { get; init; }

    /// <summary>Names that were given more than once.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? Duplicates { get; init; }

    /// <summary>Names that were forgotten before.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? AlreadyForgotten { get; init; }

    /// <summary>The answers for the models of a data set.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<SubmissionAnswer>? Requests { get; init; }
}

/// <summary>A deletion request as it is shown.</summary>
public sealed record RequestView
{
    /// <summary>The service's id of the request.</summary>
    public required string Id { get; init; }

    /// <summary>The caller's own id.</summary>
    public required string RequestId { get; init; }

    /// <summary>The model.</summary>
    public required string Model { get; init; }

    /// <summary>Its state.</summary>
    public required RequestState State { get; init; }

    /// <summary>Why it is in that state; null where that needs no words.</summary>
    public required string? Reason { get; init; }

    /// <summary>How it stands to its deadline.</summary>
    public required DeadlineStatus DeadlineStatus { get; init; }

    /// <summary>When the person asked (UTC).</summary>
    public required DateTimeOffset ReceivedAt { get; init; }

    /// <summary>When the service accepted it (UTC).</summary>
    public required DateTimeOffset AcceptedAt { get; init; }

    /// <summary>When it has to be done (UTC).</summary>
    public required DateTimeOffset Deadline { get; init; }

    /// <summary>When it is tried again (UTC), where it failed.</summary>
    public required DateTimeOffset? RetryAt { get; init; }

    /// <summary>When it ended (UTC); null where it is open.</summary>
    public required DateTimeOffset? EndedAt { get; init; }

    /// <summary>The batch that carries it; null before.</summary>
    public required int? Batch { get; init; }

    /// <summary>The run that is under way for it; null where there is none.</summary>
    public required string? Run { get; init; }

    /// <summary>How many samples it comes to.</summary>
    public required int Samples { get; init; }
}

/// <summary>A certificate that no longer holds: a version before its own is in use again, which still knows what it speaks of.</summary>
/// <param name="Version">The version that was taken back.</param>
/// <param name="Batch">Its batch.</param>
/// <param name="Certificate">SHA-256 (lower-case hex) of the certificate's file; null where it had none yet.</param>
/// <param name="RevokedAt">When (UTC).</param>
public sealed record Revocation(int Version, int Batch, string? Certificate, DateTimeOffset RevokedAt);

/// <summary>A model with its versions.</summary>
/// <param name="Model">The model.</param>
/// <param name="Versions">Its versions, by number.</param>
public sealed record ModelDetails(StoredModel Model, IReadOnlyList<ModelVersion> Versions);

/// <summary>The answer to a run that was submitted.</summary>
/// <param name="Run">The run; the same submission is the same run.</param>
/// <param name="Created">Whether it was not known before.</param>
/// <param name="Reason">What it waits for; null where it does not.</param>
public sealed record RunSubmitted(string Run, bool Created, string? Reason);

/// <summary>A run in the list.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Status">queued, running, completed, failed or cancelled.</param>
/// <param name="Pool">Its pool.</param>
/// <param name="SubmittedAt">When it was submitted (UTC).</param>
/// <param name="Deadline">When it should be done (UTC).</param>
/// <param name="Out">Where its results are written.</param>
/// <param name="Reason">Why it failed.</param>
public sealed record RunSummary(string RunId, string Status, string Pool, DateTimeOffset SubmittedAt, DateTimeOffset? Deadline, string Out, string? Reason);
