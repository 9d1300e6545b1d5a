namespace Scissorhands.Benchmarks.Coordinator;

/// <summary>What a simulation measured, as it is printed.</summary>
/// <param name="Store">"sqlite" or "postgresql".</param>
/// <param name="Workers">Workers.</param>
/// <param name="Runs">Runs.</param>
/// <param name="Leases">Leases of all runs.</param>
/// <param name="LeasesCounted">Leases in durable sums.</param>
/// <param name="LeasesComputed">With those that were computed again.</param>
/// <param name="RunsCompleted">Runs that have ended well.</param>
/// <param name="Generations">Generations of all runs.</param>
/// <param name="Violations">Leases missing or twice in a sum, and sums that the coordinator took for another length.</param>
/// <param name="SubmitMilliseconds">Longest submission.</param>
/// <param name="Decisions">Questions and reports.</param>
/// <param name="MedianMilliseconds">Median time of an answer.</param>
/// <param name="P99Milliseconds">99th percentile.</param>
/// <param name="LongestMilliseconds">Longest.</param>
/// <param name="PeakMebibytes">Largest resident set of coordinator and simulated workers together.</param>
/// <param name="Seconds">Wall time.</param>
/// <param name="ProcessorSeconds">Processor time of coordinator and simulated workers together.</param>
internal sealed record SimulationOutcome(
    string Store,
    int Workers,
    int Runs,
    long Leases,
    long LeasesCounted,
    long LeasesComputed,
    int RunsCompleted,
    long Generations,
    int Violations,
    double SubmitMilliseconds,
    int Decisions,
    double MedianMilliseconds,
    double P99Milliseconds,
    double LongestMilliseconds,
    double PeakMebibytes,
    double Seconds,
    double ProcessorSeconds)
{
    /// <summary>Whether every run has ended with every lease counted once.</summary>
    public bool Holds => RunsCompleted == Runs && Violations == 0 && LeasesCounted == Leases;
}
