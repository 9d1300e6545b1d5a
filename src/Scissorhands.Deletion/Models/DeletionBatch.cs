using Scissorhands.Deletion.Batching;
using Scissorhands.Deletion.Gate;

namespace Scissorhands.Deletion.Models;

/// <summary>How far a batch is. Each phase may be entered again after a crash: what it does, it finds done.</summary>
public enum BatchPhase
{
    /// <summary>Requests are chosen; the forget list is written and the run submitted.</summary>
    Preparing,

    /// <summary>The run is under way.</summary>
    Running,

    /// <summary>The gate let an attempt pass: its files become the version's.</summary>
    Publishing,

    /// <summary>What still knows the samples is destroyed.</summary>
    Destroying,

    /// <summary>The certificate is written.</summary>
    Certifying,

    /// <summary>Done.</summary>
    Completed,

    /// <summary>No attempt passed, or the run failed; the former version stays.</summary>
    Failed,
}

/// <summary>One attempt of a batch: a run with one preset.</summary>
/// <param name="Number">From 0.</param>
/// <param name="Preset">The preset's name.</param>
/// <param name="RunId">The run; null before it is submitted.</param>
/// <param name="Verdict">What the gate said; null before.</param>
/// <param name="Failure">Why the run failed; null where it did not.</param>
/// <param name="Final">The last word of the gate, by test data that no choice has looked at; null where the attempt was not chosen, or these are too few.</param>
public sealed record BatchAttempt(int Number, string Preset, string? RunId, GateVerdict? Verdict, string? Failure, GateVerdict? Final = null);

/// <summary>What a batch was formed with, and goes by to its end: what is changed meanwhile is for the next one.</summary>
/// <param name="Policy">The policy.</param>
/// <param name="Configuration">The model's configuration.</param>
public sealed record BatchTerms(DeletionPolicy Policy, string Configuration);

/// <summary>Requests of one model that are carried out together, by one run that is tried with one preset after another.</summary>
public sealed record DeletionBatch
{
    /// <summary>The model.</summary>
    public required string Model { get; init; }

    /// <summary>Its number within the model, from 1.</summary>
    public required int Number { get; init; }

    /// <summary>How far it is.</summary>
    public required BatchPhase Phase { get; init; }

    /// <summary>Its requests, by id.</summary>
    public required IReadOnlyList<string> Requests { get; init; }

    /// <summary>Different samples in it.</summary>
    public required int Samples { get; init; }

    /// <summary>The version it starts from.</summary>
    public required int From { get; init; }

    /// <summary>The earliest deadline of its requests (UTC).</summary>
    public required DateTimeOffset Deadline { get; init; }

    /// <summary>When it was made (UTC).</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The attempts, the last one under way or decided.</summary>
    public required IReadOnlyList<BatchAttempt> Attempts { get; init; }

    /// <summary>What it was formed with; null for one of an earlier version of this program, which goes by what is set now.</summary>
    public BatchTerms? Terms { get; init; }

    /// <summary>Why the step after publication that is at work has not succeeded yet; null where nothing is in the way.</summary>
    public string? Hindrance { get; init; }

    /// <summary>When that step is tried again (UTC).</summary>
    public DateTimeOffset? TryAt { get; init; }

    /// <summary>How often it has failed.</summary>
    public int Failures { get; init; }

    /// <summary>Where its trace goes on, that of its oldest request (W3C trace context); null where none was traced.</summary>
    public string? Trace { get; init; }

    /// <summary>Files of the published attempt with their SHA-256; empty before.</summary>
    public IReadOnlyDictionary<string, string> Files { get; init; } = new Dictionary<string, string>();

    /// <summary>What was destroyed after publication, in words without ids.</summary>
    public IReadOnlyList<string> Destroyed { get; init; } = [];

    /// <summary>What was not destroyed though it is of its samples, in words without ids.</summary>
    public IReadOnlyList<string> Kept { get; init; } = [];

    /// <summary>Whether it failed for a reason that may pass: such batches in a row are tried again ever later.</summary>
    public bool MayPass { get; init; }

    /// <summary>Why it failed.</summary>
    public string? Reason { get; init; }

    /// <summary>When it ended (UTC).</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Whether anything is left to do.</summary>
    public bool IsOpen => Phase is not (BatchPhase.Completed or BatchPhase.Failed);
}
