using System.Text.Json.Serialization;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Abstractions.Runs;
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

    /// <summary>When it became durable here (UTC).</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? StoredAt { get; init; }

    /// <summary>When it was accepted (UTC): from then on, and not before, its rows may be erased. Null until then, and again where it has to be copied again.</summary>
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

    /// <summary>When it became durable here (UTC).</summary>
    public required DateTimeOffset StoredAt { get; init; }

    /// <summary>When it was accepted (UTC): from then on, and not before, its rows may be erased. Null until then, and again where it has to be copied again.</summary>
    public required DateTimeOffset? AcceptedAt { get; init; }

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
public sealed record RunSummary
{
    /// <summary>The run.</summary>
    public required string RunId { get; init; }

    /// <summary>queued, running, completed, failed or cancelled.</summary>
    public required string Status { get; init; }

    /// <summary>Its pool.</summary>
    public required string Pool { get; init; }

    /// <summary>When it was submitted (UTC).</summary>
    public required DateTimeOffset SubmittedAt { get; init; }

    /// <summary>When it should be done (UTC).</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>Where its results are written.</summary>
    public required string Out { get; init; }

    /// <summary>Why it failed, or what it waits for.</summary>
    public string? Reason { get; init; }

    /// <summary>Name of the stage; null before the plan is known.</summary>
    public string? Stage { get; init; }

    /// <summary>How far the stage is, in [0,1]; null where nobody is at work on it.</summary>
    public double? Progress { get; init; }

    /// <summary>When workers first began on it (UTC).</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When it ended (UTC).</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>The model whose deletion requests it carries out; null for one that was submitted by itself.</summary>
    public string? Model { get; init; }

    /// <summary>The batch of these.</summary>
    public int? Batch { get; init; }
}

/// <summary>What a run has measured so far. Counts and shares, never ids of samples.</summary>
public sealed record RunFigures
{
    /// <summary>The model whose deletion requests it carries out; null for one that was submitted by itself.</summary>
    public string? Model { get; init; }

    /// <summary>The batch of these.</summary>
    public int? Batch { get; init; }

    /// <summary>Elements of all parameters; null before the plan is known.</summary>
    public int? Parameters { get; init; }

    /// <summary>Samples to forget; null before the plan is known.</summary>
    public int? Forget { get; init; }

    /// <summary>Samples that stay; null before the plan is known.</summary>
    public int? Retain { get; init; }

    /// <summary>Wall time of stages, in their order.</summary>
    public required IReadOnlyList<StageSeconds> Stages { get; init; }

    /// <summary>The model as it came in; null where that stage is not done.</summary>
    public EvaluationFigures? Before { get; init; }

    /// <summary>The model with fresh values in the trimmed weights.</summary>
    public EvaluationFigures? AfterTrim { get; init; }

    /// <summary>The repaired model.</summary>
    public EvaluationFigures? AfterRepair { get; init; }

    /// <summary>What was selected and trimmed; null where that stage is not done.</summary>
    public SelectionOutcome? Trim { get; init; }

    /// <summary>Steps of the repair, of a long one not all.</summary>
    public required IReadOnlyList<StepFigures> Steps { get; init; }

    /// <summary>Where the time of each rank goes in a repair step.</summary>
    public required IReadOnlyList<RankTrace> Ranks { get; init; }
}

/// <summary>Wall time of a stage.</summary>
/// <param name="Stage">Its name.</param>
/// <param name="Seconds">Seconds, over all generations.</param>
public sealed record StageSeconds(string Stage, double Seconds);

/// <summary>How a model does, in shares in [0,1].</summary>
/// <param name="ForgetAccuracy">Of the samples to forget, answered right.</param>
/// <param name="RetainAccuracy">Of those that stay.</param>
/// <param name="TestAccuracy">Of the test data; null where none was given.</param>
/// <param name="EarlierAccuracy">Of what earlier runs forgot; null where there is none.</param>
/// <param name="NonMemberShare">Of the samples to forget, called never seen by the membership attack; null where it did not run.</param>
public sealed record EvaluationFigures(double ForgetAccuracy, double RetainAccuracy, double? TestAccuracy, double? EarlierAccuracy, double? NonMemberShare);

/// <summary>The tenant's requests at a glance.</summary>
/// <param name="States">How many are in each state.</param>
/// <param name="AtRisk">Open ones with less time left than their model's slack.</param>
/// <param name="Missed">Open ones whose deadline has passed.</param>
/// <param name="OldestAt">When the oldest of the open ones was accepted (UTC); null where none is open.</param>
/// <param name="Due">The open ones that are due first, at most ten.</param>
public sealed record RequestsSummary(IReadOnlyDictionary<string, int> States, int AtRisk, int Missed, DateTimeOffset? OldestAt, IReadOnlyList<RequestView> Due);
