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
    private readonly ICollectiveGroup _group;
    private readonly ResidualStore _store;
    private readonly PieceBroadcast _pieces;
    private int[] _holders;

    /// <summary>Takes each leaf to be held by the worker it is dealt to.</summary>
    /// <param name="group">The workers.</param>
    /// <param name="store">What this worker holds.</param>
    /// <param name="cancellationToken">Ends every wait.</param>
    public LeafResiduals(ICollectiveGroup group, ResidualStore store, CancellationToken cancellationToken)
    {
        _group = group;
        _store = store;
        _pieces = new PieceBroadcast(group, cancellationToken);
        _holders = Holders(store.Leaves);
    }

    /// <summary>Leaves that have been computed at least once: the first so many. Equal on all ranks.</summary>
    public int Count => _store.Count;

    private int Bytes => _store.Length * sizeof(float);

    /// <summary>Gives each leaf's residual to the worker that computes it next, where that is another one than before.</summary>
    /// <param name="leaves">Leaves of the step: a batch too small for all slices has fewer, dealt anew.</param>
    /// <param name="step">Step of the whole stage.</param>
    public void HandOver(int leaves, int step)
    {
        var next = Holders(leaves);
        for (var leaf = 0; leaf < leaves; leaf++)
        {
            var holder = _holders[leaf];
            if (next[leaf] != holder && leaf < Count)
            {
                var source = holder == _group.Rank ? _store.Held(leaf) : default;
                var destination = next[leaf] == _group.Rank ? MemoryMarshal.AsBytes(_store.Receive(leaf)) : default;
                for (var i = 0; i < PieceBroadcast.Count(Bytes); i++)
                {
                    var piece = _pieces.Pass(Purpose("residual-handover", leaf), step, i, holder, Bytes, MemoryMarshal.AsBytes(source));
                    if (next[leaf] == _group.Rank)
                    {
                        piece.CopyTo(destination);
                        destination = destination[piece.Length..];
                    }
                }

                if (holder == _group.Rank)
                {
                    _store.Give(leaf);
                }
            }

            _holders[leaf] = next[leaf];
        }

        _store.Extend(leaves);
    }

    /// <summary>The residual of a leaf that this worker computes.</summary>
    /// <param name="leaf">The leaf.</param>
    /// <returns>It, to be changed in place.</returns>
    public Span<float> Of(int leaf) => _store.Change(leaf);

    /// <summary>Takes up the residuals of a checkpoint, before the first step.</summary>
    /// <param name="count">Leaves it has; 0 for a fresh start.</param>
    /// <param name="read">Fills the span with the residual of a leaf; asked for the leaves that this worker holds.</param>
    public void Restore(int count, Action<int, Span<float>> read)
    {
        _store.Reset(count);
        _holders = Holders(_store.Leaves);
        for (var leaf = 0; leaf < count; leaf++)
        {
            if (_holders[leaf] == _group.Rank)
            {
                read(leaf, _store.Receive(leaf));
            }
        }

        _store.Commit();
    }

    /// <summary>Goes on with what the workers hold in memory, before the first step.</summary>
    /// <param name="count">Leaves that have a residual.</param>
    /// <param name="holders">Who holds it, for each of them.</param>
    /// <param name="upToDate">Whether what this worker holds is of the step that the workers go on from.</param>
    public void TakeUp(int count, ReadOnlySpan<int> holders, bool upToDate)
    {
        if (!upToDate)
        {
            _store.Reset(count);
        }

        _holders = Holders(_store.Leaves);
        holders[..count].CopyTo(_holders);
        for (var leaf = 0; leaf < count; leaf++)
        {
            // Two workers may have come to the same step in different generations. A copy that nobody uses would be out of
            // date after the next step and still be taken for the residual in a later generation.
            if (_holders[leaf] != _group.Rank)
            {
                _store.Drop(leaf);
            }
        }
    }

    /// <summary>Passes a leaf's residual to every worker, in pieces from the first element to the last.</summary>
    /// <param name="leaf">The leaf, below <see cref="Count"/>.</param>
    /// <param name="done">Steps done.</param>
    /// <param name="receive">Sees each piece; null where it is of no use here.</param>
    public void Gather(int leaf, int done, Action<ReadOnlySpan<byte>>? receive)
    {
        var holder = _holders[leaf];
        var source = holder == _group.Rank ? MemoryMarshal.AsBytes(_store.Held(leaf)) : default;
        if (_group.Size == 1)
        {
            receive?.Invoke(source);
            return;
        }

        for (var i = 0; i < PieceBroadcast.Count(Bytes); i++)
        {
            var piece = _pieces.Pass(Purpose("residual-checkpoint", leaf), done, i, holder, Bytes, source);
            receive?.Invoke(piece);
        }
    }

    private static string Purpose(string purpose, int leaf) => string.Create(CultureInfo.InvariantCulture, $"{purpose}-{leaf}");

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
