using Scissorhands.Deletion.Batching;

namespace Scissorhands.Deletion.Models;

/// <summary>A model that deletion requests may name. Paths are absolute, on storage that workers share, under the service's roots.</summary>
public sealed record ModelRecord
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Whose it is: only this tenant's callers see it, hand requests to it in and operate it. Default: "default".</summary>
    public string Tenant { get; init; } = "default";

    /// <summary>The file it came as: its version 0.</summary>
    public required string File { get; init; }

    /// <summary>SHA-256 (lower-case hex) of that file. What is loaded later must have it.</summary>
    public required string Sha256 { get; init; }

    /// <summary>Architecture of a state dict whose file does not name it.</summary>
    public string? Architecture { get; init; }

    /// <summary>Name of the data set it was trained on: requests may name it instead of the model.</summary>
    public required string DataSet { get; init; }

    /// <summary>The training data.</summary>
    public required string Data { get; init; }

    /// <summary>The test data; null for none, where nothing can be said of test accuracy and the membership attack.</summary>
    public string? TestData { get; init; }

    /// <summary>Folder for its versions.</summary>
    public required string Versions { get; init; }

    /// <summary>Configuration of its runs: JSON with the keys that differ from the defaults.</summary>
    public string Configuration { get; init; } = "{}";

    /// <summary>Pool whose workers do its runs. Default: "default".</summary>
    public string Pool { get; init; } = "default";

    /// <summary>Most workers that share a run. Default: 4.</summary>
    public int Workers { get; init; } = 4;

    /// <summary>When runs begin and what their results must show.</summary>
    public DeletionPolicy Policy { get; init; } = new();

    /// <summary>Since when it takes no more requests (UTC); null where it does.</summary>
    public DateTimeOffset? RetiredAt { get; init; }
}

/// <summary>What is left of a version.</summary>
public enum VersionState
{
    /// <summary>The one in use.</summary>
    Current,

    /// <summary>Replaced; its weights still exist.</summary>
    Superseded,

    /// <summary>Replaced, and its weights destroyed: they knew what was to be forgotten.</summary>
    Destroyed,

    /// <summary>Taken back; a former one is in use again.</summary>
    RolledBack,
}

/// <summary>A version of a model. Version 0 is the file that was registered.</summary>
public sealed record ModelVersion
{
    /// <summary>The model.</summary>
    public required string Model { get; init; }

    /// <summary>Its number, from 0.</summary>
    public required int Number { get; init; }

    /// <summary>The version it was made of; null for the first.</summary>
    public int? Parent { get; init; }

    /// <summary>The file that is loaded.</summary>
    public required string File { get; init; }

    /// <summary>SHA-256 (lower-case hex) of that file.</summary>
    public required string Sha256 { get; init; }

    /// <summary>The run that made it; null for version 0.</summary>
    public string? RunId { get; init; }

    /// <summary>The batch whose samples it does not know; null for version 0.</summary>
    public int? Batch { get; init; }

    /// <summary>When it was published (UTC).</summary>
    public required DateTimeOffset PublishedAt { get; init; }

    /// <summary>What is left of it.</summary>
    public required VersionState State { get; init; }

    /// <summary>When it was taken back (UTC), and its certificate with it; null where it was not.</summary>
    public DateTimeOffset? RevokedAt { get; init; }

    /// <summary>SHA-256 (lower-case hex) of its certificate's file; null where it has none or it was written by an earlier version of this program.</summary>
    public string? Certificate { get; init; }

    /// <summary>How far it is from version 0; null where that is not known.</summary>
    public LineageDrift? Drift { get; init; }

    /// <summary>Why training anew is recommended; null where it is not.</summary>
    public string? Retrain { get; init; }
}
