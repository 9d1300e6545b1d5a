using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Scissorhands.Planning;

/// <summary>
/// What a run's result is a function of, and how its work is cut: written before anything is computed, and compared when
/// a run is resumed. Holds no paths and no ids, so equal inputs give an equal plan wherever they lie.
/// </summary>
public sealed record RunPlan
{
    /// <summary>Version of this record.</summary>
    public int Version { get; init; } = 1;

    /// <summary>Version of libtorch: another one may round differently.</summary>
    public required string LibtorchVersion { get; init; }

    /// <summary>SHA-256 of the model file.</summary>
    public required string ModelDigest { get; init; }

    /// <summary>Architecture of a state dict where the command named it, with its options; otherwise empty: the model's file tells.</summary>
    public string Architecture { get; init; } = "";

    /// <summary>
    /// Digest of the training data: ids, labels, bytes of the samples that stay, in the data's order, and of those to be
    /// forgotten, in the list's.
    /// </summary>
    public required string DataDigest { get; init; }

    /// <summary>Digest of the test data; empty where none was given.</summary>
    public string TestDigest { get; init; } = "";

    /// <summary>SHA-256 over the forget ids in list order.</summary>
    public required string ForgetDigest { get; init; }

    /// <summary>SHA-256 over the ids of earlier runs (tombstones); empty where there are none.</summary>
    public string ForgottenDigest { get; init; } = "";

    /// <summary>SHA-256 of the resolved configuration.</summary>
    public required string ConfigurationHash { get; init; }

    /// <summary>n: elements of all parameters.</summary>
    public required int Parameters { get; init; }

    /// <summary>|D_f|.</summary>
    public required int ForgetCount { get; init; }

    /// <summary>|D_r|.</summary>
    public required int RetainCount { get; init; }

    /// <summary>Test samples.</summary>
    public int TestCount { get; init; }

    /// <summary>Samples left out because earlier runs forgot them.</summary>
    public int ForgottenCount { get; init; }

    /// <summary>Batches the sensitivity is summed over.</summary>
    public required int SensitivityBatches { get; init; }

    /// <summary>Blocks of batches: leases, and leaves of the sensitivity tree.</summary>
    public required int SensitivityBlocks { get; init; }

    /// <summary>Repair steps of an epoch.</summary>
    public required int StepsPerEpoch { get; init; }

    /// <summary>Repair steps of an epoch with a forget batch.</summary>
    public required int JointStepsPerEpoch { get; init; }

    /// <summary>SHA-256 (lower-case hex) over the plan: the run's identity.</summary>
    /// <returns>64 hex digits.</returns>
    public string Hash() => Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(this)));

    /// <summary>What tells this plan from another one.</summary>
    /// <param name="other">The other plan.</param>
    /// <returns>Words that name the input in which this plan is another: "another model".</returns>
    public string DifferenceFrom(RunPlan other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return this switch
        {
            _ when LibtorchVersion != other.LibtorchVersion => $"libtorch {LibtorchVersion} instead of {other.LibtorchVersion}",
            _ when ModelDigest != other.ModelDigest => "another model",
            _ when DataDigest != other.DataDigest => "other training data",
            _ when TestDigest != other.TestDigest => "other test data",
            _ when ForgetDigest != other.ForgetDigest => "another forget list",
            _ when ForgottenDigest != other.ForgottenDigest => "other ids forgotten earlier",
            _ when ConfigurationHash != other.ConfigurationHash => "another configuration (compare config.json)",
            _ => "another plan",
        };
    }

    /// <summary>SHA-256 (lower-case hex) over ids in order, each closed by a line feed.</summary>
    /// <param name="ids">The ids.</param>
    /// <returns>64 hex digits.</returns>
    public static string DigestOf(IEnumerable<string> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var id in ids)
        {
            hash.AppendData(Encoding.UTF8.GetBytes(id));
            hash.AppendData("\n"u8);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
