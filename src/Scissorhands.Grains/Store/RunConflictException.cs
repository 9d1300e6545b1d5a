namespace Scissorhands.Grains.Store;

/// <summary>What only one open run at a time may have.</summary>
public enum RunExclusion
{
    /// <summary>Workers on a model.</summary>
    Model,

    /// <summary>A folder for results.</summary>
    OutputFolder,
}

/// <summary>A write would have given a run what another one has; nothing was written.</summary>
public sealed class RunConflictException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="runId">The run that was to be written.</param>
    /// <param name="exclusion">What another run has.</param>
    /// <param name="cause">What the database said.</param>
    public RunConflictException(string runId, RunExclusion exclusion, Exception cause)
        : base(exclusion == RunExclusion.Model ? $"run {runId}: another run works on its model" : $"run {runId}: another run writes to its folder", cause)
    {
        RunId = runId;
        Exclusion = exclusion;
    }

    /// <summary>The run that was to be written.</summary>
    public string RunId { get; }

    /// <summary>What another run has.</summary>
    public RunExclusion Exclusion { get; }
}
