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
