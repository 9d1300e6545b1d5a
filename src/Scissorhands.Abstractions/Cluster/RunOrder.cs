using System.Security.Cryptography;
using System.Text.Json;
using Scissorhands.Abstractions.Runs;

namespace Scissorhands.Abstractions.Cluster;

/// <summary>What was submitted: everything a worker needs to begin. Paths are those of the workers' shared storage.</summary>
[GenerateSerializer]
[Alias("scissorhands.run-order")]
public sealed record RunOrder
{
    /// <summary>The model file.</summary>
    [Id(0)]
    public required string Model { get; init; }

    /// <summary>Architecture of a state dict whose file does not name it; otherwise null.</summary>
    [Id(1)]
    public string? Architecture { get; init; }

    /// <summary>The training data.</summary>
    [Id(2)]
    public required string Data { get; init; }

    /// <summary>The test data, or null.</summary>
    [Id(3)]
    public string? TestData { get; init; }

    /// <summary>The forget list.</summary>
    [Id(4)]
    public required string Forget { get; init; }

    /// <summary>Ids that earlier runs of this model have forgotten, or null.</summary>
    [Id(5)]
    public string? Forgotten { get; init; }

    /// <summary>Whether entries that are not in the data are left out.</summary>
    [Id(6)]
    public bool IgnoreUnknown { get; init; }

    /// <summary>The folder for results and checkpoints.</summary>
    [Id(7)]
    public required string Out { get; init; }

    /// <summary>The resolved configuration, as JSON with every key.</summary>
    [Id(8)]
    public required string Configuration { get; init; }

    /// <summary>The pool whose workers do the run. Default: "default".</summary>
    [Id(9)]
    public string Pool { get; init; } = "default";

    /// <summary>Most workers that share the run. Default: 4. Fewer than that many free ones are enough to begin.</summary>
    [Id(10)]
    public int Workers { get; init; } = 4;

    /// <summary>When the run should be done (UTC); earlier ones go first.</summary>
    [Id(11)]
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>Device kind the configuration asks for: <c>cpu</c> or <c>cuda</c>.</summary>
    [Id(12)]
    public string Device { get; init; } = "cpu";

    /// <summary>File with copies of samples, which are taken from there whether or not the data still has them; or null.</summary>
    [Id(13)]
    public string? Quarantine { get; init; }

    /// <summary>List of ids that are left out of everything, whether or not the data still has them; or null.</summary>
    [Id(14)]
    public string? Withheld { get; init; }

    /// <summary>The run's id: the same submission is the same run, so that a submission may be repeated.</summary>
    /// <returns>16 hex digits.</returns>
    public string Id() => Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(this, RunStateJson.Options)))[..16];
}
