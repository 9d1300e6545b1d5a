namespace Scissorhands.Certificates.Verification;

/// <summary>One thing that was looked at.</summary>
/// <param name="Name">Short name, stable for scripts.</param>
/// <param name="Outcome">What came of it.</param>
/// <param name="Detail">One line for people.</param>
public sealed record Check(string Name, CheckOutcome Outcome, string Detail);

/// <summary>What came of a check.</summary>
public enum CheckOutcome
{
    /// <summary>It holds.</summary>
    Passed,

    /// <summary>It does not hold: the certificate proves nothing.</summary>
    Failed,

    /// <summary>It was not made, because what it needs was not given.</summary>
    NotMade,
}
