using System.Collections;
using System.Runtime.InteropServices;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Frames;
using Scissorhands.Messaging.Rabbit.Bodies;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Rabbit;

/// <summary>
/// One rank's part of the sum of leased leaves: takes the chunks of its range that contributors send, adds a leaf up once
/// all of it is there, and tells the contributor, which waits for every owner.
/// </summary>
internal sealed class RabbitLeasedSum : RabbitOperation, ILeasedSum
{
    // Contributions may be under way from every rank before this one opens its part, each with a window of its own.
    private const long MaxEarlyBytes = 32L << 20;
    private readonly int _leaves;
    private readonly int _length;
    private readonly ChunkPlan _plan;
    private readonly IReadOnlyList<IndexRange> _ranges;
    private readonly Dictionary<(int Source, int Leaf), Incoming> _incoming = [];
    private readonly Dictionary<int, Contribution> _outgoing = [];
    private readonly List<(FrameHeader Frame, byte[] Payload)> _early = [];
    private readonly Action<RabbitLeasedSum, string> _fail;
    private TreeAccumulator? _accumulator;
    private TaskCompletionSource<ReadOnlyMemory<float>>? _sum;
    private CollectiveException? _reason;
    private long _earlyBytes;
    private bool _disposed;

    internal RabbitLeasedSum(IOperationHost host, OperationId id, int leaves, int length, Action<RabbitLeasedSum, string> fail)
        : base(host, id)
    {
        _leaves = leaves;
        _length = length;
        _fail = fail;
        _plan = ChunkPlan.Of(host.Options, host.Size, sizeof(float));
        _ranges = RangeOwnership.All(length, host.Size);
    }

    public IndexRange Owned => _ranges[Host.Rank];

    Task<ReadOnlyMemory<float>> ILeasedSum.Completion
    {
        get
        {
            lock (Sync)
            {
                if (_sum is null)
                {
                    _sum = new TaskCompletionSource<ReadOnlyMemory<float>>(TaskCreationOptions.RunContinuationsAsynchronously);
                    SettleSum();
                }

                return _sum.Task;
            }
        }
    }

    internal override OperationKind Kind => OperationKind.LeasedSum;

    // It goes on until it is disposed.
    protected override bool IsFinished => _disposed;

    public ICollectiveOperation Contribute(int leaf, ReadOnlyMemory<float> values)
    {
        Contribution contribution;
        lock (Sync)
        {
            ObjectDisposedException.ThrowIf(_disposed, typeof(ILeasedSum));
            contribution = new Contribution(this, leaf, values);
            Hold();
            if (_reason is not null)
            {
                contribution.Refuse(_reason);
                return contribution;
            }

            if (leaf >= 0 && leaf < _leaves && values.Length == _length && _outgoing.TryAdd(leaf, contribution))
            {
                _accumulator!.TryAdd(new TreeNode(0, leaf), values.Span[Owned.Start..Owned.End]);
                SettleSum();
                contribution.Start();
                return contribution;
            }
        }

        var problem = $"leaf {leaf} of {_leaves} with {values.Length} elements, not {_length}, or contributed twice at once";
        _fail(this, problem);
        contribution.Refuse(new CollectiveException(problem));
        return contribution;
    }

    public T Snapshot<T>(Func<IReadOnlyList<SubtreeSum>, T> read)
    {
        ArgumentNullException.ThrowIfNull(read);
        lock (Sync)
        {
            ObjectDisposedException.ThrowIf(_disposed, typeof(ILeasedSum));
            return read(_accumulator!.Roots);
        }
    }

    public ValueTask DisposeAsync()
    {
        lock (Sync)
        {
            if (_disposed)
            {
                return ValueTask.CompletedTask;
            }

            _disposed = true;
            _accumulator?.Dispose();
            _incoming.Clear();
            if (_sum is { Task.IsCompleted: false })
            {
                _sum.TrySetException(new ObjectDisposedException(nameof(ILeasedSum)));
                _ = _sum.Task.Exception;
            }
        }

        TryEnd();
        return ValueTask.CompletedTask;
    }

    /// <summary>This rank opens its part.</summary>
    /// <returns>What is wrong, or null.</returns>
    internal string? Open(OperationKey key, int leaves, int length, IReadOnlyList<SubtreeSum> restored)
    {
        if (leaves != _leaves || length != _length)
        {
            return $"{leaves} leaves of {length} elements, another rank has {_leaves} of {_length}";
        }

        if (TreeAccumulator.TryRestore(leaves, Owned.Count, restored, out var problem) is not { } accumulator)
        {
            return problem;
        }

        lock (Sync)
        {
            _accumulator = accumulator;
            MarkStarted(key);
            foreach (var (frame, payload) in _early)
            {
                problem ??= Take(frame, payload);
            }

            _early.Clear();
            return problem;
        }
    }

    internal override string? Receive(in FrameHeader frame, ReceivedBody body)
    {
        var payload = body.Memory;
        if (frame.Leaves != _leaves || frame.Length != _length || frame.Node.Level != 0 || frame.Node.Index < 0 || frame.Node.Index >= _leaves)
        {
            return $"leaf {frame.Node.Index} of {frame.Leaves} leaves and {frame.Length} elements, here {_leaves} of {_length}";
        }

        Contribution? done = null;
        lock (Sync)
        {
            if (IsOver)
            {
                return null;
            }

            LastProgress = Host.Now;
            if (frame.Kind == FrameKind.LeafTaken)
            {
                if (_outgoing.TryGetValue(frame.Node.Index, out var contribution))
                {
                    if (!contribution.Taken(frame.Source, frame.Chunks))
                    {
                        return $"{frame.Chunks} chunks of leaf {frame.Node.Index} taken, more than were sent";
                    }

                    done = contribution;
                }
            }
            else if (frame.Kind != FrameKind.Leaf || frame.PayloadBytes != (long)frame.Count * sizeof(float))
            {
                return $"a {frame.Kind} frame of {frame.PayloadBytes} bytes for {frame.Count} elements";
            }
            else if (IsStarted)
            {
                return Take(frame, payload.Span);
            }
            else if (_earlyBytes + payload.Length > MaxEarlyBytes)
            {
                return "more chunks than may be sent ahead";
            }
            else
            {
                _earlyBytes += payload.Length;
                _early.Add((frame, payload.ToArray()));
            }
        }

        done?.TryEnd();
        return null;
    }

    internal override IReadOnlyList<int> Missing()
    {
        lock (Sync)
        {
            return [.. _outgoing.Values.SelectMany(static c => c.Missing()).Distinct().Order()];
        }
    }

    internal override bool Needs(int rank) => Missing().Contains(rank);

    /// <summary>Whether somebody waits for peers: an open sum alone may wait for leases as long as it takes.</summary>
    internal bool IsWaiting
    {
        get
        {
            lock (Sync)
            {
                return _outgoing.Count > 0;
            }
        }
    }

    internal void FailAll(CollectiveException reason)
    {
        Contribution[] outgoing;
        lock (Sync)
        {
            _reason ??= reason;
            outgoing = [.. _outgoing.Values];
            SettleSum();
        }

        foreach (var contribution in outgoing)
        {
            contribution.Fail(reason);
        }
    }

    protected override void Release()
    {
        _incoming.Clear();
        _early.Clear();
    }

    private string? Take(in FrameHeader frame, ReadOnlySpan<byte> payload)
    {
        var chunks = ChunksOf(Owned);
        if (frame.Chunk >= chunks || _plan.Chunk(Owned, frame.Chunk) is var range && (range.Start != frame.First || range.Count != frame.Count))
        {
            return $"chunk {frame.Chunk} of leaf {frame.Node.Index}, elements {frame.First} to {frame.First + frame.Count}; do all ranks use the same settings?";
        }

        var key = (frame.Source, frame.Node.Index);
        if (!_incoming.TryGetValue(key, out var incoming))
        {
            // A leaf that was counted needs no memory, and its contributor must hear so all the same.
            incoming = new Incoming(new BitArray(chunks), _accumulator!.Contains(frame.Node.Index) ? null : GC.AllocateUninitializedArray<float>(Owned.Count));
            _incoming.Add(key, incoming);
        }

        if (incoming.Seen[frame.Chunk])
        {
            CollectiveMeters.Dropped("duplicate");
            return null;
        }

        incoming.Seen[frame.Chunk] = true;
        incoming.Taken++;
        if (incoming.Values is { } values)
        {
            MemoryMarshal.Cast<byte, float>(payload).CopyTo(values.AsSpan(frame.First - Owned.Start));
        }

        if (incoming.Taken == chunks)
        {
            _incoming.Remove(key);
            if (incoming.Values is { } whole && !_disposed)
            {
                _accumulator!.TryAdd(new TreeNode(0, frame.Node.Index), whole);
                SettleSum();
            }
        }
        else if (incoming.Taken % Math.Max(1, _plan.Window / 2) != 0)
        {
            return null;
        }

        Host.Send(frame.Source, Frame(FrameKind.LeafTaken, frame.Node.Index) with { Chunks = incoming.Taken }, default, null);
        return null;
    }

    // The owner of nothing hears of every leaf too: all owners hold the same nodes, and know when all have been counted.
    private int ChunksOf(IndexRange range) => Math.Max(1, _plan.Count(range.Count));

    private void SettleSum()
    {
        if (_sum is null || _sum.Task.IsCompleted)
        {
            return;
        }

        if (_accumulator is { IsComplete: true } && !_disposed)
        {
            _sum.TrySetResult(_accumulator.Sum);
        }
        else if (_reason is not null)
        {
            _sum.TrySetException(_reason);
            _ = _sum.Task.Exception;
        }
    }

    private FrameHeader Frame(FrameKind kind, int leaf) => Frame(kind) with
    {
        Leaves = _leaves,
        Length = _length,
        Node = new TreeNode(0, leaf),
    };

    private sealed class Incoming(BitArray seen, float[]? values)
    {
        internal BitArray Seen { get; } = seen;

        internal float[]? Values { get; } = values;

        internal int Taken { get; set; }
    }

    /// <summary>A leaf on its way to the owners.</summary>
    private sealed class Contribution : ICollectiveOperation
    {
        private readonly RabbitLeasedSum _parent;
        private readonly int _leaf;
        private readonly ReadOnlyMemory<float> _values;
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly int[] _sent;
        private readonly int[] _taken;
        private readonly int[] _chunks;
        private CollectiveException? _failure;
        private int _unsent = 1;
        private bool _ended;

        internal Contribution(RabbitLeasedSum parent, int leaf, ReadOnlyMemory<float> values)
        {
            _parent = parent;
            _leaf = leaf;
            _values = values;
            _sent = new int[parent.Host.Size];
            _taken = new int[parent.Host.Size];
            _chunks = [.. parent._ranges.Select((range, rank) => rank == parent.Host.Rank ? 0 : parent.ChunksOf(range))];
        }

        public Task Completion => _done.Task;

        public void Wait(CancellationToken cancellationToken) => BlockingWait.For(_done.Task, _parent.Host.Abort, cancellationToken);

        /// <summary>Sends the first chunks; called within the parent's lock.</summary>
        internal void Start()
        {
            for (var i = 1; i < _sent.Length; i++)
            {
                SendMore((_parent.Host.Rank + i) % _sent.Length);
            }

            // Never ends while the parent's lock is held here: its books are changed by the end.
            _ = Task.Run(LetGo);
        }

        internal IEnumerable<int> Missing() => Enumerable.Range(0, _taken.Length).Where(rank => _taken[rank] < _chunks[rank]);

        internal bool Taken(int rank, int chunks)
        {
            if (chunks > _sent[rank])
            {
                return false;
            }

            _taken[rank] = Math.Max(_taken[rank], chunks);
            SendMore(rank);
            return true;
        }

        internal void Fail(CollectiveException failure)
        {
            lock (_parent.Sync)
            {
                _failure ??= failure;
            }

            TryEnd();
        }

        /// <summary>Fails what was never started.</summary>
        internal void Refuse(CollectiveException failure)
        {
            _unsent = 0;
            Fail(failure);
        }

        internal void TryEnd()
        {
            lock (_parent.Sync)
            {
                if (_ended || Volatile.Read(ref _unsent) > 0 || (_failure is null && Missing().Any()))
                {
                    return;
                }

                _ended = true;
                if (_parent._outgoing.TryGetValue(_leaf, out var running) && running == this)
                {
                    _parent._outgoing.Remove(_leaf);
                }
            }

            _parent.LetGo();

            if (_failure is null)
            {
                _done.TrySetResult();
            }
            else if (_done.TrySetException(_failure))
            {
                _ = _done.Task.Exception;
            }
        }

        private void SendMore(int owner)
        {
            while (_sent[owner] < Math.Min(_chunks[owner], _taken[owner] + _parent._plan.Window))
            {
                var chunk = _sent[owner]++;
                var range = _parent._plan.Chunk(_parent._ranges[owner], chunk);
                var frame = _parent.Frame(FrameKind.Leaf, _leaf) with { Chunk = chunk, Chunks = _chunks[owner], First = range.Start, Count = range.Count };
                Interlocked.Increment(ref _unsent);
                _parent.Host.Send(owner, frame, ByteView.Of(_values[range.Start..range.End]), LetGo);
            }
        }

        private void LetGo()
        {
            if (Interlocked.Decrement(ref _unsent) == 0)
            {
                TryEnd();
            }
        }
    }
}
