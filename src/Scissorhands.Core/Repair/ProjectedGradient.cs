using Scissorhands.Core.Projection;
using Scissorhands.Planning.Configuration;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Core.Repair;

/// <summary>
/// The epoch's memory gradients and the projection of step gradients against them (the dual of GEM's projection, with a
/// margin): only dot products and the t x t Gram matrix are needed.
/// </summary>
public sealed class ProjectedGradient : IDisposable
{
    private readonly ProjectionConfiguration _options;
    private readonly IReadOnlyList<IndexRange> _segments;
    private readonly List<float[]> _memories = [];
    private readonly Stack<float[]> _free = [];
    private IReadOnlyList<IndexRange> _partSegments = [];
    private IndexRange _part;
    private IBlockExchange? _exchange;
    private double[,]? _gram;

    /// <summary>Prepares the projection.</summary>
    /// <param name="options">Margin and ridge.</param>
    /// <param name="segments">Ranges of the moving vector the projection sees.</param>
    /// <param name="part">The part of the moving vector that is held here; all of it unless others hold the rest.</param>
    public ProjectedGradient(ProjectionConfiguration options, IReadOnlyList<IndexRange> segments, IndexRange part)
    {
        ArgumentNullException.ThrowIfNull(segments);
        _options = options;
        _segments = segments;
        Hold(part, null);
    }

    /// <summary>The memory gradients, each over the part.</summary>
    public IReadOnlyList<float[]> Memories => _memories;

    /// <summary>Takes over a part, and who holds the rest. The memories stay where the part does; all holders go on together.</summary>
    /// <param name="part">The part of the moving vector, beginning with a block.</param>
    /// <param name="exchange">The others; null where there are none.</param>
    public void Hold(IndexRange part, IBlockExchange? exchange)
    {
        if (part != _part)
        {
            Clear();
            _free.Clear();
        }

        _part = part;
        _exchange = exchange;
        _partSegments = [.. _segments
            .Select(s => new IndexRange(Math.Max(s.Start, part.Start) - part.Start, Math.Min(s.End, part.End) - part.Start))
            .Where(static s => s.Start < s.End)];

        // It is found by all holders together, and one of them may be new.
        _gram = null;
    }

    /// <summary>Adds a memory gradient, in the place of one of the epoch before where there was one.</summary>
    /// <returns>Over the part, with arbitrary content: to be filled before the next projection.</returns>
    public Memory<float> Add()
    {
        var memory = _free.TryPop(out var free) ? free : GC.AllocateUninitializedArray<float>(_part.Count);
        _memories.Add(memory);
        _gram = null;
        return memory;
    }

    /// <summary>Forgets the memories of an epoch.</summary>
    public void Clear()
    {
        foreach (var memory in _memories)
        {
            _free.Push(memory);
        }

        _memories.Clear();
        _gram = null;
    }

    /// <summary>Projects a gradient in place where it conflicts with a memory: g += G'v. All who hold a part come to it.</summary>
    /// <param name="gradient">The part of it.</param>
    /// <returns>Whether it conflicted and was changed.</returns>
    public bool Project(Span<float> gradient)
    {
        if (_memories.Count == 0)
        {
            return false;
        }

        _gram ??= Gram();
        var dots = Dots(gradient, _memories);
        if (!dots.Any(d => d < 0))
        {
            return false;
        }

        var multipliers = GradientProjection.Solve(_gram, dots, _options.Margin, _options.Eps);
        GradientProjection.Apply(gradient, _memories, multipliers, _partSegments);
        return true;
    }

    private double[] Dots(ReadOnlySpan<float> gradient, IReadOnlyList<float[]> memories)
    {
        var values = BlockedDot.BlockValues(gradient, memories, _segments, _part.Start);
        return BlockedDot.Combine(_exchange?.Gather(values, memories.Count) ?? values, memories.Count);
    }

    private double[,] Gram() => BlockedDot.Gram(_memories, (vector, others) => Dots(vector, others));

    /// <inheritdoc />
    public void Dispose()
    {
        _memories.Clear();
        _free.Clear();
    }
}
