using System.Text.Json.Nodes;

namespace Scissorhands.Coordinator.Api;

/// <summary>The body of a submission. Paths are absolute, on storage that all workers share.</summary>
public sealed record RunSubmission
{
    /// <summary>The model file.</summary>
    public string? Model { get; init; }

    /// <summary>Architecture of a state dict whose file does not name it.</summary>
    public string? Architecture { get; init; }

    /// <summary>The training data: a folder, a file or a glob.</summary>
    public string? Data { get; init; }

    /// <summary>The test data.</summary>
    public string? TestData { get; init; }

    /// <summary>The forget list.</summary>
    public string? Forget { get; init; }

    /// <summary>Ids that earlier runs of this model have forgotten.</summary>
    public string? Forgotten { get; init; }

    /// <summary>Whether entries that are not in the data are left out.</summary>
    public bool IgnoreUnknown { get; init; }

    /// <summary>The folder for results; created if missing.</summary>
    public string? Out { get; init; }

    /// <summary>Configuration keys; those left out take their defaults.</summary>
    public JsonObject? Configuration { get; init; }

    /// <summary>The pool. Default: "default".</summary>
    public string Pool { get; init; } = "default";

    /// <summary>Most workers that share the run. Default: 4.</summary>
    public int Workers { get; init; } = 4;

    /// <summary>When the run should be done.</summary>
    public DateTimeOffset? Deadline { get; init; }
}
