using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Worker.Stages;

/// <summary>
/// Adds up the leaves a worker holds, one after the other, into the roots of whole subtrees: at most ceil(log2 of leaves
/// held) partial sums exist at a time. A single leaf is passed on where it lies, without a copy.
/// </summary>
internal sealed class LeafFold : IDisposable
{
    private readonly TreeAccumulator _accumulator;
    private SubtreeSum? _single;

    /// <summary>Prepares a fold.</summary>
    /// <param name="leaves">Leaves of the tree.</param>
    public LeafFold(int leaves)
    {
        _accumulator = new TreeAccumulator(new ReductionTree(leaves));
    }

    /// <summary>The roots of the subtrees held.</summary>
    public IReadOnlyList<SubtreeSum> Roots => _single is { } single ? [single] : _accumulator.Roots;

    /// <summary>Adds a leaf.</summary>
    /// <param name="leaf">Its index.</param>
    /// <param name="values">Its vector; copied unless it is the only one.</param>
    /// <param name="held">Leaves this worker holds in all.</param>
    public void Add(int leaf, ReadOnlyMemory<float> values, int held)
    {
        if (held == 1)
        {
            _single = new SubtreeSum(new TreeNode(0, leaf), values);
        }
        else
        {
            _accumulator.Add(new TreeNode(0, leaf), values.Span);
        }
    }

    /// <inheritdoc />
    public void Dispose() => _accumulator.Dispose();
}
