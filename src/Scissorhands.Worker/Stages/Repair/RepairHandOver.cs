using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Scissorhands.Core.Replica;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning;
using Scissorhands.Planning.Cut;
using Scissorhands.Worker.Checkpoints;

namespace Scissorhands.Worker.Stages.Repair;

/// <summary>
/// Lets a new generation go on from what its workers hold in memory. They tell each other how far they are; those that
/// are behind, or have just joined, are given the state by the lowest rank that is furthest. Sharded state is dealt anew,
/// where every part of it is still held by somebody. All ranks see the same heads and come to the same decision.
/// </summary>
internal sealed class RepairHandOver
{
    private const int HashBytes = 32;
    private const int FixedBytes = (5 * sizeof(int)) + HashBytes;

    private readonly StageContext _context;
    private readonly RepairState _state;
    private readonly LeafResiduals? _residuals;
    private readonly PieceBroadcast _pieces;

    /// <summary>Prepares.</summary>
    /// <param name="context">The stage's context.</param>
    /// <param name="state">What this worker holds.</param>
    /// <param name="residuals">What quantisation has lost, if anything is quantised.</param>
    public RepairHandOver(StageContext context, RepairState state, LeafResiduals? residuals)
    {
        _context = context;
        _state = state;
        _residuals = residuals;
        _pieces = new PieceBroadcast(context.Group, context.CancellationToken);
    }

    /// <summary>Brings all workers to the furthest step that one of them holds.</summary>
    /// <returns>Steps done; null where the last checkpoint, or the trimmed model, is what all go on from.</returns>
    /// <exception cref="RunFailedException">Workers that have done the same steps hold different models.</exception>
    public int? TryTakeUp()
    {
        var group = _context.Group;
        if (group.Size == 1 && _state.Applied == RepairState.Nothing)
        {
            return null;
        }

        var heads = Exchange();
        var highest = heads.Max(head => head.Applied);
        var checkpoint = _context.Assignment.Checkpoint is { } name ? RepairCheckpoint.StepsOf(name) ?? int.MaxValue : RepairState.Nothing;
        if (highest < 1 || checkpoint > highest)
        {
            return null;
        }

        var root = Array.FindIndex(heads, head => head.Applied == highest);
        for (var rank = root + 1; rank < heads.Length; rank++)
        {
            if (heads[rank].Applied == highest && !heads[rank].Hash.AsSpan().SequenceEqual(heads[root].Hash))
            {
                throw new RunFailedException($"repair: after step {highest} the replicas of workers {root} and {rank} differ; this is a defect or faulty hardware, the last checkpoint is {_context.Assignment.Checkpoint ?? "none"}");
            }
        }

        if (Givers(heads, highest) is not { } givers)
        {
            return null;
        }

        if (_residuals is not null)
        {
            // Each is in the memory of one worker only; without one of them the next step would be another.
            var count = heads[root].Residuals;
            var holders = Enumerable.Range(0, count).Select(leaf => Array.FindIndex(heads, head => head.Applied == highest && head.Leaves[leaf] != 0)).ToArray();
            if (holders.Contains(-1))
            {
                return null;
            }

            _residuals.TakeUp(count, holders, heads[group.Rank].Applied == highest);
        }

        var parts = _state.Vectors.Parts(group.Size);
        if (heads.Where((head, rank) => head.Applied < highest || head.Part != parts[rank]).Any())
        {
            Move(heads, root, givers);
        }
        else
        {
            _state.Vectors.Hold(_context);
        }

        return highest;
    }

    /// <summary>Who gives which part of momentum and memories to the others.</summary>
    /// <returns>By rank, together the whole; null where a part is lost with its owner.</returns>
    private IndexRange[]? Givers(Head[] heads, int highest)
    {
        var givers = new IndexRange[heads.Length];
        for (var next = 0; next < _state.Vectors.Moving.Count;)
        {
            var giver = Array.FindIndex(heads, head => head.Applied == highest && head.Part.Start <= next && head.Part.End > next);
            if (giver < 0)
            {
                return null;
            }

            givers[giver] = new IndexRange(next, heads[giver].Part.End);
            next = heads[giver].Part.End;
        }

        return givers;
    }

    private Head[] Exchange()
    {
        var group = _context.Group;
        var leaves = _state.Residuals?.Leaves ?? 0;
        var length = FixedBytes + leaves;
        var all = new byte[group.Size * length];
        var mine = all.AsSpan(group.Rank * length, length);
        _state.DropFinishedEpoch();
        BinaryPrimitives.WriteInt32LittleEndian(mine, _state.Applied);
        BinaryPrimitives.WriteInt32LittleEndian(mine[sizeof(int)..], _state.Vectors.Projection.Memories.Count);
        BinaryPrimitives.WriteInt32LittleEndian(mine[(2 * sizeof(int))..], _state.Residuals?.Count ?? 0);
        BinaryPrimitives.WriteInt32LittleEndian(mine[(3 * sizeof(int))..], _state.Vectors.Part.Start);
        BinaryPrimitives.WriteInt32LittleEndian(mine[(4 * sizeof(int))..], _state.Vectors.Part.End);
        if (_state.Applied != RepairState.Nothing && group.Size > 1)
        {
            _state.Hash().CopyTo(mine[(5 * sizeof(int))..]);
        }

        for (var leaf = 0; leaf < leaves; leaf++)
        {
            mine[FixedBytes + leaf] = (byte)(_state.Residuals!.Holds(leaf) ? 1 : 0);
        }

        if (group.Size > 1)
        {
            group.AllGather(new OperationKey("repair-heads", 0), [.. Enumerable.Range(0, group.Size).Select(r => new IndexRange(r * length, (r + 1) * length))], all)
                .Wait(_context.CancellationToken);
        }

        return [.. Enumerable.Range(0, group.Size).Select(r => Head.Read(all.AsSpan(r * length, length)))];
    }

    private void Move(Head[] heads, int root, IndexRange[] givers)
    {
        var group = _context.Group;
        var vectors = _state.Vectors;
        var (applied, before) = (heads[root].Applied, heads[group.Rank].Part);
        var isBehind = heads[group.Rank].Applied < applied;
        var changes = isBehind || before != vectors.Parts(group.Size)[group.Rank];
        if (changes)
        {
            // Until all of it has come, neither the old state nor the new one is here.
            _state.Lose();
        }

        if (heads.Any(head => head.Applied < applied))
        {
            CopyModel(root, isBehind);
        }

        // Between two steps the gradient's memory is free.
        var whole = vectors.Exchange.Memory[..vectors.Moving.Count];
        float[][] memories = isBehind ? [] : [.. vectors.Projection.Memories];
        Gather("momentum", isBehind ? default : vectors.Optimizer.Capture());
        vectors.Hold(_context);
        if (changes)
        {
            vectors.Projection.Clear();
            vectors.Optimizer.Restore(momentum => whole.Span[vectors.Part.Start..vectors.Part.End].CopyTo(momentum));
        }

        for (var i = 0; i < heads[root].Memories; i++)
        {
            Gather($"memory-{i}", isBehind ? default : memories[i]);
            if (changes)
            {
                if (!isBehind)
                {
                    // Before a new one is allocated: of the old ones only those that are yet to be given stay.
                    memories[i] = [];
                }

                whole[vectors.Part.Start..vectors.Part.End].CopyTo(vectors.Projection.Add());
            }
        }

        if (changes)
        {
            _state.Set(applied);
        }

        if (isBehind && !_state.Hash().AsSpan().SequenceEqual(heads[root].Hash))
        {
            _state.Lose();
            throw new RunFailedException($"repair: what worker {group.Rank} has received from worker {root} is not its state after step {applied}; this is a defect or faulty hardware");
        }

        void Gather(string what, ReadOnlyMemory<float> held)
        {
            var given = givers[group.Rank];
            if (given.Count > 0)
            {
                held[(given.Start - before.Start)..(given.End - before.Start)].CopyTo(whole[given.Start..]);
            }

            group.AllGather(new OperationKey("repair-" + what, 0), givers, whole).Wait(_context.CancellationToken);
        }
    }

    private void CopyModel(int root, bool receives)
    {
        var replica = _context.Replica;
        var isRoot = root == _context.Group.Rank;
        if (receives)
        {
            _context.Model.MarkUnknown();
        }

        replica.WeightsToHost();
        Pass("weights", replica.HostWeights.Span);
        var buffers = replica.CaptureBuffers();
        Pass("buffers", buffers.Floats.AsSpan());
        Pass("integers", buffers.Integers.AsSpan());
        if (receives)
        {
            replica.WeightsToDevice();
            replica.RestoreBuffers(buffers);
        }

        void Pass<T>(string what, Span<T> vector)
            where T : unmanaged
        {
            var bytes = MemoryMarshal.AsBytes(vector);
            var length = bytes.Length;
            for (var i = 0; i < PieceBroadcast.Count(length); i++)
            {
                var piece = _pieces.Pass("repair-" + what, 0, i, root, length, isRoot ? bytes : default);
                if (receives)
                {
                    piece.CopyTo(bytes);
                    bytes = bytes[piece.Length..];
                }
            }
        }
    }

    /// <summary>How far a worker is.</summary>
    private sealed record Head(int Applied, int Memories, int Residuals, IndexRange Part, byte[] Hash, byte[] Leaves)
    {
        public static Head Read(ReadOnlySpan<byte> bytes) => new(
            BinaryPrimitives.ReadInt32LittleEndian(bytes),
            BinaryPrimitives.ReadInt32LittleEndian(bytes[sizeof(int)..]),
            BinaryPrimitives.ReadInt32LittleEndian(bytes[(2 * sizeof(int))..]),
            new IndexRange(BinaryPrimitives.ReadInt32LittleEndian(bytes[(3 * sizeof(int))..]), BinaryPrimitives.ReadInt32LittleEndian(bytes[(4 * sizeof(int))..])),
            bytes.Slice(5 * sizeof(int), HashBytes).ToArray(),
            bytes[FixedBytes..].ToArray());
    }
}
