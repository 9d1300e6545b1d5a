namespace Scissorhands.Drill.Intake;

/// <summary>How hard the intake is drilled.</summary>
public sealed record IntakeDrillOptions
{
    /// <summary>Different requests. Default: 300.</summary>
    public int Requests { get; init; } = 300;

    /// <summary>How often one of coordinator, broker and database is killed and started anew while requests are sent; each at least once from three on. Default: 4.</summary>
    public int Strikes { get; init; } = 4;

    /// <summary>Chooses requests, moments and what is struck. Default: 1.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>How long after the last was accepted all of them may take to be carried out. Default: 3 minutes.</summary>
    public TimeSpan SettleLimit { get; init; } = TimeSpan.FromMinutes(3);

    /// <summary>For how long all of it may last. Default: 8 minutes.</summary>
    public TimeSpan Limit { get; init; } = TimeSpan.FromMinutes(8);
}

/// <summary>What became of a drill.</summary>
/// <param name="Completed">Requests that a certificate speaks of.</param>
/// <param name="Held">Those that wait as they were asked to.</param>
/// <param name="Explained">Reasons of those that were rejected or failed, each with how many.</param>
/// <param name="Batches">Completed batches.</param>
/// <param name="Strikes">What was struck, in order, and after how many accepted requests.</param>
/// <param name="Faults">What is wrong; empty where nothing was lost.</param>
public sealed record IntakeDrillOutcome(int Completed, int Held, IReadOnlyDictionary<string, int> Explained, int Batches, IReadOnlyList<string> Strikes, IReadOnlyList<string> Faults);
