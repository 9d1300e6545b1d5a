using System.Buffers;
using System.Collections;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Frames;
using Scissorhands.Messaging.Rabbit.Bodies;

namespace Scissorhands.Messaging.Rabbit;

/// <summary>What a rank gives to all and makes of what the others give.</summary>
/// <param name="Give">This rank's bytes; they stay as they are until the operation has ended.</param>
/// <param name="Expected">Bytes that each rank gives, this one included; or <see cref="Nothing"/>, or <see cref="AnyLength"/>.</param>
/// <param name="Take">Takes a piece: rank, first byte, bytes. Within the operation's lock.</param>
/// <param name="End">Everything has come; returns what is wrong, or null. Within the operation's lock.</param>
internal sealed record GatherTask(ReadOnlyMemory<byte> Give, IReadOnlyList<int> Expected, Action<int, int, ReadOnlySpan<byte>> Take, Func<string?> End)
{
    /// <summary>The rank gives nothing; a message of no bytes is something.</summary>
    internal const int Nothing = -1;

    /// <summary>The rank gives something of any length.</summary>
    internal const int AnyLength = -2;
}

/// <summary>
/// One rank's side of an operation in which ranks give bytes to all others: all-gather, broadcast, small sums, barrier. Each
/// giver sends once, the broker copies; receivers of many chunks tell how many they have taken, so that no giver runs
/// ahead of the slowest by more than the window.
/// </summary>
internal sealed class RabbitGather : RabbitOperation
{
    private readonly OperationKind _kind;
    private readonly ChunkPlan _plan;
    private readonly Source[] _sources;
    private readonly int[] _takenByPeer;
    private readonly List<(FrameHeader Frame, byte[] Rented, int Count)> _early = [];
    private GatherTask? _task;
    private int _chunks;
    private int _sent;
    private int _heardCount;
    private int _sourcesLeft;
    private bool _delivered;

    internal RabbitGather(IOperationHost host, OperationId id, OperationKind kind)
        : base(host, id)
    {
        _kind = kind;
        _plan = ChunkPlan.Of(host.Options, host.Size, sizeof(byte));
        _sources = [.. Enumerable.Range(0, host.Size).Select(static _ => new Source())];
        _takenByPeer = new int[host.Size];
    }

    internal override OperationKind Kind => _kind;

    protected override bool IsFinished => _delivered && _sent == _chunks;

    /// <summary>This rank comes to the operation.</summary>
    /// <returns>What is wrong, or null.</returns>
    internal string? Start(OperationKey key, GatherTask task)
    {
        string? problem = null;
        lock (Sync)
        {
            if (IsOver)
            {
                // A peer's frame began it, and the group has failed since.
                return null;
            }

            _task = task;
            MarkStarted(key);
            for (var rank = 0; rank < Host.Size; rank++)
            {
                _sources[rank].Complete = rank == Host.Rank || task.Expected[rank] == GatherTask.Nothing;
                _sourcesLeft += _sources[rank].Complete ? 0 : 1;
            }

            _chunks = task.Expected[Host.Rank] != GatherTask.Nothing && Host.Size > 1 ? ChunksOf(task.Give.Length) : 0;
            SendMore();
            foreach (var (frame, rented, count) in _early)
            {
                problem ??= Take(frame, rented.AsSpan(0, count));
            }

            ReturnEarly();
            problem ??= EndWhereAllHasCome();
        }

        TryEnd();
        return problem;
    }

    internal override string? Receive(in FrameHeader frame, ReceivedBody body)
    {
        var payload = body.Memory;
        string? problem = null;
        lock (Sync)
        {
            if (IsOver)
            {
                return null;
            }

            LastProgress = Host.Now;
            if (frame.Kind == FrameKind.Taken)
            {
                if (!IsStarted || frame.Chunks > _chunks)
                {
                    return $"{frame.Chunks} chunks taken, more than were sent";
                }

                _takenByPeer[frame.Source] = Math.Max(_takenByPeer[frame.Source], frame.Chunks);
                SendMore();
            }
            else if (frame.Kind != FrameKind.Piece || frame.PayloadBytes != frame.Count)
            {
                return $"a {frame.Kind} frame of {frame.PayloadBytes} bytes for {frame.Count}";
            }
            else if (IsStarted)
            {
                problem = Take(frame, payload.Span) ?? EndWhereAllHasCome();
            }
            else if (IsEarlyDuplicate(frame))
            {
                // Counted, duplicates would look like a peer that runs ahead of its window.
                CollectiveMeters.Dropped("duplicate");
            }
            else if (_early.Count <= Host.Size * (_plan.Window + 1))
            {
                // Rented: as garbage, pieces of this size would stay until the next full collection.
                var rented = ArrayPool<byte>.Shared.Rent(payload.Length);
                payload.CopyTo(rented);
                _early.Add((frame, rented, payload.Length));
            }
            else
            {
                return "more chunks than may be sent ahead";
            }
        }

        TryEnd();
        return problem;
    }

    internal override IReadOnlyList<int> Missing()
    {
        lock (Sync)
        {
            // A giver of which something has come may itself wait for another's word: it is named only where nobody else is.
            var others = Enumerable.Range(0, Host.Size).Where(rank => rank != Host.Rank).ToArray();
            int[] blocking = [.. others.Where(rank => (!_sources[rank].Complete && _sources[rank].Taken == 0) || (_sent < _chunks && _takenByPeer[rank] + _plan.Window <= _sent))];
            return blocking.Length > 0 ? blocking : [.. others.Where(rank => !_sources[rank].Complete)];
        }
    }

    internal override bool Needs(int rank)
    {
        lock (Sync)
        {
            return !_sources[rank].Complete || (_sent < _chunks && _takenByPeer[rank] + _plan.Window < _chunks);
        }
    }

    protected override void Release() => ReturnEarly();

    private void ReturnEarly()
    {
        foreach (var (_, rented, _) in _early)
        {
            ArrayPool<byte>.Shared.Return(rented);
        }

        _early.Clear();
    }

    private bool IsEarlyDuplicate(in FrameHeader frame)
    {
        foreach (var (early, _, _) in _early)
        {
            if (early.Source == frame.Source && early.Chunk == frame.Chunk)
            {
                return true;
            }
        }

        return false;
    }

    private int ChunksOf(int bytes) => Math.Max(1, _plan.Count(bytes));

    private void SendMore()
    {
        // Streams within one window need no word from their receivers.
        var counted = _chunks > _plan.Window;
        var taken = counted ? Enumerable.Range(0, Host.Size).Where(rank => rank != Host.Rank).Min(rank => _takenByPeer[rank]) : 0;
        while (_sent < Math.Min(_chunks, taken + _plan.Window))
        {
            var first = _sent * _plan.Elements;
            var count = Math.Min(_plan.Elements, _task!.Give.Length - first);
            var frame = Frame(FrameKind.Piece) with
            {
                Length = _task.Give.Length,
                Chunk = _sent,
                Chunks = _chunks,
                First = first,
                Count = count,
            };
            _sent++;
            SendMemory(-1, frame, _task.Give.Slice(first, count));
        }
    }

    private string? Take(in FrameHeader frame, ReadOnlySpan<byte> payload)
    {
        var expected = _task!.Expected[frame.Source];
        if (expected == GatherTask.Nothing || (expected >= 0 && frame.Length != expected))
        {
            return $"{frame.Length} bytes, {(expected < 0 ? "none" : expected)} were expected";
        }

        var chunks = ChunksOf(frame.Length);
        var first = (long)frame.Chunk * _plan.Elements;
        if (frame.Chunks != chunks || frame.Chunk >= chunks || frame.First != first || frame.Count != Math.Min(_plan.Elements, frame.Length - first))
        {
            return $"chunk {frame.Chunk} of {frame.Chunks}, bytes {frame.First} to {frame.First + frame.Count}; do all ranks use the same settings?";
        }

        var source = _sources[frame.Source];
        source.Seen ??= new BitArray(chunks);
        if (source.Complete || source.Seen.Length != chunks || source.Seen[frame.Chunk])
        {
            CollectiveMeters.Dropped("duplicate");
            return null;
        }

        if (source.Taken == 0 && ++_heardCount == Host.Size - 1)
        {
            MarkAllHeard();
        }

        source.Seen[frame.Chunk] = true;
        source.Taken++;
        _task.Take(frame.Source, frame.First, payload);
        if (source.Taken == chunks)
        {
            source.Complete = true;
            _sourcesLeft--;
        }
        else if (chunks > _plan.Window && source.Taken % Math.Max(1, _plan.Window / 2) == 0)
        {
            Host.Send(frame.Source, Frame(FrameKind.Taken) with { Chunks = source.Taken }, default, null);
        }

        return null;
    }

    private string? EndWhereAllHasCome()
    {
        if (_sourcesLeft > 0 || _task is null)
        {
            return null;
        }

        // What has come may still be of no use: the operation then has to fail, not to end.
        var end = _task.End;
        _task = _task with { End = static () => null };
        var problem = end();
        _delivered |= problem is null;
        return problem;
    }

    private sealed class Source
    {
        internal BitArray? Seen { get; set; }

        internal int Taken { get; set; }

        internal bool Complete { get; set; }
    }
}
