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
    private readonly int _length;
    private readonly List<float[]> _memories = [];
    private readonly Stack<float[]> _free = [];
    private double[,]? _gram;

    /// <summary>Prepares the projection.</summary>
    /// <param name="options">Margin and ridge.</param>
    /// <param name="segments">Ranges of the moving vector the projection sees.</param>
    /// <param name="length">Elements of the moving vector.</param>
    public ProjectedGradient(ProjectionConfiguration options, IReadOnlyList<IndexRange> segments, int length)
    {
        _options = options;
        _segments = segments;
        _length = length;
    }

    /// <summary>The memory gradients, each over the moving vector.</summary>
    public IReadOnlyList<float[]> Memories => _memories;

    /// <summary>Adds a memory gradient, in the place of one of the epoch before where there was one.</summary>
    /// <returns>Over the moving vector, with arbitrary content: to be filled before the next projection.</returns>
    public Span<float> Add()
    {
        var memory = _free.TryPop(out var free) ? free : GC.AllocateUninitializedArray<float>(_length);
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

    /// <summary>Projects a gradient in place where it conflicts with a memory: g += G'v.</summary>
    /// <param name="gradient">Over the moving vector.</param>
    /// <returns>Whether it conflicted and was changed.</returns>
    public bool Project(Span<float> gradient)
    {
        if (_memories.Count == 0)
        {
            return false;
        }

        _gram ??= BlockedDot.Gram(_memories, _segments);
        var dots = BlockedDot.Dots(gradient, _memories, _segments);
        if (!dots.Any(d => d < 0))
        {
            return false;
        }

        var multipliers = GradientProjection.Solve(_gram, dots, _options.Margin, _options.Eps);
        GradientProjection.Apply(gradient, _memories, multipliers, _segments);
        return true;
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _memories.Clear();
        _free.Clear();
    }
}
