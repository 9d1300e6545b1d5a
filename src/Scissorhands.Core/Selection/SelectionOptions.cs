namespace Scissorhands.Core.Selection;

/// <summary>What happens to saliencies equal to the threshold.</summary>
public enum TieRule
{
    /// <summary>Exactly n - k are selected: lower flat index first among equals.</summary>
    Index,

    /// <summary>Only saliencies above the k-th smallest are selected, as the public code does: n - k or fewer.</summary>
    Strict,
}

/// <summary>What is selected, and how the search for the threshold is tuned.</summary>
/// <param name="Fraction">Share to select, in (0,1): of n elements the n - floor((1 - fraction) * n) largest.</param>
/// <param name="Ties">What happens to equals of the threshold.</param>
/// <param name="Seed">The run's seed; chooses the sample, which changes the time taken but never the result.</param>
public sealed record SelectionOptions(decimal Fraction, TieRule Ties, long Seed)
{
    /// <summary>The default of <see cref="SampleSize"/>.</summary>
    public const int DefaultSampleSize = 65_536;

    /// <summary>
    /// Elements sampled to bracket the threshold. Vectors no longer than this are bracketed whole; 0 goes straight to the
    /// radix rounds. Never changes the result. Default: 65,536.
    /// </summary>
    public int SampleSize { get; init; } = DefaultSampleSize;

    /// <summary>
    /// Half-width of the bracket in standard deviations of the sample quantile; at 4 about one bracket in 16,000
    /// misses, which costs two more passes. Never changes the result. Default: 4.
    /// </summary>
    public double MarginDeviations { get; init; } = 4;
}

/// <summary>
/// The threshold, equal on all ranks but for <see cref="LocalTieQuota"/>. Selected are the saliencies above
/// <see cref="Threshold"/> and, of those equal to it, the first <see cref="TieQuota"/> in flat order.
/// </summary>
/// <param name="Threshold">The k-th smallest saliency; 0 where k is 0.</param>
/// <param name="Considered">n: elements ranked, over all ranks.</param>
/// <param name="Above">Elements above the threshold, over all ranks.</param>
/// <param name="TieQuota">Elements equal to the threshold that are selected, over all ranks.</param>
/// <param name="LocalTieQuota">How many of those are on this rank; they are its first ones.</param>
/// <param name="Rounds">Exchanges of counts it took.</param>
/// <param name="BracketHeld">Whether the sample's bracket held the threshold, so that one pass was enough.</param>
/// <param name="Passes">Passes over the saliencies it took.</param>
public readonly record struct SelectionResult(
    float Threshold, long Considered, long Above, long TieQuota, long LocalTieQuota, int Rounds, bool BracketHeld, int Passes)
{
    /// <summary>Elements selected over all ranks.</summary>
    public long Selected => Above + TieQuota;
}
