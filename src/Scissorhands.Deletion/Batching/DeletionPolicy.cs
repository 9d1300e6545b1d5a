using System.Text.Json.Nodes;
using Scissorhands.Deletion.Gate;
using Scissorhands.Planning;

namespace Scissorhands.Deletion.Batching;

/// <summary>A setting of the method that an attempt is made with, over the model's own configuration.</summary>
public sealed record PolicyPreset
{
    /// <summary>Its name, for reports.</summary>
    public required string Name { get; init; }

    /// <summary>Configuration keys, as in a configuration file.</summary>
    public JsonObject Configuration { get; init; } = [];
}

/// <summary>A time of day at which no run begins, in UTC. May pass midnight.</summary>
/// <param name="From">First minute.</param>
/// <param name="To">First minute after.</param>
public sealed record QuietHours(TimeOnly From, TimeOnly To)
{
    /// <summary>Whether a moment lies within.</summary>
    /// <param name="now">The moment.</param>
    /// <returns>Whether it does.</returns>
    public bool Contain(DateTimeOffset now)
    {
        var time = TimeOnly.FromDateTime(now.UtcDateTime);
        return From <= To ? time >= From && time < To : time >= From || time < To;
    }
}

/// <summary>When requests of a model become a run, and what its result must show.</summary>
public sealed record DeletionPolicy
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(365);

    /// <summary>A request waits for others no longer than this. Default: 1 hour.</summary>
    public TimeSpan MaxWait { get; init; } = TimeSpan.FromHours(1);

    /// <summary>As soon as so many requests wait, they become a run. Default: 100.</summary>
    public int MinRequests { get; init; } = 100;

    /// <summary>Most requests of one run; the others go into the next. Default: 10,000.</summary>
    public int MaxRequests { get; init; } = 10_000;

    /// <summary>A request whose deadline is nearer than this is at risk: it neither waits for others nor for quiet hours to end. Default: 3 days.</summary>
    public TimeSpan Slack { get; init; } = TimeSpan.FromDays(3);

    /// <summary>Times of day at which no run begins. Default: none.</summary>
    public IReadOnlyList<QuietHours> QuietHours { get; init; } = [];

    /// <summary>How long a run takes, for the completion that callers are told to expect. Default: 1 hour.</summary>
    public TimeSpan ExpectedRun { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Settings from mild to strong. A result that remembers too much is tried again with the next stronger one, one that was damaged with the next milder. Default: one, the model's own configuration.</summary>
    public IReadOnlyList<PolicyPreset> Presets { get; init; } = [new PolicyPreset { Name = "default" }];

    /// <summary>The preset of the first attempt. Default: the first.</summary>
    public string? FirstPreset { get; init; }

    /// <summary>Most attempts of a batch. Default: 3.</summary>
    public int MaxAttempts { get; init; } = 3;

    /// <summary>
    /// The longest wait after a batch whose run failed for a reason that may pass, until its requests are tried again. The first
    /// is 10 minutes, and each further batch that fails in a row doubles it. Default: 1 day.
    /// </summary>
    public TimeSpan RetryAfter { get; init; } = TimeSpan.FromDays(1);

    /// <summary>
    /// Superseded versions whose weights are kept, the newest of them, so that the model can be rolled back. They know what
    /// was forgotten since, and the certificate says that they exist. Default: 0.
    /// </summary>
    public int KeepVersions { get; init; }

    /// <summary>What a result must show.</summary>
    public GateBounds Gate { get; init; } = new();

    /// <summary>How far successive runs may take the model from what was registered before training anew is recommended.</summary>
    public DriftBudget Retrain { get; init; } = new();

    /// <summary>Checks the values.</summary>
    /// <exception cref="InputException">Names the key.</exception>
    public void Validate()
    {
        Require(MaxWait >= TimeSpan.Zero && MaxWait <= Longest, "maxWait: must be between 0 and 365 days");
        Require(MinRequests >= 1, "minRequests: must be at least 1");
        Require(MaxRequests >= MinRequests, "maxRequests: must be at least minRequests");
        Require(Slack >= TimeSpan.Zero && Slack <= Longest, "slack: must be between 0 and 365 days");
        Require(ExpectedRun > TimeSpan.Zero && ExpectedRun <= Longest, "expectedRun: must be above 0 and at most 365 days");
        Require(RetryAfter > TimeSpan.Zero && RetryAfter <= Longest, "retryAfter: must be above 0 and at most 365 days");
        Require(Presets.Count > 0, "presets: at least one is needed");
        Require(Presets.Select(static p => p.Name).Distinct(StringComparer.Ordinal).Count() == Presets.Count, "presets: two have the same name");
        Require(FirstPreset is null || Presets.Any(p => p.Name == FirstPreset), $"firstPreset: there is no preset {FirstPreset}");
        Require(MaxAttempts is >= 1 and <= 20, "maxAttempts: must be between 1 and 20");
        Require(KeepVersions is >= 0 and <= 100, "keepVersions: must be between 0 and 100");
        Gate.Validate();
        Retrain.Validate();
    }

    private static void Require(bool condition, string message)
    {
        if (!condition)
        {
            throw new InputException($"policy.{message}");
        }
    }
}
