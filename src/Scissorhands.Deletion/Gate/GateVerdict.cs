namespace Scissorhands.Deletion.Gate;

/// <summary>What a check says.</summary>
public enum GateOutcome
{
    /// <summary>The whole interval lies within the bounds, or the share does where there are enough samples.</summary>
    Pass,

    /// <summary>Too few samples: the interval reaches over a bound.</summary>
    Inconclusive,

    /// <summary>Below the lower bound.</summary>
    TooLow,

    /// <summary>Above the upper bound.</summary>
    TooHigh,
}

/// <summary>One figure against its bounds, all in percent.</summary>
/// <param name="Name">What was measured: <c>forgetAccuracy</c>, <c>mia</c>, <c>retainAccuracy</c>, <c>testAccuracy</c>, <c>earlierAccuracy</c>.</param>
/// <param name="Value">The figure.</param>
/// <param name="Count">Samples it was measured on.</param>
/// <param name="Low">Lower end of its 95 % interval.</param>
/// <param name="High">Upper end.</param>
/// <param name="Min">Lower bound; null for none.</param>
/// <param name="Max">Upper bound; null for none.</param>
/// <param name="Outcome">What that says.</param>
public sealed record GateCheck(string Name, double Value, long Count, double Low, double High, double? Min, double? Max, GateOutcome Outcome);

/// <summary>What follows.</summary>
public enum GateDecision
{
    /// <summary>The version may be published.</summary>
    Publish,

    /// <summary>The model still remembers: a stronger preset.</summary>
    Stronger,

    /// <summary>The model was damaged, or forgot more than what it was asked to: a milder preset.</summary>
    Milder,
}

/// <summary>What the gate says of a result.</summary>
/// <param name="Decision">What follows.</param>
/// <param name="Checks">The checks.</param>
/// <param name="Notes">What was not judged and why, and rules of the policy that decided.</param>
public sealed record GateVerdict(GateDecision Decision, IReadOnlyList<GateCheck> Checks, IReadOnlyList<string> Notes)
{
    /// <summary>In words, for reasons and logs.</summary>
    /// <returns>The checks that did not pass.</returns>
    public string Describe() => string.Join("; ", Checks.Where(static c => c.Outcome != GateOutcome.Pass).Select(static c => string.Create(
        System.Globalization.CultureInfo.InvariantCulture,
        $"{c.Name} {c.Value:F2} % ({c.Low:F2} to {c.High:F2} on {c.Count} samples), bounds {c.Min?.ToString("F2", System.Globalization.CultureInfo.InvariantCulture) ?? "none"} to {c.Max?.ToString("F2", System.Globalization.CultureInfo.InvariantCulture) ?? "none"}")));
}
