namespace Scissorhands.Core.Selection;

/// <summary>
/// Adds integers up over the workers that hold the ranges of one vector; all that exact selection needs of a network.
/// Ranks are numbered in the order of their ranges: rank r's elements come before those of rank r + 1.
/// </summary>
public interface ICountExchange
{
    /// <summary>This worker's position in [0, <see cref="Size"/>).</summary>
    int Rank { get; }

    /// <summary>Workers that take part.</summary>
    int Size { get; }

    /// <summary>Replaces every count by its sum over the ranks. All ranks call it equally often, with equal lengths.</summary>
    /// <param name="counts">This rank's addends; receives the sums.</param>
    void Sum(Span<long> counts);
}

/// <summary>The exchange of a worker that holds the whole vector.</summary>
public sealed class SingleRankExchange : ICountExchange
{
    /// <inheritdoc />
    public int Rank => 0;

    /// <inheritdoc />
    public int Size => 1;

    /// <inheritdoc />
    public void Sum(Span<long> counts)
    {
    }
}
