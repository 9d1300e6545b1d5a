namespace Scissorhands.Grains.Store;

/// <summary>Where a run stands.</summary>
public enum RunStatus
{
    /// <summary>Waits for workers.</summary>
    Queued,

    /// <summary>Has workers.</summary>
    Running,

    /// <summary>Its results are there.</summary>
    Completed,

    /// <summary>Cannot go on.</summary>
    Failed,

    /// <summary>Somebody has called it off.</summary>
    Canceled,
}

/// <summary>What a status is called on screen and over HTTP.</summary>
public static class RunStatusNames
{
    /// <summary>A status's name.</summary>
    /// <param name="status">The status.</param>
    /// <returns>One lower-case word.</returns>
    public static string Of(RunStatus status) => status switch
    {
        // In the store it has the runtime's spelling.
        RunStatus.Canceled => "cancelled",
        _ => status.ToString().ToLowerInvariant(),
    };
}
