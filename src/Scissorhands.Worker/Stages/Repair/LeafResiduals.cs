using System.Globalization;
using System.Runtime.InteropServices;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Worker.Stages.Repair;

/// <summary>
/// What the quantisation of each leaf's gradients has lost so far and the leaf's next gradient makes up for. It belongs to
/// the leaf, not to the worker: it is kept by whoever holds the leaf and follows it to another worker, so that the result
/// does not depend on the number of workers. All ranks call the members that name a step together, and in the same order.
/// </summary>
internal sealed class LeafResiduals
{
    /// <summary>Elements that travel at a time, which bounds the memory of a worker that has no use for them.</summary>
    internal const int PieceElements = 1 << 22;

    private readonly ICollectiveGroup _group;
    private readonly CancellationToken _cancellationToken;
    private readonly int _length;
    private readonly int _pieces;
    private readonly int[] _holders;
    private readonly float[]?[] _held;
    private byte[] _piece = [];

    /// <summary>Starts with nothing lost.</summary>
    /// <param name="group">The workers.</param>
    /// <param name="leaves">Most leaves of a step.</param>
    /// <param name="length">Elements of a leaf's gradient.</param>
    /// <param name="cancellationToken">Ends every wait.</param>
    public LeafResiduals(ICollectiveGroup group, int leaves, int length, CancellationToken cancellationToken)
    {
        _group = group;
        _cancellationToken = cancellationToken;
        _length = length;
        _pieces = (int)(((long)length + PieceElements - 1) / PieceElements);
        _holders = Holders(leaves);
        _held = new float[]?[leaves];
    }

    /// <summary>Leaves that have been computed at least once: the first so many. Equal on all ranks.</summary>
    public int Count { get; private set; }

    /// <summary>Gives each leaf's residual to the worker that computes it next, where that is another one than before.</summary>
    /// <param name="leaves">Leaves of the step: a batch too small for all slices has fewer, dealt anew.</param>
    /// <param name="step">Step of the whole stage.</param>
    public void HandOver(int leaves, int step)
    {
        var next = Holders(leaves);
        for (var leaf = 0; leaf < leaves; leaf++)
        {
            if (next[leaf] != _holders[leaf] && leaf < Count)
            {
                var receives = next[leaf] == _group.Rank;
                var offset = 0;
                Send("residual-handover", leaf, step, piece =>
                {
                    if (receives)
                    {
                        piece.CopyTo(MemoryMarshal.AsBytes(Of(leaf).Slice(offset, piece.Length / sizeof(float))));
                        offset += piece.Length / sizeof(float);
                    }
                });
                if (!receives)
                {
                    _held[leaf] = null;
                }
            }

            _holders[leaf] = next[leaf];
        }

        Count = Math.Max(Count, leaves);
    }

    /// <summary>The residual of a leaf that this worker computes.</summary>
    /// <param name="leaf">The leaf.</param>
    /// <returns>It, to be changed in place.</returns>
    public Span<float> Of(int leaf) => _held[leaf] ??= new float[_length];

    /// <summary>Takes up the residuals of a checkpoint, before the first step.</summary>
    /// <param name="count">Leaves it has.</param>
    /// <param name="read">Fills the span with the residual of a leaf; asked for the leaves that this worker holds.</param>
    public void Restore(int count, Action<int, Memory<float>> read)
    {
        Count = count;
        for (var leaf = 0; leaf < count; leaf++)
        {
            if (_holders[leaf] == _group.Rank)
            {
                _held[leaf] = new float[_length];
                read(leaf, _held[leaf]);
            }
        }
    }

    /// <summary>Passes a leaf's residual to every worker, in pieces from the first element to the last.</summary>
    /// <param name="leaf">The leaf, below <see cref="Count"/>.</param>
    /// <param name="done">Steps done.</param>
    /// <param name="receive">Sees each piece; null where it is of no use here.</param>
    public void Gather(int leaf, int done, Action<ReadOnlySpan<byte>>? receive) => Send("residual-checkpoint", leaf, done, receive);

    private void Send(string purpose, int leaf, int step, Action<ReadOnlySpan<byte>>? receive)
    {
        if (_group.Size == 1)
        {
            receive?.Invoke(MemoryMarshal.AsBytes(Of(leaf)));
            return;
        }

        var holder = _holders[leaf];
        if (_piece.Length == 0)
        {
            _piece = GC.AllocateUninitializedArray<byte>(Math.Min(_length, PieceElements) * sizeof(float));
        }

        for (var i = 0; i < _pieces; i++)
        {
            var start = i * PieceElements;
            var count = Math.Min(PieceElements, _length - start);
            var piece = _piece.AsMemory(0, count * sizeof(float));
            if (holder == _group.Rank)
            {
                MemoryMarshal.AsBytes(Of(leaf).Slice(start, count)).CopyTo(piece.Span);
            }

            _group.Broadcast(new OperationKey(string.Create(CultureInfo.InvariantCulture, $"{purpose}-{leaf}"), ((long)step * _pieces) + i), holder, piece)
                .Wait(_cancellationToken);
            receive?.Invoke(piece.Span);
        }
    }

    private int[] Holders(int leaves)
    {
        var tree = new ReductionTree(leaves);
        var holders = new int[leaves];
        for (var rank = 0; rank < _group.Size; rank++)
        {
            var dealt = tree.Deal(rank, _group.Size);
            holders.AsSpan(dealt.Start, dealt.Count).Fill(rank);
        }

        return holders;
    }
}
