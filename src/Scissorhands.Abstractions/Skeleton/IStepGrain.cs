using Orleans.Concurrency;

namespace Scissorhands.Abstractions.Skeleton;

/// <summary>Gathers workers for one step of a run and deals it to them. The key is the run's id.</summary>
[Alias("scissorhands.step-grain")]
public interface IStepGrain : IGrainWithStringKey
{
    /// <summary>Sets the step up; repeating it with the same work changes nothing.</summary>
    /// <param name="work">The work.</param>
    /// <returns>Completes when workers may announce themselves.</returns>
    [Alias("start")]
    Task StartAsync(ToyStep work);

    /// <summary>A worker has announced itself.</summary>
    /// <param name="worker">The worker.</param>
    /// <returns>Completes when what follows from it has been sent.</returns>
    [Alias("announce")]
    Task AnnounceAsync(WorkerAnnounced worker);

    /// <summary>A worker has reported.</summary>
    /// <param name="report">The report.</param>
    /// <returns>Completes when the report has taken effect.</returns>
    [Alias("report")]
    Task ReportAsync(StepReported report);

    /// <summary>Waits for the step's end.</summary>
    /// <returns>What it came to.</returns>
    [Alias("outcome")]
    [AlwaysInterleave]
    [ResponseTimeout("00:03:00")]
    Task<StepOutcome> OutcomeAsync();
}

/// <summary>Sends commands to workers.</summary>
public interface IWorkerCommands
{
    /// <summary>Sends a worker its part of a step.</summary>
    /// <param name="assignment">The assignment.</param>
    /// <returns>Completes when the broker has it.</returns>
    Task AssignAsync(StepAssigned assignment);
}
