namespace Scissorhands.Worker.Stages;

/// <summary>One stage's work on one worker. Runs on the compute thread, from start to end without awaiting.</summary>
public interface IStageExecutor
{
    /// <summary>Does this worker's part.</summary>
    /// <param name="context">What to work with.</param>
    /// <returns>What the stage found, as JSON, from rank 0; null elsewhere and where there is nothing to tell.</returns>
    string? Execute(StageContext context);
}
