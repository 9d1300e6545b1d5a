using System.Buffers;
using System.Collections;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Frames;
using Scissorhands.Messaging.Rabbit.Bodies;
using Scissorhands.Messaging.Wire;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Rabbit;

/// <summary>
/// One rank's side of a sum over the tree. Each rank owns a range, cut into chunks. Contributions to a chunk go to its
/// owner, which finishes the tree when all ranks' have come and sends the result to all at once. The result of a chunk is
/// also what allows a peer to send another one, so that no rank runs ahead of the slowest by more than the window, and
/// nothing else needs to be acknowledged.
/// </summary>
internal sealed class RabbitSum : RabbitOperation
{
    // What is added up together stays in the innermost cache.
    private const int PieceElements = 4096;
    private readonly bool _scatter;
    private readonly int _leaves;
    private readonly int _length;
    private readonly WireFormat _format;
    private readonly ReductionTree _tree;
    private readonly ChunkPlan _plan;
    private readonly IReadOnlyList<IndexRange> _ranges;
    private readonly OwnedChunk?[] _chunks;
    private readonly int[] _sent;
    private readonly int[] _results;
    private readonly BitArray[] _taken;
    private readonly bool[] _heard;
    private float[] _scratch = [];
    private IReadOnlyList<SubtreeSum> _held = [];
    private Memory<float> _result;
    private int _ownFinished;
    private int _foreignLeft;
    private int _heardCount;

    internal RabbitSum(IOperationHost host, OperationId id, bool scatter, int leaves, int length, WireFormat format)
        : base(host, id)
    {
        _scatter = scatter;
        _leaves = leaves;
        _length = length;
        _format = format;
        _tree = new ReductionTree(leaves);
        _plan = ChunkPlan.Of(host.Options, host.Size, sizeof(float));
        _ranges = RangeOwnership.All(length, host.Size);
        _chunks = new OwnedChunk?[_plan.Count(_ranges[host.Rank].Count)];
        _sent = new int[host.Size];
        _results = new int[host.Size];
        _heard = new bool[host.Size];
        _taken = [.. _ranges.Select(range => new BitArray(_plan.Count(range.Count)))];
        _foreignLeft = _taken.Where((_, rank) => rank != host.Rank).Sum(static t => t.Length);
    }

    internal override OperationKind Kind => _scatter ? OperationKind.ReduceScatter : OperationKind.AllReduce;

    /// <summary>This rank comes to the operation.</summary>
    /// <returns>What is wrong, or null.</returns>
    internal string? Start(OperationKey key, int leaves, IReadOnlyList<SubtreeSum> held, int length, Memory<float> result, WireFormat format)
    {
        if (leaves != _leaves || length != _length || format != _format)
        {
            return $"{leaves} leaves of {length} elements in {format}, a peer has {_leaves} of {_length} in {_format}";
        }

        foreach (var subtree in held)
        {
            if (subtree.Values.Length != length)
            {
                return $"node {subtree.Node} has {subtree.Values.Length} elements, not {length}";
            }

            if (!_tree.Contains(subtree.Node))
            {
                return $"node {subtree.Node} is not in the tree of {leaves} leaves";
            }
        }

        if (held.Count > ushort.MaxValue)
        {
            return $"{held.Count} subtrees are held; at most {ushort.MaxValue} can be sent";
        }

        var owned = _ranges[Host.Rank];
        if (_scatter && result.Length != owned.Count)
        {
            return $"the result has {result.Length} elements, the owned range {owned.Count}";
        }

        string? problem = null;
        lock (Sync)
        {
            if (IsOver)
            {
                // A peer's frame began it, and the group has failed since.
                return null;
            }

            _held = held;
            _result = result;
            MarkStarted(key);
            for (var chunk = 0; chunk < _plan.Window; chunk++)
            {
                // Each rank begins with another peer, so that not all send to the same one at first.
                for (var i = 1; i < Host.Size; i++)
                {
                    var owner = (Host.Rank + i) % Host.Size;
                    if (chunk < _taken[owner].Length)
                    {
                        SendChunk(owner);
                    }
                }
            }

            if (_heardCount == Host.Size - 1)
            {
                MarkAllHeard();
            }

            for (var chunk = 0; chunk < _chunks.Length && problem is null; chunk++)
            {
                problem = Chunk(chunk).Done == Host.Size - 1 ? Finish(chunk) : null;
            }
        }

        TryEnd();
        return problem;
    }

    internal override string? Receive(in FrameHeader frame, ReceivedBody payload)
    {
        if (frame.Leaves != _leaves || frame.Length != _length || frame.Format != _format)
        {
            return $"{frame.Leaves} leaves of {frame.Length} elements in {frame.Format}, here {_leaves} of {_length} in {_format}";
        }

        if (frame.PayloadBytes != 0 && (frame.Count > _plan.Elements || frame.PayloadBytes != NodeCodec.Bytes(frame.Encoding, frame.Count)))
        {
            return $"{frame.PayloadBytes} bytes for {frame.Count} elements in {frame.Encoding}";
        }

        return frame.Kind switch
        {
            FrameKind.Contribution => ReceiveContribution(frame, payload),
            FrameKind.Result => ReceiveResult(frame, payload),
            _ => $"a {frame.Kind} frame for a sum",
        };
    }

    internal override IReadOnlyList<int> Missing()
    {
        lock (Sync)
        {
            var missing = new SortedSet<int>();
            for (var chunk = 0; chunk < _chunks.Length; chunk++)
            {
                if (_chunks[chunk] is { Finished: true })
                {
                    continue;
                }

                for (var rank = 0; rank < Host.Size; rank++)
                {
                    if (rank != Host.Rank && (_chunks[chunk] is not { } owned || owned.Left[rank] != 0))
                    {
                        missing.Add(rank);
                    }
                }

                break;
            }

            // An owner without results may itself wait for another rank: it is named only where nobody else is.
            for (var rank = 0; rank < Host.Size && missing.Count == 0; rank++)
            {
                if (rank != Host.Rank && _results[rank] < _taken[rank].Length)
                {
                    missing.Add(rank);
                }
            }

            return [.. missing];
        }
    }

    internal override bool Needs(int rank)
    {
        lock (Sync)
        {
            return _results[rank] < _taken[rank].Length || _chunks.Any(chunk => chunk is null || (!chunk.Finished && chunk.Left[rank] != 0));
        }
    }

    protected override bool IsFinished => _foreignLeft == 0 && _ownFinished == _chunks.Length;

    protected override void Release()
    {
        foreach (var chunk in _chunks)
        {
            chunk?.Release();
        }
    }

    private string? ReceiveContribution(in FrameHeader frame, ReceivedBody payload)
    {
        var owned = _ranges[Host.Rank];
        if (frame.Chunk >= _chunks.Length || _plan.Chunk(owned, frame.Chunk) is var range && (range.Start != frame.First || range.Count != frame.Count))
        {
            return $"chunk {frame.Chunk}, elements {frame.First} to {frame.First + frame.Count}, which it does not own or cuts otherwise; do all ranks use the same settings?";
        }

        var empty = frame.Parts == 0;
        if (empty ? frame.PayloadBytes != 0 : frame.PayloadBytes == 0 || frame.Part >= frame.Parts || !_tree.Contains(frame.Node) || frame.Encoding != EncodingOf(frame.Node))
        {
            return $"part {frame.Part} of {frame.Parts}, node {frame.Node}, with {frame.PayloadBytes} bytes";
        }

        string? problem = null;
        lock (Sync)
        {
            if (IsOver)
            {
                return null;
            }

            LastProgress = Host.Now;
            var chunk = Chunk(frame.Chunk);
            if (chunk.Finished || !chunk.TryCount(frame.Source, frame.Part, frame.Parts))
            {
                CollectiveMeters.Dropped("duplicate");
                return null;
            }

            if (!_heard[frame.Source])
            {
                _heard[frame.Source] = true;
                if (++_heardCount == Host.Size - 1)
                {
                    MarkAllHeard();
                }
            }

            if (!empty)
            {
                chunk.Received.Add((frame.Node, frame.Encoding, payload.Keep()));
            }

            problem = chunk.Done == Host.Size - 1 && IsStarted ? Finish(frame.Chunk) : null;
        }

        TryEnd();
        return problem;
    }

    private string? ReceiveResult(in FrameHeader frame, ReceivedBody payload)
    {
        var range = _ranges[frame.Source];
        if (frame.Chunk >= _taken[frame.Source].Length
            || _plan.Chunk(range, frame.Chunk) is var chunk && (chunk.Start != frame.First || chunk.Count != frame.Count)
            || _scatter != (frame.PayloadBytes == 0) || frame.Encoding != ResultEncoding)
        {
            return $"the result of chunk {frame.Chunk}, elements {frame.First} to {frame.First + frame.Count}, which the sender does not own";
        }

        lock (Sync)
        {
            if (IsOver)
            {
                return null;
            }

            LastProgress = Host.Now;
            if (!IsStarted || frame.Chunk >= _sent[frame.Source])
            {
                return $"the result of chunk {frame.Chunk} before this rank has contributed to it";
            }

            if (_taken[frame.Source][frame.Chunk])
            {
                CollectiveMeters.Dropped("duplicate");
                return null;
            }

            _taken[frame.Source][frame.Chunk] = true;
            _results[frame.Source]++;
            _foreignLeft--;
            if (!_scatter)
            {
                NodeCodec.Decode(frame.Encoding, payload.Memory.Span, _result.Span.Slice(frame.First, frame.Count));
            }

            if (_sent[frame.Source] < _taken[frame.Source].Length)
            {
                SendChunk(frame.Source);
            }
        }

        TryEnd();
        return null;
    }

    private WireFormat ResultEncoding => NodeCodec.EncodingOf(_format, isLeaf: false);

    private WireFormat EncodingOf(TreeNode node) => NodeCodec.EncodingOf(_format, _tree.LeavesOf(node).Count == 1);

    /// <summary>Sends a chunk: floats from where they lie, else encoded.</summary>
    private void SendEncoded(int target, in FrameHeader frame, ReadOnlyMemory<float> values)
    {
        if (frame.Encoding == WireFormat.Fp32)
        {
            SendMemory(target, frame, ByteView.Of(values));
            return;
        }

        var size = NodeCodec.Bytes(frame.Encoding, values.Length);
        var bytes = ArrayPool<byte>.Shared.Rent(size);
        NodeCodec.Encode(frame.Encoding, values.Span, bytes.AsSpan(0, size));
        SendRented(target, frame, bytes, size);
    }

    private void SendRented(int target, in FrameHeader frame, byte[] bytes, int size)
    {
        Hold();
        Host.Send(target, frame, bytes.AsMemory(0, size), () =>
        {
            ArrayPool<byte>.Shared.Return(bytes);
            LetGo();
        });
    }

    private FrameHeader Frame(FrameKind kind, int chunk, int chunks, IndexRange range) => Frame(kind) with
    {
        Format = _format,
        Leaves = _leaves,
        Length = _length,
        Chunk = chunk,
        Chunks = chunks,
        First = range.Start,
        Count = range.Count,
    };

    private OwnedChunk Chunk(int chunk) => _chunks[chunk] ??= new OwnedChunk(Host.Size, Host.Rank);

    private void SendChunk(int owner)
    {
        var chunk = _sent[owner]++;
        var range = _plan.Chunk(_ranges[owner], chunk);
        var frame = Frame(FrameKind.Contribution, chunk, _taken[owner].Length, range) with { Parts = _held.Count };
        if (_held.Count == 0)
        {
            Host.Send(owner, frame, default, null);
            return;
        }

        for (var part = 0; part < _held.Count; part++)
        {
            var node = _held[part].Node;
            SendEncoded(owner, frame with { Part = part, Node = node, Encoding = EncodingOf(node) }, _held[part].Values[range.Start..range.End]);
        }
    }

    /// <summary>Adds an owned chunk up and sends it.</summary>
    private string? Finish(int index)
    {
        var chunk = _chunks[index]!;
        var range = _plan.Chunk(_ranges[Host.Rank], index);
        var parts = new List<TreePart<float>>(_held.Count + chunk.Received.Count);
        foreach (var (node, values) in _held)
        {
            parts.Add(new TreePart<float>(node, values[range.Start..range.End]));
        }

        foreach (var (node, encoding, body) in chunk.Received)
        {
            parts.Add(new TreePart<float>(node, default, body.Memory, encoding));
        }

        var sum = TreeSum<float>.TryCreate(_tree, parts, out _, out var problem, _format);
        if (sum is null)
        {
            return problem;
        }

        var target = _scatter ? _result[(range.Start - _ranges[Host.Rank].Start)..] : _result[range.Start..];
        var scratch = sum.Depth * PieceElements;
        if (_scratch.Length < scratch)
        {
            _scratch = GC.AllocateUninitializedArray<float>(scratch);
        }

        var encoded = Host.Size > 1 && !_scatter && ResultEncoding != WireFormat.Fp32 ? ArrayPool<byte>.Shared.Rent(NodeCodec.Bytes(ResultEncoding, range.Count)) : null;
        for (var start = 0; start < range.Count; start += PieceElements)
        {
            var piece = target.Span.Slice(start, Math.Min(PieceElements, range.Count - start));
            sum.Evaluate(start, _scratch, piece);
            if (encoded is not null)
            {
                // While it is in the cache.
                NodeCodec.Encode(ResultEncoding, piece, encoded.AsSpan(NodeCodec.Bytes(ResultEncoding, start), NodeCodec.Bytes(ResultEncoding, piece.Length)));
            }
        }

        chunk.Finished = true;
        chunk.Release();
        _ownFinished++;
        if (Host.Size > 1)
        {
            var frame = Frame(FrameKind.Result, index, _chunks.Length, range) with { Encoding = ResultEncoding };
            if (_scatter)
            {
                SendMemory(-1, frame, default);
            }
            else if (encoded is null)
            {
                SendMemory(-1, frame, ByteView.Of(target[..range.Count]));
            }
            else
            {
                SendRented(-1, frame, encoded, NodeCodec.Bytes(ResultEncoding, range.Count));
            }
        }

        return null;
    }

    private sealed class OwnedChunk
    {
        private readonly BitArray?[] _seen;

        internal OwnedChunk(int ranks, int self)
        {
            _seen = new BitArray?[ranks];
            Left = Enumerable.Repeat(-1, ranks).ToArray();
            Left[self] = 0;
        }

        internal List<(TreeNode Node, WireFormat Encoding, ReceivedBody Body)> Received { get; } = [];

        /// <summary>Parts that a rank has yet to send; -1 where nothing has come.</summary>
        internal int[] Left { get; }

        /// <summary>Other ranks whose contribution is complete.</summary>
        internal int Done { get; private set; }

        internal bool Finished { get; set; }

        internal bool TryCount(int source, int part, int parts)
        {
            var seen = _seen[source] ??= new BitArray(Math.Max(1, parts));
            if (part >= seen.Length || seen[part])
            {
                return false;
            }

            seen[part] = true;
            Left[source] = (Left[source] < 0 ? Math.Max(1, parts) : Left[source]) - 1;
            Done += Left[source] == 0 ? 1 : 0;
            return true;
        }

        internal void Release()
        {
            foreach (var (_, _, body) in Received)
            {
                body.Release();
            }

            Received.Clear();
        }
    }
}
