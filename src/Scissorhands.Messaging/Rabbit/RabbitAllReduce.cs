using System.Runtime.InteropServices;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Rabbit;

/// <summary>
/// One rank's side of an all-reduce: gathers the subtrees of its own range, finishes the tree there, and collects the
/// finished ranges of the others. Called under the group's lock, except for <see cref="SumOwned"/>.
/// </summary>
internal sealed class RabbitAllReduce : RabbitOperation
{
    private readonly int _ranks;
    private readonly Dictionary<TreeNode, Piecewise> _received = [];
    private readonly Dictionary<int, float[]> _early = [];
    private readonly HashSet<int> _finishedPieces = [];
    private IReadOnlyList<SubtreeSum> _held = [];
    private Memory<float> _result;
    private long _missing;
    private bool _summed;

    internal RabbitAllReduce(int leaves, int length, int rank, int ranks)
    {
        Leaves = leaves;
        Length = length;
        _ranks = ranks;
        Owned = RangeOwnership.Owned(length, rank, ranks);
        _missing = length;
    }

    /// <summary>Leaves of the tree.</summary>
    internal int Leaves { get; }

    /// <summary>Elements of the vector.</summary>
    internal int Length { get; }

    /// <summary>The range this rank finishes.</summary>
    internal IndexRange Owned { get; }

    internal override bool IsFinished => Started && _missing == 0 && Sent;

    /// <summary>Whether all this rank had to send is with the broker.</summary>
    internal bool Sent { get; set; }

    /// <summary>This rank comes to the operation.</summary>
    /// <returns>What is wrong, or null.</returns>
    internal string? Start(int leaves, IReadOnlyList<SubtreeSum> held, Memory<float> result)
    {
        if (leaves != Leaves || result.Length != Length)
        {
            return $"{leaves} leaves of {result.Length} elements, a peer has {Leaves} of {Length}";
        }

        foreach (var subtree in held)
        {
            if (subtree.Values.Length != Length)
            {
                return $"node {TreeSum.Describe(subtree.Node)} has {subtree.Values.Length} elements, not {Length}";
            }
        }

        _held = held;
        _result = result;
        Started = true;
        return null;
    }

    /// <summary>Writes the pieces that came before this rank did. Only once its own contributions are with the broker: the result may be their memory.</summary>
    internal void TakeEarly()
    {
        Sent = true;
        foreach (var (first, values) in _early)
        {
            Write(first, values);
        }

        _early.Clear();
    }

    /// <summary>Whether the owned range can be summed now; true only once.</summary>
    internal bool TryBeginSum(out string? problem, out TreeSum? sum)
    {
        (problem, sum) = (null, null);
        if (!Started || _summed)
        {
            return false;
        }

        var tree = new ReductionTree(Leaves);
        var parts = new List<SubtreeSum>();
        long leaves = 0;
        foreach (var subtree in _held)
        {
            parts.Add(subtree with { Values = subtree.Values[Owned.Start..Owned.End] });
            leaves += tree.Contains(subtree.Node) ? tree.LeavesOf(subtree.Node).Count : 0;
        }

        foreach (var (node, pieces) in _received)
        {
            parts.Add(new SubtreeSum(node, pieces.Values));
            leaves += pieces.Missing == 0 ? tree.LeavesOf(node).Count : 0;
        }

        if (Owned.Count > 0 && leaves < Leaves)
        {
            return false;
        }

        _summed = true;
        if (Owned.Count > 0)
        {
            sum = TreeSum.TryCreate(tree, parts, out _, out problem);
        }

        return true;
    }

    /// <summary>Finishes the owned range into memory of its own.</summary>
    internal float[] SumOwned(TreeSum sum)
    {
        var values = GC.AllocateUninitializedArray<float>(Owned.Count);
        var scratch = new float[sum.Depth * SumOperation.ChunkElements];
        for (var start = 0; start < values.Length; start += SumOperation.ChunkElements)
        {
            var count = Math.Min(SumOperation.ChunkElements, values.Length - start);
            sum.Evaluate(start, count, scratch).CopyTo(values.AsSpan(start));
        }

        return values;
    }

    /// <summary>Writes a finished piece where it belongs.</summary>
    internal void Write(int first, ReadOnlySpan<float> values)
    {
        if (_finishedPieces.Add(first))
        {
            values.CopyTo(_result.Span[first..]);
            _missing -= values.Length;
        }
    }

    internal override string? Receive(TensorFrame frame)
    {
        if (frame.Kind is not (FrameKind.Contribution or FrameKind.Result) || frame.Leaves != Leaves || frame.Length != Length)
        {
            return $"a {frame.Kind} frame of {frame.Leaves} leaves and {frame.Length} elements, here {Leaves} and {Length}";
        }

        var values = MemoryMarshal.Cast<byte, float>(frame.Payload.Span);
        if (frame.Kind == FrameKind.Contribution)
        {
            if (frame.First < Owned.Start || frame.First + values.Length > Owned.End)
            {
                return $"elements {frame.First} to {frame.First + values.Length}, which it does not own";
            }

            if (!_received.TryGetValue(frame.Node, out var pieces))
            {
                _received.Add(frame.Node, pieces = new Piecewise(Owned.Count));
            }

            pieces.Write(frame.First - Owned.Start, values);
            return null;
        }

        var theirs = RangeOwnership.Owned(Length, frame.Rank, _ranks);
        if (frame.First < theirs.Start || frame.First + values.Length > theirs.End || (frame.First - theirs.Start) % TensorFrame.MaxElements != 0)
        {
            return $"finished elements {frame.First} to {frame.First + values.Length}, which the sender does not own";
        }

        if (Sent)
        {
            Write(frame.First, values);
        }
        else
        {
            _early.TryAdd(frame.First, values.ToArray());
        }

        return null;
    }

    /// <summary>A vector that arrives in pieces; a repeated piece changes nothing.</summary>
    private sealed class Piecewise(int length)
    {
        private readonly HashSet<int> _pieces = [];

        public float[] Values { get; } = new float[length];

        public int Missing { get; private set; } = length;

        public void Write(int first, ReadOnlySpan<float> values)
        {
            if (_pieces.Add(first))
            {
                values.CopyTo(Values.AsSpan(first));
                Missing -= values.Length;
            }
        }
    }
}
