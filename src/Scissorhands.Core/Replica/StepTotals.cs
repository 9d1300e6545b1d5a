namespace Scissorhands.Core.Replica;

/// <summary>Places of a step's totals behind gradient and buffers in the vector that is all-reduced.</summary>
public static class StepTotals
{
    /// <summary>Sum of the retain samples' losses divided by their number.</summary>
    public const int RetainLoss = 0;

    /// <summary>Sum of the forget samples' losses divided by their number.</summary>
    public const int ForgetLoss = 1;

    /// <summary>Share of the retain samples answered right, in [0,1].</summary>
    public const int RetainAccuracy = 2;

    /// <summary>Share of the forget samples answered right, in [0,1].</summary>
    public const int ForgetAccuracy = 3;

    /// <summary>
    /// Above zero where a worker has been asked to stop: all workers learn of it with the same step, so they stop after the
    /// same step. Takes no part in the result.
    /// </summary>
    public const int Stop = 4;

    /// <summary>Number of totals.</summary>
    public const int Length = 5;
}
