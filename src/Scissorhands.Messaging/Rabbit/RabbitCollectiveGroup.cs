using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.IO.Hashing;
using System.Net.Sockets;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Threading.Channels;
using RabbitMQ.Client.Exceptions;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Frames;
using Scissorhands.Messaging.Rabbit.Bodies;
using Scissorhands.Messaging.Wire;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Rabbit;

/// <summary>
/// The collectives of workers that share a broker. The link hands over the frames of this run and generation; one that
/// does not fit, a peer that falls silent or a lost connection ends the generation on this rank with a reason that
/// the others are told.
/// </summary>
public sealed class RabbitCollectiveGroup : ICollectiveGroup, IOperationHost
{
    // Signs of life within the time a peer may be silent.
    private const int HeartbeatsPerTimeout = 5;

    // Vectors up to this go to everyone at once: one way instead of two, and everyone adds the same tree up.
    private const int SmallElements = 16_384;

    // What one rank may send of a small sum: its subtrees.
    private const int MaxSmallBytes = 16 << 20;
    private readonly RabbitDataLink _link;
    private readonly IReadOnlyList<string> _queues;
    private readonly string[] _others;
    private readonly ulong _instance;
    private readonly FrameSeal _sealing;
    private readonly FrameSeal _opening;
    private readonly CollectiveOptions _options;
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private readonly Channel<Outgoing> _outgoing = Channel.CreateUnbounded<Outgoing>(new UnboundedChannelOptions { SingleReader = true });
    private readonly CancellationTokenSource _ended = new();
    private readonly Task _sending;
    private readonly Lock _sync = new();
    private readonly Dictionary<OperationId, RabbitOperation> _operations = [];
    private readonly Dictionary<ulong, StepSet> _finished = [];
    private readonly bool[] _left;
    private readonly long[] _lastHeard;
    private readonly HeardFrames[] _heard;
    private GroupFailure? _failure;
    private int _disposed;

    /// <summary>Joins a generation's group; frames of the link reach it from now on.</summary>
    /// <param name="link">This worker's link; belongs to the caller and outlives the group.</param>
    /// <param name="runId">The run.</param>
    /// <param name="generation">The generation.</param>
    /// <param name="rank">This worker's rank.</param>
    /// <param name="queues">Every rank's data queue, by rank.</param>
    /// <param name="key">The generation's key of 32 random bytes, or empty: frames are then checked for damage but not authenticated.</param>
    /// <param name="options">Settings, the same on all ranks; null for the defaults.</param>
    /// <param name="timeProvider">The clock; null for the system's.</param>
    public RabbitCollectiveGroup(
        RabbitDataLink link,
        string runId,
        long generation,
        int rank,
        IReadOnlyList<string> queues,
        ReadOnlyMemory<byte> key = default,
        CollectiveOptions? options = null,
        TimeProvider? timeProvider = null)
    {
        ArgumentNullException.ThrowIfNull(link);
        ArgumentNullException.ThrowIfNull(runId);
        ArgumentNullException.ThrowIfNull(queues);
        ArgumentOutOfRangeException.ThrowIfNegative(rank);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(rank, queues.Count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(queues.Count, ushort.MaxValue);
        _options = options ?? new CollectiveOptions();
        _options.Validate();
        _link = link;
        _queues = queues;
        _others = [.. queues.Where((_, index) => index != rank)];
        _time = timeProvider ?? TimeProvider.System;
        RunHash = XxHash128.HashToUInt128(Encoding.UTF8.GetBytes(runId));
        _instance = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));
        _sealing = new FrameSeal(key.Span);
        _opening = new FrameSeal(key.Span);
        RunId = runId;
        Generation = generation;
        Rank = rank;
        _left = new bool[queues.Count];
        _heard = [.. queues.Select(static _ => new HeardFrames())];
        _lastHeard = [.. Enumerable.Repeat(_time.GetTimestamp(), queues.Count)];
        _sending = Task.Run(SendAsync);
        link.Attach(this);
        if (link.LostReason is { } lost)
        {
            LinkLost(lost);
        }

        var period = _options.PeerTimeout / HeartbeatsPerTimeout;
        _timer = _time.CreateTimer(static group => ((RabbitCollectiveGroup)group!).Beat(), this, TimeSpan.Zero, period);
    }

    /// <inheritdoc/>
    public string RunId { get; }

    /// <inheritdoc/>
    public long Generation { get; }

    /// <inheritdoc/>
    public int Rank { get; }

    /// <inheritdoc/>
    public int Size => _queues.Count;

    /// <inheritdoc/>
    CollectiveOptions IOperationHost.Options => _options;

    /// <inheritdoc/>
    long IOperationHost.Now => _time.GetTimestamp();

    /// <summary>Hash of the run's id, as frames carry it.</summary>
    internal UInt128 RunHash { get; }

    /// <summary>Operations under way.</summary>
    internal int Live
    {
        get
        {
            lock (_sync)
            {
                return _operations.Count;
            }
        }
    }

    /// <inheritdoc/>
    public ICollectiveOperation AllReduce(OperationKey key, int leaves, IReadOnlyList<SubtreeSum> held, Memory<float> result, WireFormat format = WireFormat.Fp32) =>
        Sum(key, scatter: false, leaves, held, result.Length, result, format);

    /// <inheritdoc/>
    public ICollectiveOperation ReduceScatter(
        OperationKey key, int leaves, IReadOnlyList<SubtreeSum> held, int length, Memory<float> ownedResult, WireFormat format = WireFormat.Fp32) =>
        Sum(key, scatter: true, leaves, held, length, ownedResult, format);

    /// <inheritdoc/>
    public ICollectiveOperation SumDoubles(OperationKey key, int leaves, IReadOnlyList<SubtreeDoubles> held, Memory<double> result)
    {
        ArgumentNullException.ThrowIfNull(held);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(leaves);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(result.Length, SubtreeDoubles.MaxLength);
        return SmallSum(key, OperationKind.SumDoubles, leaves, SubtreeDoubles.Parts(held), result.Length, new IndexRange(0, result.Length), result, WireFormat.Fp32);
    }

    /// <inheritdoc/>
    public ICollectiveOperation AllGather(OperationKey key, IReadOnlyList<IndexRange> ranges, Memory<byte> buffer)
    {
        ArgumentNullException.ThrowIfNull(ranges);
        var problem = ranges.Count == Size ? RangeCover.Problem(ranges, buffer.Length) : $"{ranges.Count} ranges for {Size} ranks";
        if (problem is not null)
        {
            return Refuse(key, problem);
        }

        return Gather(
            key,
            OperationKind.AllGather,
            new GatherTask(
                buffer[ranges[Rank].Start..ranges[Rank].End],
                [.. ranges.Select(static r => r.Count == 0 ? GatherTask.Nothing : r.Count)],
                (rank, first, bytes) => bytes.CopyTo(buffer.Span[(ranges[rank].Start + first)..]),
                static () => null));
    }

    /// <inheritdoc/>
    public ICollectiveOperation Broadcast(OperationKey key, int root, Memory<byte> buffer)
    {
        if (root < 0 || root >= Size)
        {
            return Refuse(key, $"the giving rank is {root} of {Size}");
        }

        return Gather(
            key,
            OperationKind.Broadcast,
            new GatherTask(
                root == Rank ? buffer : default,
                [.. Enumerable.Range(0, Size).Select(rank => rank == root ? buffer.Length : GatherTask.Nothing)],
                (_, first, bytes) => bytes.CopyTo(buffer.Span[first..]),
                static () => null));
    }

    /// <inheritdoc/>
    public ICollectiveOperation SumCounts(OperationKey key, Memory<long> values)
    {
        // What is sent must not change while others' counts are added.
        var bytes = MemoryMarshal.AsBytes(values.Span).ToArray();
        var sum = values.ToArray();
        return Gather(
            key,
            OperationKind.SumCounts,
            new GatherTask(
                bytes,
                [.. Enumerable.Repeat(bytes.Length, Size)],
                (_, first, piece) =>
                {
                    var counts = MemoryMarshal.Cast<byte, long>(piece);
                    for (var i = 0; i < counts.Length; i++)
                    {
                        sum[(first / sizeof(long)) + i] = checked(sum[(first / sizeof(long)) + i] + counts[i]);
                    }
                },
                () =>
                {
                    sum.CopyTo(values);
                    return null;
                }));
    }

    /// <inheritdoc/>
    public ICollectiveOperation Barrier(OperationKey key) =>
        Gather(key, OperationKind.Barrier, new GatherTask(default, new int[Size], static (_, _, _) => { }, static () => null));

    /// <inheritdoc/>
    /// <exception cref="CollectiveException">The group has ended, or the restored sums do not fit the tree or the owned range.</exception>
    public ILeasedSum OpenLeasedSum(OperationKey key, int leaves, int length, IReadOnlyList<SubtreeSum> restored)
    {
        ArgumentNullException.ThrowIfNull(restored);
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _disposed) != 0, this);
        if (leaves < 1 || length < 0)
        {
            throw Fail(Rank, $"{leaves} leaves of {length} elements", null, key).Describe(RunId, Generation, key);
        }

        if (!TryBegin(key, id => new RabbitLeasedSum(this, id, leaves, length, FailLeased), out var operation, out var failure))
        {
            throw failure.Describe(RunId, Generation, key);
        }

        var problem = operation is RabbitLeasedSum { IsStarted: false } sum ? sum.Open(key, leaves, length, restored) : "the key is used twice, or for different operations";
        return problem is null ? (RabbitLeasedSum)operation : throw Fail(Rank, problem, null, key).Describe(RunId, Generation, key);
    }

    /// <inheritdoc/>
    public void Abort(Exception reason)
    {
        ArgumentNullException.ThrowIfNull(reason);
        Fail(Rank, "gave up: " + reason.Message, reason);
        RabbitOperation[] ending;
        lock (_sync)
        {
            ending = [.. _operations.Values];
        }

        foreach (var operation in ending)
        {
            BlockingWait.ForEnd(operation.Completion);
        }
    }

    /// <summary>Leaves the group. Operations that still wait for this rank, and all later ones, fail on the others.</summary>
    /// <returns>Completes when nothing of the group's is left.</returns>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            await _sending;
            return;
        }

        await _timer.DisposeAsync();
        bool orderly;
        lock (_sync)
        {
            orderly = _failure is null;
        }

        if (orderly)
        {
            // What others still need of this rank goes out first.
            ((IOperationHost)this).Send(-1, new FrameHeader { Kind = FrameKind.Leave }, default, null);
            _outgoing.Writer.TryComplete();
            await Task.WhenAny(_sending, Task.Delay(_options.PeerTimeout, _time));
        }

        Fail(Rank, "the rank has left the group", tell: false);
        _link.Detach(this);
        _outgoing.Writer.TryComplete();
        await _sending;
        _sealing.Dispose();
        _opening.Dispose();
        _ended.Dispose();
    }

    /// <inheritdoc/>
    TimeSpan IOperationHost.Elapsed(long since) => _time.GetElapsedTime(since);

    /// <inheritdoc/>
    void IOperationHost.Send(int target, FrameHeader frame, ReadOnlyMemory<byte> payload, Action? sent)
    {
        var outgoing = new Outgoing(
            target,
            frame with { Source = Rank, Run = RunHash, Generation = Generation, PayloadBytes = payload.Length, Instance = _instance },
            payload,
            sent);
        if (!_outgoing.Writer.TryWrite(outgoing))
        {
            sent?.Invoke();
        }
    }

    /// <inheritdoc/>
    void IOperationHost.Forget(RabbitOperation operation)
    {
        lock (_sync)
        {
            _operations.Remove(operation.Id);
            if (!_finished.TryGetValue(operation.Id.Purpose, out var steps))
            {
                _finished.Add(operation.Id.Purpose, steps = new StepSet());
            }

            steps.Add(operation.Id.Step);
        }
    }

    /// <summary>A frame of this run and generation has come; calls follow one another.</summary>
    internal void Receive(in FrameHeader frame, ReadOnlySpan<byte> headerBytes, ReceivedBody body)
    {
        if (Volatile.Read(ref _disposed) != 0)
        {
            return;
        }

        var payload = body.Memory;
        if (frame.Source >= Size || frame.Source == Rank || !_opening.IsIntact(frame, headerBytes, payload.Span))
        {
            // Nothing is known of who sent it, and what was meant to come may never come: better a new generation now.
            CollectiveMeters.Dropped("seal");
            Fail(-1, $"a frame that claims to come from rank {frame.Source} was altered on its way, or forged");
            return;
        }

        // The broker keeps a sender's order, so whatever is not newer has come before. It must not even count as a sign of life.
        var order = _heard[frame.Source].Hear(frame);
        if (order == FrameOrder.Repeated)
        {
            CollectiveMeters.Dropped("replay");
            return;
        }

        // Whoever has failed sends nothing more but why, and what is missing of a peer that leaves is missed by the operations that need it.
        if (order == FrameOrder.AfterGap && frame.Kind is not (FrameKind.Abort or FrameKind.Leave))
        {
            CollectiveMeters.Dropped("gap");
            Fail(-1, $"a frame of rank {frame.Source} is missing");
            return;
        }

        CollectiveMeters.Received(payload.Length, frame.Encoding);
        Volatile.Write(ref _lastHeard[frame.Source], _time.GetTimestamp());
        switch (frame.Kind)
        {
            case FrameKind.Heartbeat:
                return;
            case FrameKind.Abort:
                Fail(frame.Source, Encoding.UTF8.GetString(payload.Span), tell: false);
                return;
            case FrameKind.Leave:
                PeerLeft(frame.Source);
                return;
        }

        var id = new OperationId(frame.Purpose, frame.Step);
        RabbitOperation? operation;
        lock (_sync)
        {
            if (_failure is not null)
            {
                return;
            }

            if (!_operations.TryGetValue(id, out operation))
            {
                if (IsFinished(id))
                {
                    CollectiveMeters.Dropped("late");
                    return;
                }

                operation = Create(frame, id);
                if (operation is not null)
                {
                    _operations.Add(id, operation);
                }
            }
        }

        string? problem;
        try
        {
            problem = operation is null || operation.Kind != frame.Operation
                ? $"a {frame.Kind} frame of a {frame.Operation} for a {operation?.Kind.ToString() ?? "step that it cannot begin"}"
                : operation.Receive(frame, body);
        }
        catch (Exception e)
        {
            // The client library would swallow it, and the operation would never end.
            problem = $"what could not be taken in: {e.Message}";
        }

        if (problem is not null)
        {
            Fail(frame.Source, "sent " + problem, null, operation is { IsStarted: true } ? operation.Key : null);
        }
    }

    /// <summary>A message has come that cannot be read, perhaps instead of a frame that an operation waits for.</summary>
    internal void Malformed(string problem) => Fail(-1, "a message that is no frame: " + problem);

    /// <summary>A message came back: nobody consumes from its queue any more.</summary>
    internal void QueueGone(string queue)
    {
        for (var rank = 0; rank < Size; rank++)
        {
            if (_queues[rank] == queue)
            {
                Fail(rank, "its queue is gone: the worker or its connection has died");
            }
        }
    }

    /// <summary>This worker's connection is lost.</summary>
    internal void LinkLost(string reason) => Fail(-1, "connection to the broker lost: " + reason, tell: false);

    /// <summary>Ends every running and future operation on this rank, and tells the others.</summary>
    internal GroupFailure Fail(int rank, string problem, Exception? inner = null, OperationKey? key = null, bool tell = true)
    {
        RabbitOperation[] running;
        GroupFailure failure;
        lock (_sync)
        {
            if (_failure is not null)
            {
                return _failure;
            }

            failure = _failure = new GroupFailure(rank, key, problem, inner);
            running = [.. _operations.Values];
        }

        if (tell && Size > 1)
        {
            var place = key is { } at ? $" (in operation {at.Purpose}/{at.Step})" : "";
            var text = rank < 0 || rank == Rank ? problem : $"says of rank {rank}: {problem}";
            var bytes = Encoding.UTF8.GetBytes(text + place);
            ((IOperationHost)this).Send(-1, new FrameHeader { Kind = FrameKind.Abort }, bytes.AsMemory(0, Math.Min(bytes.Length, 4096)), null);
        }

        // The send loop drops what it still has of the operations, and gives their memory back.
        _ended.Cancel();
        foreach (var operation in running)
        {
            var exception = failure.Describe(RunId, Generation, operation.Key);
            (operation as RabbitLeasedSum)?.FailAll(exception);
            operation.Fail(exception);
        }

        return failure;
    }

    private ICollectiveOperation Sum(OperationKey key, bool scatter, int leaves, IReadOnlyList<SubtreeSum> held, int length, Memory<float> result, WireFormat format)
    {
        ArgumentNullException.ThrowIfNull(held);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(leaves);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (!Enum.IsDefined(format))
        {
            throw new ArgumentOutOfRangeException(nameof(format), format, "No such format.");
        }

        var kind = scatter ? OperationKind.ReduceScatter : OperationKind.AllReduce;
        if (length <= SmallElements)
        {
            return SmallSum(key, kind, leaves, SubtreeSum.Parts(held), length, scatter ? RangeOwnership.Owned(length, Rank, Size) : new IndexRange(0, length), result, format);
        }

        return Begin<RabbitSum>(key, id => new RabbitSum(this, id, scatter, leaves, length, format), sum => sum.Kind == kind
            ? sum.Start(key, leaves, held, length, result, format)
            : "the ranks use the key for different operations");
    }

    /// <summary>Everyone's subtrees go to everyone.</summary>
    private ICollectiveOperation SmallSum<T>(
        OperationKey key, OperationKind kind, int leaves, IReadOnlyList<TreePart<T>> held, int length, IndexRange wanted, Memory<T> result, WireFormat format)
        where T : unmanaged, IAdditionOperators<T, T, T>, IAdditiveIdentity<T, T>
    {
        if (result.Length != wanted.Count)
        {
            return Refuse(key, $"the result has {result.Length} elements, the owned range {wanted.Count}");
        }

        var problem = new SmallSum<T>(leaves, length, Size, MaxSmallBytes, format).TryBegin(Rank, held, wanted, result, out var task);
        return problem is null ? Gather(key, kind, task) : Refuse(key, problem);
    }

    private ICollectiveOperation Gather(OperationKey key, OperationKind kind, GatherTask task) =>
        Begin<RabbitGather>(key, id => new RabbitGather(this, id, kind), gather => gather.Kind == kind ? gather.Start(key, task) : "the ranks use the key for different operations");

    private ICollectiveOperation Begin<T>(OperationKey key, Func<OperationId, T> create, Func<T, string?> start)
        where T : RabbitOperation
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _disposed) != 0, this);
        if (!TryBegin(key, create, out var operation, out var failure))
        {
            return Failed(failure, key);
        }

        string? problem;
        try
        {
            problem = operation is T { IsStarted: false } mine ? start(mine) : "the key is used twice, or for different operations";
        }
        catch (Exception e)
        {
            problem = e.Message;
        }

        return problem is null ? operation : Failed(Fail(Rank, problem, null, key), key, operation);
    }

    private bool TryBegin(OperationKey key, Func<OperationId, RabbitOperation> create, out RabbitOperation operation, [NotNullWhen(false)] out GroupFailure? failure)
    {
        var id = IdOf(key);
        operation = null!;
        lock (_sync)
        {
            var leaver = Array.IndexOf(_left, true);
            failure = _failure ?? (leaver < 0 ? null : new GroupFailure(leaver, key, "the rank has left the group"));
            if (failure is null && !_operations.TryGetValue(id, out operation!))
            {
                if (IsFinished(id))
                {
                    failure = new GroupFailure(Rank, key, "the key has been used before");
                }
                else
                {
                    operation = create(id);
                    _operations.Add(id, operation);
                }
            }

            if (failure is null)
            {
                // At once: a failure from here on names it.
                operation.Key = key;
            }
        }

        if (failure is not null && _failure is null)
        {
            failure = Fail(failure.Rank, failure.Problem, null, key);
        }

        return failure is null;
    }

    private FailedOperation Refuse(OperationKey key, string problem) => Failed(Fail(Rank, problem, null, key), key);

    /// <summary>An operation that has failed: the one begun, which lets go of memory first, or one that never was.</summary>
    private FailedOperation Failed(GroupFailure failure, OperationKey key, RabbitOperation? begun = null)
    {
        var exception = failure.Describe(RunId, Generation, key);
        begun?.Fail(exception);
        return new FailedOperation(exception, begun?.Completion ?? Task.CompletedTask);
    }

    private void FailLeased(RabbitLeasedSum sum, string problem) => Fail(Rank, problem, null, sum.Key);

    private void PeerLeft(int rank)
    {
        RabbitOperation[] running;
        lock (_sync)
        {
            _left[rank] = true;
            running = [.. _operations.Values];
        }

        if (running.FirstOrDefault(operation => operation.Needs(rank)) is { } waiting)
        {
            Fail(rank, "the rank has left the group", null, waiting.Key);
        }
    }

    /// <summary>Gives a sign of life, and looks for the others'.</summary>
    private void Beat()
    {
        if (Size == 1)
        {
            return;
        }

        for (var rank = 0; rank < Size; rank++)
        {
            if (rank != Rank)
            {
                // One each, not one for all: a single missing queue then shows.
                ((IOperationHost)this).Send(rank, new FrameHeader { Kind = FrameKind.Heartbeat }, default, null);
            }
        }

        RabbitOperation[] running;
        lock (_sync)
        {
            if (_failure is not null)
            {
                return;
            }

            running = [.. _operations.Values.Where(static o => o.IsStarted && o is not RabbitLeasedSum { IsWaiting: false })];
        }

        foreach (var operation in running)
        {
            var idle = _time.GetElapsedTime(operation.LastProgress);
            if (idle < _options.PeerTimeout)
            {
                continue;
            }

            var silent = Enumerable.Range(0, Size).Where(rank => rank != Rank && _time.GetElapsedTime(Volatile.Read(ref _lastHeard[rank])) >= _options.PeerTimeout).ToArray();
            var limit = operation.IsAllHeard ? _options.OperationTimeout : _options.JoinTimeout;
            var late = silent.Length > 0 ? silent : idle >= limit ? operation.Missing() : [];
            if (late.Count > 0 || idle >= limit)
            {
                var names = late.Count == 0 ? "nobody in particular" : (late.Count == 1 ? "rank " : "ranks ") + string.Join(", ", late);
                Fail(
                    -1,
                    silent.Length > 0
                        ? $"{names} gave no sign of life for {Seconds(_options.PeerTimeout)} s"
                        : $"no progress for {Seconds(limit)} s, waiting for {names}",
                    null,
                    operation.Key);
                return;
            }
        }
    }

    private static string Seconds(TimeSpan time) => time.TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture);

    private static OperationId IdOf(OperationKey key) => new(XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(key.Purpose ?? "")), key.Step);

    private bool IsFinished(OperationId id) => _finished.TryGetValue(id.Purpose, out var steps) && steps.Contains(id.Step);

    /// <summary>The operation that a peer's frame begins here before this rank has come to it.</summary>
    private RabbitOperation? Create(in FrameHeader frame, OperationId id) => frame.Operation switch
    {
        OperationKind.AllReduce or OperationKind.ReduceScatter when frame.Kind == FrameKind.Contribution && frame.Leaves > 0 && frame.Length > SmallElements =>
            new RabbitSum(this, id, frame.Operation == OperationKind.ReduceScatter, frame.Leaves, frame.Length, frame.Format),
        OperationKind.LeasedSum when frame.Kind == FrameKind.Leaf && frame.Leaves > 0 => new RabbitLeasedSum(this, id, frame.Leaves, frame.Length, FailLeased),
        OperationKind.None or OperationKind.LeasedSum => null,
        _ when frame.Kind == FrameKind.Piece => new RabbitGather(this, id, frame.Operation),
        _ => null,
    };

    private async Task SendAsync()
    {
        var sent = new SentFrames(Size);
        await foreach (var item in _outgoing.Reader.ReadAllAsync())
        {
            try
            {
                // Farewells go out even so.
                var farewell = item.Frame.Kind is FrameKind.Abort or FrameKind.Leave;
                if ((farewell || !_ended.IsCancellationRequested) && _link.LostReason is null && _others.Length > 0)
                {
                    var header = new byte[FrameHeader.Size];
                    _sealing.Seal(sent.Number(item.Target, item.Frame), item.Payload.Span, header);
                    using var deadline = farewell ? new CancellationTokenSource(_options.PeerTimeout, _time) : null;
                    await _link.PublishAsync(item.Target < 0 ? _others : [_queues[item.Target]], header, item.Payload, deadline?.Token ?? _ended.Token);
                    CollectiveMeters.Sent(item.Payload.Length, item.Frame.Encoding);
                }
            }
            catch (Exception e)
            {
                if (!_ended.IsCancellationRequested)
                {
                    // The sender may find the connection closed before the link hears of it: the reason is the same.
                    var lost = e is AlreadyClosedException or OperationInterruptedException or IOException or SocketException;
                    Fail(-1, (lost ? "connection to the broker lost: " : "sending failed: ") + e.Message, e, tell: false);
                }
            }

            item.Sent?.Invoke();
        }
    }

    private readonly record struct Outgoing(int Target, FrameHeader Frame, ReadOnlyMemory<byte> Payload, Action? Sent);

    /// <summary>Ends with the failure once the operation that was begun has let go of the caller's memory.</summary>
    private sealed class FailedOperation(CollectiveException failure, Task letGo) : ICollectiveOperation
    {
        public Task Completion { get; } = EndAsync(failure, letGo);

        public void Wait(CancellationToken cancellationToken)
        {
            BlockingWait.ForEnd(letGo, cancellationToken);
            throw failure;
        }

        private static async Task EndAsync(CollectiveException failure, Task letGo)
        {
            await letGo.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw failure;
        }
    }
}
