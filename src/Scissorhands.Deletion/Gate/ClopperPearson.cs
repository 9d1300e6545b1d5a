using MathNet.Numerics.Distributions;

namespace Scissorhands.Deletion.Gate;

/// <summary>An interval of shares, in [0, 1].</summary>
/// <param name="Low">Lower end.</param>
/// <param name="High">Upper end.</param>
public readonly record struct ShareInterval(double Low, double High)
{
    /// <summary>Whether a share lies within.</summary>
    /// <param name="share">The share.</param>
    /// <returns>Whether it does, the ends included.</returns>
    public bool Contains(double share) => share >= Low && share <= High;
}

/// <summary>The exact binomial interval (Clopper and Pearson, Biometrika 26, 1934), by quantiles of the beta distribution.</summary>
public static class ClopperPearson
{
    /// <summary>The interval of a share.</summary>
    /// <param name="hits">Samples that count, 0 to <paramref name="count"/>.</param>
    /// <param name="count">All samples, at least 1.</param>
    /// <param name="confidence">How sure it is, in (0, 1). Default: 0.95, equally on both sides.</param>
    /// <returns>The interval.</returns>
    public static ShareInterval Of(long hits, long count, double confidence = 0.95)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(hits, 0);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(hits, count);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(confidence, 0);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(confidence, 1);
        var tail = (1 - confidence) / 2;
        return new ShareInterval(
            hits == 0 ? 0 : Beta.InvCDF(hits, count - hits + 1, tail),
            hits == count ? 1 : Beta.InvCDF(hits + 1, count - hits, 1 - tail));
    }
}
