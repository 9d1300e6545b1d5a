using Scissorhands.Deletion.Requests;
using Scissorhands.Planning;

namespace Scissorhands.Coordinator.Access;

/// <summary>How much a caller may ask over HTTP. What comes over the broker is bounded by how much is taken from there at once, and has no other limit.</summary>
public sealed record CallLimitOptions
{
    private const int Most = 100_000_000;

    /// <summary>Submissions of a caller a second, on average; twice as many at once. 0: no limit. Default: 5,000.</summary>
    public int SubmissionsPerSecond { get; init; } = 5_000;

    /// <summary>Names of samples and persons in the submissions of a caller a second, on average; twice as many at once, and never less than one body may hold. 0: no limit. Default: 500,000.</summary>
    public int NamesPerSecond { get; init; } = 500_000;

    /// <summary>Keys and tokens of one address that may be refused a minute; as many at once. Those that come after are not looked at. 0: no limit. Default: 120.</summary>
    public int RefusalsPerMinute { get; init; } = 120;

    /// <summary>Most names at once.</summary>
    internal int NamesAtOnce => Math.Max(2 * NamesPerSecond, DeletionSubmission.MostInline);

    /// <summary>Checks the limits.</summary>
    /// <exception cref="InputException">One is out of range; names its option.</exception>
    public void Validate()
    {
        foreach (var (name, value) in ((string, int)[])[("--limit-submissions", SubmissionsPerSecond), ("--limit-names", NamesPerSecond), ("--limit-refusals", RefusalsPerMinute)])
        {
            if (value is < 0 or > Most)
            {
                throw new InputException($"{name} {value}: must be between 0, which is no limit, and {Most}");
            }
        }
    }
}
