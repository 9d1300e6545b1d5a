using Scissorhands.Planning.Cut;

namespace Scissorhands.Core.Replica;

/// <summary>One parameter's place in the flat order.</summary>
/// <param name="Name">Whole dotted name.</param>
/// <param name="Shape">Dimensions.</param>
/// <param name="Start">Flat index of its first element.</param>
/// <param name="Count">Elements.</param>
/// <param name="IsNormalization">Whether it belongs to a normalisation layer: a module whose weight is 1-D.</param>
public sealed record ParameterSlot(string Name, IReadOnlyList<long> Shape, int Start, int Count, bool IsNormalization)
{
    /// <summary>Flat indices of its elements.</summary>
    public IndexRange Range => new(Start, Start + Count);

    /// <summary>
    /// Inputs of one output unit, as kaiming initialisation counts them: elements of one row; 1 for a 1-D weight, which
    /// the public code treats as a column.
    /// </summary>
    public int FanIn => Shape.Count < 2 ? 1 : (int)Math.Max(1, Count / Math.Max(1, Shape[0]));
}

/// <summary>The flat order: parameters as <c>named_parameters()</c> gives them, each flattened row-major.</summary>
public sealed class ParameterTable
{
    // A flat vector is also seen as bytes, of which a span holds less than 2^31; room is left for buffers and totals.
    private const int MaxCount = 500_000_000;

    /// <summary>Lays out parameters one after the other.</summary>
    /// <param name="parameters">Names and shapes in order.</param>
    public ParameterTable(IEnumerable<(string Name, long[] Shape)> parameters)
    {
        var list = parameters.ToList();
        var normalization = list.Where(p => p.Shape.Length == 1 && p.Name.EndsWith(".weight", StringComparison.Ordinal))
            .Select(p => p.Name[..^"weight".Length]).ToHashSet(StringComparer.Ordinal);
        var slots = new List<ParameterSlot>(list.Count);
        long start = 0;
        foreach (var (name, shape) in list)
        {
            var count = shape.Aggregate(1L, (product, dimension) => checked(product * dimension));
            if (start + count > MaxCount)
            {
                throw new Planning.InputException($"model: more than {MaxCount} parameters (at '{name}') are not supported");
            }

            var layer = name[..(name.LastIndexOf('.') + 1)];
            slots.Add(new ParameterSlot(name, shape, (int)start, (int)count, layer.Length > 0 && normalization.Contains(layer)));
            start += count;
        }

        Slots = slots;
        Count = (int)start;
    }

    /// <summary>The parameters in flat order.</summary>
    public IReadOnlyList<ParameterSlot> Slots { get; }

    /// <summary>Elements of all parameters: n.</summary>
    public int Count { get; }

    /// <summary>The parameter a flat index belongs to.</summary>
    /// <param name="index">Flat index in [0, n).</param>
    /// <returns>The parameter.</returns>
    public ParameterSlot At(long index)
    {
        int low = 0, high = Slots.Count - 1;
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            if (Slots[middle].Start <= index)
            {
                low = middle;
            }
            else
            {
                high = middle - 1;
            }
        }

        return Slots[low];
    }

    /// <summary>Flat ranges of the parameters that satisfy a condition, neighbours joined.</summary>
    /// <param name="included">The condition.</param>
    /// <returns>Disjoint ranges in ascending order.</returns>
    public IReadOnlyList<IndexRange> Segments(Func<ParameterSlot, bool> included)
    {
        ArgumentNullException.ThrowIfNull(included);
        var segments = new List<IndexRange>();
        foreach (var slot in Slots.Where(s => s.Count > 0 && included(s)))
        {
            if (segments.Count > 0 && segments[^1].End == slot.Start)
            {
                segments[^1] = segments[^1] with { End = slot.Range.End };
            }
            else
            {
                segments.Add(slot.Range);
            }
        }

        return segments;
    }
}
