namespace Scissorhands.Certificates.Statements;

/// <summary>What was measured, in percent, and what was asked of it.</summary>
public sealed record EvaluationRecord
{
    /// <summary>The model before.</summary>
    public required FiguresRecord Before { get; init; }

    /// <summary>The model that was published.</summary>
    public required FiguresRecord After { get; init; }

    /// <summary>A model trained without the forgotten samples; absent where none was given.</summary>
    public FiguresRecord? Retrained { get; init; }

    /// <summary>Share of right answers on what earlier runs forgot, of the published model; absent where it was not measured.</summary>
    public double? EarlierAccuracy { get; init; }

    /// <summary>The bounds that were set; empty where none were.</summary>
    public required IReadOnlyList<BoundRecord> Bounds { get; init; }

    /// <summary>What the bounds say together (<see cref="Of"/>).</summary>
    public required Verdict Verdict { get; init; }

    /// <summary>What bounds say together: one that failed fails all, one that is open leaves all open.</summary>
    /// <param name="bounds">The bounds.</param>
    /// <returns>The verdict.</returns>
    public static Verdict Of(IReadOnlyList<BoundRecord> bounds)
    {
        ArgumentNullException.ThrowIfNull(bounds);
        return bounds.Count == 0 ? Verdict.Unjudged
            : bounds.Any(static bound => bound.Verdict == Verdict.Fail) ? Verdict.Fail
            : bounds.All(static bound => bound.Verdict == Verdict.Pass) ? Verdict.Pass
            : Verdict.Inconclusive;
    }
}

/// <summary>Figures of one model, in percent.</summary>
public sealed record FiguresRecord
{
    /// <summary>Unlearning accuracy: 100 - accuracy on the forgotten samples.</summary>
    public required double Ua { get; init; }

    /// <summary>Accuracy on the samples that stay.</summary>
    public required double Ra { get; init; }

    /// <summary>Accuracy on the test data; absent where none was given.</summary>
    public double? Ta { get; init; }

    /// <summary>Share of the forgotten samples that the membership attack calls non-member; absent where it did not run.</summary>
    public double? Mia { get; init; }
}

/// <summary>One bound and how the published model does on it.</summary>
public sealed record BoundRecord
{
    /// <summary>The figure: <c>ua</c>, <c>ra</c>, <c>ta</c>, <c>mia</c>, <c>averageGap</c>, or another that is named in words.</summary>
    public required string Metric { get; init; }

    /// <summary>Its value.</summary>
    public required double Value { get; init; }

    /// <summary>The least that is allowed; absent where there is no such bound.</summary>
    public double? Minimum { get; init; }

    /// <summary>The most that is allowed; absent where there is no such bound.</summary>
    public double? Maximum { get; init; }

    /// <summary>Where the value lies with the confidence given; absent where it is exact or no interval was taken.</summary>
    public IntervalRecord? Interval { get; init; }

    /// <summary>Whether it is kept.</summary>
    public required Verdict Verdict { get; init; }
}

/// <summary>A confidence interval (Clopper and Pearson's, of a share of samples).</summary>
/// <param name="Lower">Lower end, in percent.</param>
/// <param name="Upper">Upper end, in percent.</param>
/// <param name="Confidence">Probability in (0,1) that such intervals cover the value.</param>
public sealed record IntervalRecord(double Lower, double Upper, double Confidence);

/// <summary>Whether bounds are kept.</summary>
public enum Verdict
{
    /// <summary>All of them.</summary>
    Pass,

    /// <summary>Not all of them.</summary>
    Fail,

    /// <summary>The samples are too few to tell.</summary>
    Inconclusive,

    /// <summary>No bounds were set.</summary>
    Unjudged,
}
