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

    /// <summary>Number of totals.</summary>
    public const int Length = 4;
}
