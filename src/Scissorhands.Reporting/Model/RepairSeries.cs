namespace Scissorhands.Reporting.Model;

/// <summary>How the repair went, step by step and epoch by epoch. All lists are empty where there were no epochs.</summary>
public sealed record RepairSeries
{
    /// <summary>Steps of an epoch.</summary>
    public required int StepsPerEpoch { get; init; }

    /// <summary>Loss on each step's retain batch, before the step's update; one entry a step.</summary>
    public required IReadOnlyList<double> RetainLoss { get; init; }

    /// <summary>Loss on each step's forget batch; null where the step had none. As long as <see cref="RetainLoss"/>.</summary>
    public required IReadOnlyList<double?> ForgetLoss { get; init; }

    /// <summary>Where the time of the steps went on one worker; null in reports that do not say.</summary>
    public StepShares? Times { get; init; }

    /// <summary>One row an epoch.</summary>
    public required IReadOnlyList<EpochSummary> Epochs { get; init; }
}

/// <summary>Where the time of repair steps went, in seconds over all steps.</summary>
/// <param name="ComputeSeconds">Forward and backward passes, batches included.</param>
/// <param name="WaitSeconds">Waiting for other workers.</param>
/// <param name="WireSeconds">Exchanging and adding up.</param>
/// <param name="UpdateSeconds">Projection and update.</param>
public sealed record StepShares(double ComputeSeconds, double WaitSeconds, double WireSeconds, double UpdateSeconds);

/// <summary>One epoch of the repair.</summary>
/// <param name="Epoch">Number, from 1.</param>
/// <param name="LearningRate">Learning rate at the epoch's first step.</param>
/// <param name="RetainAccuracy">Share of right answers on the epoch's retain batches, in train mode, as they were trained on; in [0,1].</param>
/// <param name="JointSteps">Steps with a forget batch.</param>
/// <param name="Conflicts">Joint steps whose gradient ran against a memory gradient and was projected.</param>
public sealed record EpochSummary(int Epoch, double LearningRate, double RetainAccuracy, int JointSteps, int Conflicts);
