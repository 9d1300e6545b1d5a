using Scissorhands.Abstractions.Skeleton;

namespace Scissorhands.Grains.Skeleton;

/// <summary>Hosts a <see cref="StepGang"/>: takes messages in, sends what it decides.</summary>
public sealed class StepGrain : Grain, IStepGrain
{
    private readonly IWorkerCommands _commands;
    private readonly TaskCompletionSource<StepOutcome> _outcome = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private StepGang? _gang;

    /// <summary>Creates the grain.</summary>
    /// <param name="commands">The way to the workers.</param>
    public StepGrain(IWorkerCommands commands)
    {
        _commands = commands;
    }

    /// <inheritdoc/>
    public Task StartAsync(ToyStep work)
    {
        _gang ??= new StepGang(this.GetPrimaryKeyString(), work);
        return _gang.Work == work
            ? Task.CompletedTask
            : throw new InvalidOperationException($"Run {this.GetPrimaryKeyString()} has been started with other work.");
    }

    /// <inheritdoc/>
    public Task AnnounceAsync(WorkerAnnounced worker) =>
        _gang is null ? Task.CompletedTask : Task.WhenAll(_gang.Announce(worker).Select(_commands.AssignAsync));

    /// <inheritdoc/>
    public Task ReportAsync(StepReported report)
    {
        if (_gang is not null && _gang.Report(report))
        {
            _outcome.TrySetResult(_gang.Outcome!);
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task<StepOutcome> OutcomeAsync() => _outcome.Task;
}
