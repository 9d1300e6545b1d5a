using Scissorhands.Planning;

namespace Scissorhands.Deletion.Gate;

/// <summary>What is done where a batch has fewer samples than the gate can judge.</summary>
public enum SmallSetRule
{
    /// <summary>More requests are waited for until a deadline is near; then as <see cref="Accept"/>.</summary>
    Wait,

    /// <summary>What cannot be told apart from the bounds passes; the certificate says so.</summary>
    Accept,

    /// <summary>What cannot be told apart from the bounds fails.</summary>
    Reject,
}

/// <summary>
/// Bounds of a result, all in percent. The forget set is compared with a reference: what a model that never saw the samples
/// shows on them. It is a retrained model's figure where one is given, and otherwise the accuracy on held-out test data.
/// </summary>
public sealed record GateBounds
{
    /// <summary>Below so many samples to forget their shares say little. Default: 30.</summary>
    public int MinForgetSamples { get; init; } = 30;

    /// <summary>What is done below. Default: <see cref="SmallSetRule.Wait"/>.</summary>
    public SmallSetRule SmallSets { get; init; } = SmallSetRule.Wait;

    /// <summary>Accuracy on the forget set may lie so far above the reference, in points: more is remembering. Default: 5.</summary>
    public double ForgetAbove { get; init; } = 5;

    /// <summary>And so far below, in points: more is over-unlearning, which gives away who was forgotten. Default: 10.</summary>
    public double ForgetBelow { get; init; } = 10;

    /// <summary>A retrained model's accuracy on the forget set; null where none was trained: test accuracy is the reference.</summary>
    public double? ReferenceForgetAccuracy { get; init; }

    /// <summary>A retrained model's share of the forget set that the attack calls non-members; null for none: it is then only reported.</summary>
    public double? ReferenceMia { get; init; }

    /// <summary>The attack's share may differ from its reference so much, in points and either way. Default: 10.</summary>
    public double MiaWithin { get; init; } = 10;

    /// <summary>Accuracy on the data that is kept may drop so much, in points. Default: 2.</summary>
    public double RetainDrop { get; init; } = 2;

    /// <summary>Accuracy on the test data may drop so much, in points. Default: 2.</summary>
    public double TestDrop { get; init; } = 2;

    /// <summary>Lowest accuracy on the data that is kept, whatever it was before; null for none.</summary>
    public double? MinRetainAccuracy { get; init; }

    /// <summary>Lowest accuracy on the test data, whatever it was before; null for none.</summary>
    public double? MinTestAccuracy { get; init; }

    /// <summary>Checks the values.</summary>
    /// <exception cref="InputException">Names the key.</exception>
    public void Validate()
    {
        if (MinForgetSamples < 1)
        {
            throw new InputException("policy.gate.minForgetSamples: must be at least 1");
        }

        Check("forgetAbove", ForgetAbove);
        Check("forgetBelow", ForgetBelow);
        Check("referenceForgetAccuracy", ReferenceForgetAccuracy);
        Check("referenceMia", ReferenceMia);
        Check("miaWithin", MiaWithin);
        Check("retainDrop", RetainDrop);
        Check("testDrop", TestDrop);
        Check("minRetainAccuracy", MinRetainAccuracy);
        Check("minTestAccuracy", MinTestAccuracy);
    }

    private static void Check(string key, double? value)
    {
        if (value is not null and not (>= 0 and <= 100))
        {
            throw new InputException($"policy.gate.{key}: must be between 0 and 100 (percent)");
        }
    }
}
