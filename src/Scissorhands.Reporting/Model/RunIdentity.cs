namespace Scissorhands.Reporting.Model;

/// <summary>The run and its inputs. Holds digests and counts, never sample or subject ids.</summary>
public sealed record RunIdentity
{
    /// <summary>The run's id.</summary>
    public required string RunId { get; init; }

    /// <summary>File name of the model, without its folder. Shown to people, trusted by nobody.</summary>
    public required string ModelFile { get; init; }

    /// <summary>SHA-256 of the model file, lower-case hex.</summary>
    public required string ModelSha256 { get; init; }

    /// <summary>Digest of the training data, lower-case hex.</summary>
    public required string DataDigest { get; init; }

    /// <summary>Digest of the test data; empty where none was given.</summary>
    public string TestDigest { get; init; } = "";

    /// <summary>Digest of the forget ids in list order.</summary>
    public required string ForgetDigest { get; init; }

    /// <summary>Digest of the ids of earlier runs; empty where there are none.</summary>
    public string TombstoneDigest { get; init; } = "";

    /// <summary>SHA-256 of the canonical configuration.</summary>
    public required string ConfigurationHash { get; init; }

    /// <summary>SHA-256 of the plan: what the result is a function of.</summary>
    public required string PlanHash { get; init; }

    /// <summary>Samples to forget, |D_f|.</summary>
    public required long ForgetCount { get; init; }

    /// <summary>Samples the model keeps, |D_r|.</summary>
    public required long RetainCount { get; init; }

    /// <summary>Test samples; 0 where none were given.</summary>
    public required long TestCount { get; init; }

    /// <summary>Samples left out because earlier runs forgot them (tombstones).</summary>
    public required long TombstoneCount { get; init; }

    /// <summary>Entries of the forget list that are not in the data and were left out as asked.</summary>
    public long ForgetUnknownCount { get; init; }

    /// <summary>Entries of the list of earlier requests that are not in the data.</summary>
    public long TombstoneUnknownCount { get; init; }

    /// <summary>The seed of every random number.</summary>
    public required long Seed { get; init; }
}

/// <summary>Where a run ran.</summary>
public sealed record RunEnvironment
{
    /// <summary>Version of the program.</summary>
    public required string ProgramVersion { get; init; }

    /// <summary>The device in words, e.g. <c>cpu (avx2, 1 thread a worker)</c> or the GPU's name.</summary>
    public required string Device { get; init; }

    /// <summary>Workers that took part. Does not influence the result.</summary>
    public required int Workers { get; init; }

    /// <summary>Version of libtorch. Another one may round differently.</summary>
    public string LibtorchVersion { get; init; } = "";

    /// <summary>When the run was first started (UTC), or null.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When its last stage was done (UTC), or null.</summary>
    public DateTimeOffset? FinishedAt { get; init; }
}

/// <summary>A file the run leaves behind.</summary>
/// <param name="File">File name within the output folder.</param>
/// <param name="Sha256">SHA-256 of the file, lower-case hex.</param>
/// <param name="Bytes">Length of the file in bytes.</param>
public sealed record ArtifactDigest(string File, string Sha256, long Bytes);

/// <summary>Wall time of one stage.</summary>
/// <param name="Stage">The stage's name, e.g. <c>sensitivity</c>.</param>
/// <param name="Seconds">Wall time in seconds, on the worker or coordinator that saw the whole stage.</param>
/// <param name="Samples">Samples that went through the model, forwards or backwards, all workers together; 0 where none do.</param>
public sealed record StageTime(string Stage, double Seconds, long Samples)
{
    /// <summary>Samples a second; 0 where the stage handles none.</summary>
    public double SamplesPerSecond => Seconds > 0 ? Math.Round(Samples / Seconds, 3) : 0;
}
