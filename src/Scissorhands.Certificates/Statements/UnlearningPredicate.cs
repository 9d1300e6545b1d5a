namespace Scissorhands.Certificates.Statements;

/// <summary>
/// What a certificate says. Numbers that may exceed 2^53 are text; what is not known is left out. Nothing here lets anybody
/// test a guess at a forgotten id: ids and all digests over them are behind commitments whose openings stay with the operator.
/// </summary>
public sealed record UnlearningPredicate
{
    /// <summary>The program that unlearned.</summary>
    public required ProgramRecord Program { get; init; }

    /// <summary>The model before.</summary>
    public required ModelRecord Model { get; init; }

    /// <summary>The data the run saw.</summary>
    public required DataRecord Data { get; init; }

    /// <summary>What was forgotten.</summary>
    public required ForgottenRecord Forgotten { get; init; }

    /// <summary>The configuration.</summary>
    public required ConfigurationRecord Configuration { get; init; }

    /// <summary>The plan.</summary>
    public required PlanRecord Plan { get; init; }

    /// <summary>What was measured, and what was asked of it.</summary>
    public required EvaluationRecord Evaluation { get; init; }

    /// <summary>Every attempt that was made, the one that is certified last.</summary>
    public required IReadOnlyList<AttemptRecord> Attempts { get; init; }

    /// <summary>When.</summary>
    public required TimesRecord Times { get; init; }

    /// <summary>Ids of the deletion requests that were answered; empty where the run was asked for by hand.</summary>
    public required IReadOnlyList<string> Requests { get; init; }

    /// <summary>What became of the copies that the run needed.</summary>
    public required IReadOnlyList<CustodyRecord> Custody { get; init; }

    /// <summary>Where the model before came from.</summary>
    public LineageRecord? Lineage { get; init; }

    /// <summary>Who signed.</summary>
    public required SignerRecord Signer { get; init; }

    /// <summary>Always <see cref="Limits.DoesNotProve"/>.</summary>
    public required IReadOnlyList<string> DoesNotProve { get; init; }
}

/// <summary>The program that unlearned.</summary>
public sealed record ProgramRecord
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Its version.</summary>
    public required string Version { get; init; }

    /// <summary>Version of libtorch, of which another may round differently; empty where it is not known.</summary>
    public required string Libtorch { get; init; }

    /// <summary>The device in words.</summary>
    public required string Device { get; init; }
}

/// <summary>The model before.</summary>
public sealed record ModelRecord
{
    /// <summary>File name, for people.</summary>
    public required string Name { get; init; }

    /// <summary>SHA-256 of the file.</summary>
    public required string Sha256 { get; init; }
}

/// <summary>The data the run saw. Digests cover ids, labels and bytes of all samples.</summary>
public sealed record DataRecord
{
    /// <summary>SHA-256 of the training data, forgotten samples included.</summary>
    public required string Sha256 { get; init; }

    /// <summary>Training samples that stay, |D_r|.</summary>
    public required long Retained { get; init; }

    /// <summary>Training samples left out because earlier runs forgot them.</summary>
    public required long ForgottenEarlier { get; init; }

    /// <summary>SHA-256 of the test data; absent where none was given.</summary>
    public string? TestSha256 { get; init; }

    /// <summary>Test samples.</summary>
    public required long Test { get; init; }
}

/// <summary>What was forgotten.</summary>
public sealed record ForgottenRecord
{
    /// <summary>Samples, |D_f|.</summary>
    public required long Count { get; init; }

    /// <summary>Root of the RFC 6962 tree over them, lower-case hexadecimal digits.</summary>
    public required string MerkleRoot { get; init; }

    /// <summary>Entries of the request that named nothing in the data.</summary>
    public required long Unknown { get; init; }
}

/// <summary>The resolved configuration.</summary>
public sealed record ConfigurationRecord
{
    /// <summary>Its canonical text without white space; settings that change no result are at their defaults.</summary>
    public required string Json { get; init; }

    /// <summary>SHA-256 of that text.</summary>
    public required string Sha256 { get; init; }

    /// <summary>The seed, a decimal number as text.</summary>
    public required string Seed { get; init; }
}

/// <summary>The plan: everything the result is a function of.</summary>
public sealed record PlanRecord
{
    /// <summary>SHA-256 of random bytes followed by the plan's hash (<see cref="Merkle.PlanOpening"/>), lower-case hexadecimal digits.</summary>
    public required string Commitment { get; init; }
}

/// <summary>One attempt.</summary>
public sealed record AttemptRecord
{
    /// <summary>From 1.</summary>
    public required int Number { get; init; }

    /// <summary>When it started; absent where that is not known.</summary>
    public DateTimeOffset? Started { get; init; }

    /// <summary>When it ended; absent where that is not known.</summary>
    public DateTimeOffset? Ended { get; init; }

    /// <summary>How it ended.</summary>
    public required AttemptOutcome Outcome { get; init; }

    /// <summary>Its seed, a decimal number as text.</summary>
    public required string Seed { get; init; }

    /// <summary>SHA-256 of its configuration.</summary>
    public required string ConfigurationSha256 { get; init; }

    /// <summary>The verdict on what it made; absent where it came to none.</summary>
    public Verdict? Verdict { get; init; }

    /// <summary>Why it ended as it did, one sentence without ids of samples; absent where there is nothing to say.</summary>
    public string? Reason { get; init; }
}

/// <summary>How an attempt ended.</summary>
public enum AttemptOutcome
{
    /// <summary>Its model was published; this certificate is about it.</summary>
    Published,

    /// <summary>Its model did not meet the bounds and was thrown away.</summary>
    Rejected,

    /// <summary>It made no model.</summary>
    Failed,

    /// <summary>Somebody ended it.</summary>
    Cancelled,
}

/// <summary>When things happened, by the operator's clocks.</summary>
public sealed record TimesRecord
{
    /// <summary>When the first of the requests was received; absent where the run was asked for by hand.</summary>
    public DateTimeOffset? Received { get; init; }

    /// <summary>When the first attempt started; absent where that is not known.</summary>
    public DateTimeOffset? Started { get; init; }

    /// <summary>When the certificate was made, with the model whole.</summary>
    public required DateTimeOffset Published { get; init; }
}

/// <summary>What became of one kind of copy.</summary>
public sealed record CustodyRecord
{
    /// <summary>What it is: <c>quarantine</c>, <c>decodeCache</c>, <c>checkpoints</c>, <c>supersededModel</c>, or in words.</summary>
    public required string Item { get; init; }

    /// <summary>What became of it.</summary>
    public required CustodyState State { get; init; }

    /// <summary>When it was or will be destroyed; absent otherwise.</summary>
    public DateTimeOffset? At { get; init; }

    /// <summary>The row of the operator's audit log that says so; absent where there is none.</summary>
    public string? AuditId { get; init; }

    /// <summary>More about it, one sentence; absent where there is nothing to say.</summary>
    public string? Note { get; init; }
}

/// <summary>What became of a copy.</summary>
public enum CustodyState
{
    /// <summary>It is gone.</summary>
    Destroyed,

    /// <summary>It will be destroyed at the time that is given.</summary>
    Scheduled,

    /// <summary>It is still there, and nothing here says that it will go.</summary>
    Kept,
}

/// <summary>Where the model before came from.</summary>
public sealed record LineageRecord
{
    /// <summary>SHA-256 of the statement of the certificate whose subject the model before is, lower-case hexadecimal digits.</summary>
    public required string EarlierStatementSha256 { get; init; }
}

/// <summary>Who signed.</summary>
public sealed record SignerRecord
{
    /// <summary>Base64 of the public key's SubjectPublicKeyInfo.</summary>
    public required string PublicKey { get; init; }

    /// <summary>Whether the key was made for this run and thrown away, as demonstrations do.</summary>
    public required bool Ephemeral { get; init; }
}
