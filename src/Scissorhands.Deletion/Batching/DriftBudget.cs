using System.Globalization;
using Scissorhands.Planning;

namespace Scissorhands.Deletion.Batching;

/// <summary>How far a lineage is from the model that was registered.</summary>
/// <param name="Runs">Versions published since, those that were taken back not counted.</param>
/// <param name="ForgottenShare">Samples forgotten since, in percent of the training data as it was.</param>
/// <param name="TestDrop">Points of test accuracy lost since; null where there is no test data.</param>
public sealed record LineageDrift(int Runs, double ForgottenShare, double? TestDrop);

/// <summary>
/// How far successive runs may take a model from what was trained: each is judged against the version before, so that small
/// losses add up unseen. Beyond it the service recommends to train anew; requests are carried out all the same.
/// </summary>
public sealed record DriftBudget
{
    /// <summary>Most runs; null for any number. Default: none.</summary>
    public int? MaxRuns { get; init; }

    /// <summary>Most of the training data, in percent, that is forgotten. Default: 10.</summary>
    public double? MaxForgottenShare { get; init; } = 10;

    /// <summary>Most points of test accuracy that are lost. Default: 5.</summary>
    public double? MaxTestDrop { get; init; } = 5;

    /// <summary>Which parts of the budget are used up.</summary>
    /// <param name="drift">How far the lineage is.</param>
    /// <returns>In words with the numbers; null where none is.</returns>
    public string? Exceeded(LineageDrift drift)
    {
        ArgumentNullException.ThrowIfNull(drift);
        string?[] parts =
        [
            drift.Runs > MaxRuns ? string.Create(CultureInfo.InvariantCulture, $"{drift.Runs} runs (at most {MaxRuns})") : null,
            drift.ForgottenShare > MaxForgottenShare ? string.Create(CultureInfo.InvariantCulture, $"{drift.ForgottenShare:F2} % of the training data forgotten (at most {MaxForgottenShare:F2} %)") : null,
            drift.TestDrop > MaxTestDrop ? string.Create(CultureInfo.InvariantCulture, $"{drift.TestDrop:F2} points of test accuracy lost (at most {MaxTestDrop:F2})") : null,
        ];
        return parts.Any(static p => p is not null) ? $"train the model anew: {string.Join("; ", parts.OfType<string>())} since it was registered" : null;
    }

    /// <summary>Checks the values.</summary>
    /// <exception cref="InputException">Names the key.</exception>
    public void Validate()
    {
        Require(MaxRuns is null or >= 1, "maxRuns: must be at least 1");
        Require(MaxForgottenShare is null or (> 0 and <= 100), "maxForgottenShare: must be above 0 and at most 100 (percent)");
        Require(MaxTestDrop is null or (>= 0 and <= 100), "maxTestDrop: must be between 0 and 100 (points)");
    }

    private static void Require(bool condition, string message)
    {
        if (!condition)
        {
            throw new InputException($"policy.retrain.{message}");
        }
    }
}
