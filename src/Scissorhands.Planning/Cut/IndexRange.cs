namespace Scissorhands.Planning.Cut;

/// <summary>Half-open range [Start, End) of sample positions, batches, blocks or flat parameter indices.</summary>
/// <param name="Start">First index.</param>
/// <param name="End">One past the last index.</param>
public readonly record struct IndexRange(int Start, int End)
{
    /// <summary>Number of indices.</summary>
    public int Count => End - Start;
}
