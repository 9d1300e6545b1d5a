using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Scissorhands.Messaging.Wire;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Collectives;

/// <summary>What a rank brings to a sum.</summary>
internal readonly record struct SumPart<T>(int Leaves, int Length, IReadOnlyList<TreePart<T>> Held, Memory<T> Result, WireFormat Format);

/// <summary>What the sums over the tree have in common.</summary>
internal static class SumOperation
{
    internal const string AllReduce = "all-reduce";
    internal const string ReduceScatter = "reduce-scatter";
    internal const string SumDoubles = "sum of doubles";

    /// <summary>Elements of a unit: its pieces of two subtrees and of the sum fit the level-2 cache; divides an ownership block and is a multiple of what is rounded together.</summary>
    internal const int ChunkElements = 16_384;
}

/// <summary>
/// The sum over the tree, for all ranks (all-reduce, sum of doubles) or each rank's range (reduce-scatter). A unit is a piece of the
/// elements: read from all held subtrees, added up in scratch memory, and only then written, because a result may be the
/// memory of a held subtree; no other unit touches those elements.
/// </summary>
/// <typeparam name="T">Type of the elements.</typeparam>
internal sealed class SumOperation<T>(InProcessHub hub, OperationKey key, string kind) : InProcessRendezvous<SumPart<T>>(hub, key)
    where T : unmanaged, IAdditionOperators<T, T, T>, IAdditiveIdentity<T, T>
{
    private readonly bool _scatter = kind == SumOperation.ReduceScatter;
    private TreeSum<T>? _sum;
    private int _length;
    private IndexRange[] _owned = [];

    protected override string Kind => kind;

    protected override int ScratchElements => _sum!.Depth * Math.Min(SumOperation.ChunkElements, _length) * (Unsafe.SizeOf<T>() / sizeof(float));

    internal override string? Prepare(out int units, out int culprit)
    {
        units = 0;
        var first = Of(0);
        _length = first.Length;
        _owned = new IndexRange[Ranks];
        var held = new List<TreePart<T>>();
        var holders = new List<int>();
        for (culprit = 0; culprit < Ranks; culprit++)
        {
            var part = Of(culprit);
            _owned[culprit] = RangeOwnership.Owned(_length, culprit, Ranks);
            if (part.Leaves != first.Leaves)
            {
                return $"{part.Leaves} leaves, rank 0 has {first.Leaves}";
            }

            if (part.Leaves < 1)
            {
                return "no leaves";
            }

            if (part.Length != _length)
            {
                return $"{part.Length} elements, rank 0 has {_length}";
            }

            if (part.Format != first.Format)
            {
                return $"the format is {part.Format}, by rank 0 {first.Format}";
            }

            if (_scatter && part.Result.Length != _owned[culprit].Count)
            {
                return $"the result has {part.Result.Length} elements, the owned range {_owned[culprit].Count}";
            }

            foreach (var subtree in part.Held)
            {
                if (subtree.Values.Length != _length)
                {
                    return $"node {subtree.Node} has {subtree.Values.Length} elements, not {_length}";
                }

                held.Add(subtree);
                holders.Add(culprit);
            }
        }

        _sum = TreeSum<T>.TryCreate(new ReductionTree(first.Leaves), held, out var defect, out var problem, first.Format);
        if (_sum is null)
        {
            culprit = defect < 0 ? -1 : holders[defect];
            return problem;
        }

        culprit = -1;
        if (first.Format == WireFormat.Fp32 && Ranks == 1 && held.Count == 1 && held[0].Values.Span.Overlaps(first.Result.Span, out var offset) && offset == 0)
        {
            return null;
        }

        units = (int)(((long)_length + SumOperation.ChunkElements - 1) / SumOperation.ChunkElements);
        return null;
    }

    protected override void RunUnit(int unit, Span<float> scratch)
    {
        var start = unit * SumOperation.ChunkElements;
        var count = Math.Min(SumOperation.ChunkElements, _length - start);
        var sum = _sum!.Evaluate(start, count, MemoryMarshal.Cast<float, T>(scratch));
        for (var rank = 0; rank < Ranks; rank++)
        {
            if (_scatter)
            {
                if (start >= _owned[rank].Start && start < _owned[rank].End)
                {
                    sum.CopyTo(Of(rank).Result.Span[(start - _owned[rank].Start)..]);
                }
            }
            else
            {
                sum.CopyTo(Of(rank).Result.Span.Slice(start, count));
            }
        }
    }
}

/// <summary>What a rank brings to an all-gather.</summary>
internal readonly record struct GatherPart(IReadOnlyList<IndexRange> Ranges, Memory<byte> Buffer);

/// <summary>Copies every rank's bytes to the others. A unit is a piece of one rank's range.</summary>
internal sealed class GatherOperation(InProcessHub hub, OperationKey key) : InProcessRendezvous<GatherPart>(hub, key)
{
    internal const string AllGather = "all-gather";
    internal const int ChunkBytes = 1 << 18;

    private readonly List<(int Rank, int Start, int Count)> _pieces = [];

    protected override string Kind => AllGather;

    internal override string? Prepare(out int units, out int culprit)
    {
        units = 0;
        var first = Of(0);
        for (culprit = 0; culprit < Ranks; culprit++)
        {
            var part = Of(culprit);
            if (part.Buffer.Length != first.Buffer.Length)
            {
                return $"{part.Buffer.Length} bytes, rank 0 has {first.Buffer.Length}";
            }

            if (part.Ranges.Count != Ranks || !part.Ranges.SequenceEqual(first.Ranges))
            {
                return $"{part.Ranges.Count} ranges that differ from those of rank 0, or from the {Ranks} ranks";
            }
        }

        culprit = -1;
        if (RangeCover.Problem(first.Ranges, first.Buffer.Length) is { } problem)
        {
            return problem;
        }

        for (var rank = 0; rank < Ranks && Ranks > 1; rank++)
        {
            for (long start = first.Ranges[rank].Start; start < first.Ranges[rank].End; start += ChunkBytes)
            {
                _pieces.Add((rank, (int)start, (int)Math.Min(ChunkBytes, first.Ranges[rank].End - start)));
            }
        }

        units = _pieces.Count;
        return null;
    }

    protected override void RunUnit(int unit, Span<float> scratch)
    {
        var (giver, start, count) = _pieces[unit];
        ReadOnlySpan<byte> source = Of(giver).Buffer.Span.Slice(start, count);
        for (var rank = 0; rank < Ranks; rank++)
        {
            if (rank != giver)
            {
                source.CopyTo(Of(rank).Buffer.Span.Slice(start, count));
            }
        }
    }
}

/// <summary>What a rank brings to a broadcast.</summary>
internal readonly record struct BroadcastPart(int Root, Memory<byte> Buffer);

/// <summary>Copies one rank's bytes to the others. A unit is a piece of the buffer.</summary>
internal sealed class BroadcastOperation(InProcessHub hub, OperationKey key) : InProcessRendezvous<BroadcastPart>(hub, key)
{
    internal const string Broadcast = "broadcast";

    protected override string Kind => Broadcast;

    internal override string? Prepare(out int units, out int culprit)
    {
        units = 0;
        var first = Of(0);
        for (culprit = 0; culprit < Ranks; culprit++)
        {
            var part = Of(culprit);
            if (part.Buffer.Length != first.Buffer.Length)
            {
                return $"{part.Buffer.Length} bytes, rank 0 has {first.Buffer.Length}";
            }

            if (part.Root != first.Root || part.Root < 0 || part.Root >= Ranks)
            {
                return $"the giving rank is {part.Root}, by rank 0 {first.Root}, of {Ranks}";
            }
        }

        culprit = -1;
        units = Ranks == 1 ? 0 : (int)(((long)first.Buffer.Length + GatherOperation.ChunkBytes - 1) / GatherOperation.ChunkBytes);
        return null;
    }

    protected override void RunUnit(int unit, Span<float> scratch)
    {
        var root = Of(0).Root;
        var start = unit * GatherOperation.ChunkBytes;
        var count = Math.Min(GatherOperation.ChunkBytes, Of(root).Buffer.Length - start);
        ReadOnlySpan<byte> source = Of(root).Buffer.Span.Slice(start, count);
        for (var rank = 0; rank < Ranks; rank++)
        {
            if (rank != root)
            {
                source.CopyTo(Of(rank).Buffer.Span.Slice(start, count));
            }
        }
    }
}

/// <summary>Adds up integers over the ranks; one unit.</summary>
internal sealed class CountOperation(InProcessHub hub, OperationKey key) : InProcessRendezvous<Memory<long>>(hub, key)
{
    internal const string SumCounts = "sum of counts";

    protected override string Kind => SumCounts;

    internal override string? Prepare(out int units, out int culprit)
    {
        units = 0;
        for (culprit = 0; culprit < Ranks; culprit++)
        {
            if (Of(culprit).Length != Of(0).Length)
            {
                return $"{Of(culprit).Length} counts, rank 0 has {Of(0).Length}";
            }
        }

        culprit = -1;
        units = Ranks == 1 ? 0 : 1;
        return null;
    }

    protected override void RunUnit(int unit, Span<float> scratch)
    {
        // Into memory of its own: an overflow must leave the ranks' counts as they were.
        var sum = Of(0).ToArray();
        for (var rank = 1; rank < Ranks; rank++)
        {
            var addend = Of(rank).Span;
            for (var i = 0; i < sum.Length; i++)
            {
                sum[i] = checked(sum[i] + addend[i]);
            }
        }

        for (var rank = 0; rank < Ranks; rank++)
        {
            sum.CopyTo(Of(rank).Span);
        }
    }
}

/// <summary>Nothing but the meeting.</summary>
internal sealed class BarrierOperation(InProcessHub hub, OperationKey key) : InProcessRendezvous<bool>(hub, key)
{
    internal const string Barrier = "barrier";

    protected override string Kind => Barrier;

    internal override string? Prepare(out int units, out int culprit)
    {
        (units, culprit) = (0, -1);
        return null;
    }

    protected override void RunUnit(int unit, Span<float> scratch)
    {
    }
}
