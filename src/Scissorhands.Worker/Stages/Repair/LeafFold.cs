using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Wire;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Worker.Stages.Repair;

/// <summary>
/// Adds up the leaves a worker holds, one after the other, into the roots of whole subtrees: at most ceil(log2 of leaves
/// held) partial sums exist at a time, in memory that every step uses again. A single leaf is passed on where it lies,
/// without a copy.
/// </summary>
internal sealed class LeafFold : IDisposable
{
    private readonly TreeAccumulator _accumulator;
    private SubtreeSum? _single;
    private int _held;

    /// <summary>Prepares.</summary>
    /// <param name="longest">Elements of the longest vectors to be added up.</param>
    public LeafFold(int longest)
    {
        _accumulator = new TreeAccumulator(new ReductionTree(1), longest);
    }

    /// <summary>The roots of the subtrees held; valid until the next fold begins.</summary>
    public IReadOnlyList<SubtreeSum> Roots => _single is { } single ? [single] : _accumulator.Roots;

    /// <summary>Begins a fold.</summary>
    /// <param name="leaves">Leaves of the tree.</param>
    /// <param name="held">Leaves this worker holds.</param>
    /// <param name="format">What leaves and sums are rounded to; a single leaf is left to the group to round.</param>
    public void Begin(int leaves, int held, WireFormat format = WireFormat.Fp32)
    {
        _accumulator.Reset(new ReductionTree(leaves), format);
        _single = null;
        _held = held;
    }

    /// <summary>Adds a leaf.</summary>
    /// <param name="leaf">Its index.</param>
    /// <param name="values">Its vector; copied unless it is the only one.</param>
    public void Add(int leaf, ReadOnlyMemory<float> values)
    {
        if (_held == 1)
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
