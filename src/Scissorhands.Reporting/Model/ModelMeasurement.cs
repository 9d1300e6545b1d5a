namespace Scissorhands.Reporting.Model;

/// <summary>How one model does on the sets of a run.</summary>
public sealed record ModelMeasurement
{
    /// <summary>On D_f.</summary>
    public required SetMeasurement Forget { get; init; }

    /// <summary>On D_r.</summary>
    public required SetMeasurement Retain { get; init; }

    /// <summary>On the test data; null where none was given.</summary>
    public SetMeasurement? Test { get; init; }

    /// <summary>On the half of the test data, by id, that no choice between attempts looks at; null where it is empty. Part of <see cref="Test"/>.</summary>
    public SetMeasurement? TestFinal { get; init; }

    /// <summary>On the samples that earlier runs forgot; null where there are none or they are no longer held.</summary>
    public SetMeasurement? Earlier { get; init; }

    /// <summary>Share of D_f that the membership attack calls non-member, in [0,1]; null where the attack did not run.</summary>
    public double? NonMemberShare { get; init; }

    /// <summary>Points the attack was trained on, members and non-members together.</summary>
    public int AttackPoints { get; init; }

    /// <summary>The figures of the literature, in percent.</summary>
    public MetricSet Percent => MetricSet.Of(Forget.Accuracy, Retain.Accuracy, Test?.Accuracy, NonMemberShare);
}

/// <summary>How one model does on one set.</summary>
public sealed record SetMeasurement
{
    /// <summary>Bins of <see cref="Confidence"/>.</summary>
    public const int ConfidenceBins = 20;

    /// <summary>Samples.</summary>
    public required long Count { get; init; }

    /// <summary>Share of right answers, in [0,1].</summary>
    public required double Accuracy { get; init; }

    /// <summary>Mean loss; infinite where a right answer got no confidence at all.</summary>
    public required double Loss { get; init; }

    /// <summary>
    /// Samples by the confidence in the true class, in <see cref="ConfidenceBins"/> equal bins over [0,1]; empty where the
    /// task knows no confidence or none was kept.
    /// </summary>
    public IReadOnlyList<long> Confidence { get; init; } = [];
}

/// <summary>The figures of the unlearning literature, in percent.</summary>
/// <param name="Ua">Unlearning accuracy: 100 - accuracy on D_f.</param>
/// <param name="Ra">Remaining accuracy: accuracy on D_r.</param>
/// <param name="Ta">Test accuracy; null where there was no test data.</param>
/// <param name="Mia">Share of D_f that the membership attack calls non-member; null where it did not run.</param>
public sealed record MetricSet(double Ua, double Ra, double? Ta, double? Mia)
{
    // Far below one sample of any data set, and enough to hide that 100 * (1 - 0.981) is not 1.9 in binary.
    private const int Digits = 9;

    /// <summary>Makes the figures of shares.</summary>
    /// <param name="forgetAccuracy">Accuracy on D_f, in [0,1].</param>
    /// <param name="retainAccuracy">Accuracy on D_r, in [0,1].</param>
    /// <param name="testAccuracy">Accuracy on the test data, in [0,1], or null.</param>
    /// <param name="nonMemberShare">Share of D_f called non-member, in [0,1], or null.</param>
    /// <returns>The figures in percent.</returns>
    public static MetricSet Of(double forgetAccuracy, double retainAccuracy, double? testAccuracy, double? nonMemberShare)
    {
        return new MetricSet(Percent(1 - forgetAccuracy), Percent(retainAccuracy), Percent(testAccuracy), Percent(nonMemberShare));
    }

    /// <summary>The mean absolute difference to another model's UA, RA, TA and MIA, in percentage points.</summary>
    /// <param name="reference">The other model's figures, normally the retrained model's.</param>
    /// <returns>The average gap; null where the reference or one of the eight figures is missing (a mean of fewer would not compare).</returns>
    public double? AverageGap(MetricSet? reference)
    {
        if (reference is not { Ta: { } ta, Mia: { } mia } || Ta is not { } ownTa || Mia is not { } ownMia)
        {
            return null;
        }

        var sum = Math.Abs(Ua - reference.Ua) + Math.Abs(Ra - reference.Ra) + Math.Abs(ownTa - ta) + Math.Abs(ownMia - mia);
        return Math.Round(sum / 4, Digits);
    }

    private static double Percent(double share) => Math.Round(100 * share, Digits);

    private static double? Percent(double? share) => share is { } value ? Percent(value) : null;
}
