using System.Runtime.InteropServices;
using System.Text;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Wire;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Rabbit;

/// <summary>
/// The collectives of workers that share a broker: each contribution goes to the owner of its range, which finishes the
/// tree and sends the range to all. So far all-reduce and barrier; frames are not authenticated yet.
/// </summary>
public sealed class RabbitCollectiveGroup : ICollectiveGroup
{
    private readonly RabbitDataLink _link;
    private readonly IReadOnlyList<string> _queues;
    private readonly Lock _sync = new();
    private readonly Dictionary<OperationKey, RabbitOperation> _operations = [];
    private readonly Dictionary<string, StepSet> _finished = new(StringComparer.Ordinal);
    private GroupFailure? _failure;

    /// <summary>Joins a generation's group; frames of the link reach it from now on.</summary>
    /// <param name="link">This worker's link; belongs to the caller and outlives the group.</param>
    /// <param name="runId">The run.</param>
    /// <param name="generation">The generation.</param>
    /// <param name="rank">This worker's rank.</param>
    /// <param name="queues">Every rank's data queue, by rank.</param>
    public RabbitCollectiveGroup(RabbitDataLink link, string runId, long generation, int rank, IReadOnlyList<string> queues)
    {
        ArgumentNullException.ThrowIfNull(link);
        ArgumentNullException.ThrowIfNull(runId);
        ArgumentNullException.ThrowIfNull(queues);
        ArgumentOutOfRangeException.ThrowIfNegative(rank);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(rank, queues.Count);
        _link = link;
        _queues = queues;
        RunId = runId;
        Generation = generation;
        Rank = rank;
        link.Attach(this);
        if (link.Lost.IsCompletedSuccessfully)
        {
            Fail(-1, "connection to the broker lost");
        }
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
    /// <exception cref="NotSupportedException">The format is not <see cref="WireFormat.Fp32"/>.</exception>
    public ICollectiveOperation AllReduce(OperationKey key, int leaves, IReadOnlyList<SubtreeSum> held, Memory<float> result, WireFormat format = WireFormat.Fp32)
    {
        if (format != WireFormat.Fp32)
        {
            throw Unsupported($"{nameof(AllReduce)} in {format}");
        }

        ArgumentNullException.ThrowIfNull(held);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(leaves);
        var operation = Begin(key, () => new RabbitAllReduce(leaves, result.Length, Rank, Size), o => o.Start(leaves, held, result), out var begun);
        if (begun)
        {
            Run(key, operation, () => SendContributionsAsync(key, (RabbitAllReduce)operation, leaves, held));
        }

        return operation;
    }

    /// <inheritdoc/>
    public ICollectiveOperation Barrier(OperationKey key)
    {
        var operation = Begin(key, () => new RabbitBarrier(Size, Rank), static o => { o.Started = true; return null; }, out var begun);
        if (begun)
        {
            Run(key, operation, async () =>
            {
                var frame = Frame(FrameKind.Barrier, key).ToBytes();
                for (var peer = 0; peer < Size; peer++)
                {
                    if (peer != Rank)
                    {
                        await _link.PublishAsync(_queues[peer], frame);
                    }
                }
            });
        }

        return operation;
    }

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">Always.</exception>
    public ICollectiveOperation ReduceScatter(OperationKey key, int leaves, IReadOnlyList<SubtreeSum> held, int length, Memory<float> ownedResult, WireFormat format = WireFormat.Fp32) =>
        throw Unsupported(nameof(ReduceScatter));

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">Always.</exception>
    public ICollectiveOperation AllGather(OperationKey key, IReadOnlyList<IndexRange> ranges, Memory<byte> buffer) => throw Unsupported(nameof(AllGather));

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">Always.</exception>
    public ICollectiveOperation Broadcast(OperationKey key, int root, Memory<byte> buffer) => throw Unsupported(nameof(Broadcast));

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">Always.</exception>
    public ICollectiveOperation SumCounts(OperationKey key, Memory<long> values) => throw Unsupported(nameof(SumCounts));

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">Always.</exception>
    public ILeasedSum OpenLeasedSum(OperationKey key, int leaves, int length, IReadOnlyList<SubtreeSum> restored) => throw Unsupported(nameof(OpenLeasedSum));

    /// <inheritdoc/>
    public void Abort(Exception reason)
    {
        ArgumentNullException.ThrowIfNull(reason);
        Fail(Rank, "gave up: " + reason.Message, reason);
        var text = Encoding.UTF8.GetBytes(reason.Message);
        var frame = (Frame(FrameKind.Abort, default) with { Payload = text.AsMemory(0, Math.Min(text.Length, 4096)) }).ToBytes();
        _ = Task.Run(async () =>
        {
            for (var peer = 0; peer < Size; peer++)
            {
                if (peer != Rank)
                {
                    try
                    {
                        await _link.PublishAsync(_queues[peer], frame);
                    }
                    catch (Exception)
                    {
                        // Best effort: a peer that cannot be told is found lost by the coordinator.
                    }
                }
            }
        });
    }

    /// <summary>Leaves the group; operations that still run fail on this rank.</summary>
    /// <returns>Completed.</returns>
    public ValueTask DisposeAsync()
    {
        Fail(Rank, "the rank has left the group");
        return ValueTask.CompletedTask;
    }

    /// <summary>A frame of this generation has come.</summary>
    internal void Receive(TensorFrame frame)
    {
        if (frame.RunId != RunId || frame.Rank < 0 || frame.Rank >= Size || frame.Rank == Rank)
        {
            Fail(frame.Rank, $"received a frame of run {frame.RunId}, rank {frame.Rank} of {Size}");
            return;
        }

        if (frame.Kind == FrameKind.Abort)
        {
            Fail(frame.Rank, "gave up: " + Encoding.UTF8.GetString(frame.Payload.Span));
            return;
        }

        string? problem;
        RabbitOperation? operation;
        lock (_sync)
        {
            // Late or repeated: the operation is over here.
            if (_failure is not null || (!_operations.TryGetValue(frame.Key, out operation) && IsFinished(frame.Key)))
            {
                return;
            }

            if (operation is null)
            {
                operation = frame.Kind == FrameKind.Barrier
                    ? new RabbitBarrier(Size, Rank)
                    : new RabbitAllReduce(frame.Leaves, frame.Length, Rank, Size);
                _operations.Add(frame.Key, operation);
            }

            problem = operation.Receive(frame);
        }

        if (problem is not null)
        {
            Fail(frame.Rank, problem, null, frame.Key);
            return;
        }

        Advance(frame.Key, operation);
    }

    /// <summary>Ends every running and future operation on this rank.</summary>
    internal void Fail(int rank, string problem, Exception? inner = null, OperationKey? key = null)
    {
        KeyValuePair<OperationKey, RabbitOperation>[] running;
        GroupFailure failure;
        lock (_sync)
        {
            failure = _failure ??= new GroupFailure(rank, key, problem, inner);
            running = [.. _operations];
            _operations.Clear();
        }

        foreach (var (at, operation) in running)
        {
            operation.Fail(Describe(failure, at));
        }
    }

    private static NotSupportedException Unsupported(string operation) => new($"{operation} over RabbitMQ is not supported.");

    private TensorFrame Frame(FrameKind kind, OperationKey key) =>
        new(kind, RunId, Generation, key with { Purpose = key.Purpose ?? "" }, Rank, 0, 0, default, 0, default);

    private CollectiveException Describe(GroupFailure failure, OperationKey key) => failure.Describe(RunId, Generation, key);

    private bool IsFinished(OperationKey key) => _finished.TryGetValue(key.Purpose, out var steps) && steps.Contains(key.Step);

    private RabbitOperation Begin<T>(OperationKey key, Func<T> create, Func<T, string?> start, out bool begun)
        where T : RabbitOperation
    {
        string? problem;
        T? mine = null;
        begun = false;
        lock (_sync)
        {
            if (_failure is { } failure)
            {
                mine = create();
                mine.Fail(Describe(failure, key));
                return mine;
            }

            if (!_operations.TryGetValue(key, out var known) && !IsFinished(key))
            {
                _operations.Add(key, known = create());
            }

            mine = known as T;
            problem = mine is null || mine.Started ? "the key is used twice, or for different operations" : start(mine);
        }

        if (problem is null)
        {
            begun = true;
            return mine!;
        }

        Fail(Rank, problem, null, key);
        var failed = create();
        lock (_sync)
        {
            failed.Fail(Describe(_failure!, key));
        }

        return failed;
    }

    /// <summary>Sends off the calling thread; the compute thread only waits.</summary>
    private void Run(OperationKey key, RabbitOperation operation, Func<Task> send) => _ = Task.Run(async () =>
    {
        try
        {
            await send();
            Advance(key, operation);
        }
        catch (Exception e)
        {
            Fail(-1, "sending failed: " + e.Message, e, key);
        }
    });

    private async Task SendContributionsAsync(OperationKey key, RabbitAllReduce operation, int leaves, IReadOnlyList<SubtreeSum> held)
    {
        // Each rank begins with another peer, so that not all send to the same one at first.
        for (var i = 1; i < Size; i++)
        {
            var owner = (Rank + i) % Size;
            foreach (var subtree in held)
            {
                var frame = Frame(FrameKind.Contribution, key) with { Leaves = leaves, Length = subtree.Values.Length, Node = subtree.Node };
                await SendPiecesAsync(_queues[owner], frame, RangeOwnership.Owned(subtree.Values.Length, owner, Size), subtree.Values, 0);
            }
        }

        lock (_sync)
        {
            if (_failure is null)
            {
                operation.TakeEarly();
            }
        }
    }

    private async Task SendPiecesAsync(string queue, TensorFrame frame, IndexRange range, ReadOnlyMemory<float> values, int offset)
    {
        for (var first = range.Start; first < range.End; first += TensorFrame.MaxElements)
        {
            var piece = values.Slice(first - offset, Math.Min(TensorFrame.MaxElements, range.End - first));
            await _link.PublishAsync(queue, (frame with { First = first, Payload = MemoryMarshal.AsBytes(piece.Span).ToArray() }).ToBytes());
        }
    }

    private void Advance(OperationKey key, RabbitOperation operation)
    {
        TreeSum? sum = null;
        string? problem = null;
        var finished = false;
        lock (_sync)
        {
            if (_failure is not null)
            {
                return;
            }

            if (operation is RabbitAllReduce { Sent: true } reduce)
            {
                reduce.TryBeginSum(out problem, out sum);
            }

            if (problem is null && operation.IsFinished && _operations.Remove(key))
            {
                finished = true;
                if (!_finished.TryGetValue(key.Purpose, out var steps))
                {
                    _finished.Add(key.Purpose, steps = new StepSet());
                }

                steps.Add(key.Step);
            }
        }

        if (problem is not null)
        {
            Fail(-1, problem, null, key);
        }
        else if (sum is not null)
        {
            Run(key, operation, () => FinishRangeAsync(key, (RabbitAllReduce)operation, sum));
        }
        else if (finished)
        {
            operation.Complete();
        }
    }

    private async Task FinishRangeAsync(OperationKey key, RabbitAllReduce operation, TreeSum sum)
    {
        var owned = operation.Owned;
        var values = operation.SumOwned(sum);
        var frame = Frame(FrameKind.Result, key) with { Leaves = operation.Leaves, Length = operation.Length };
        for (var i = 1; i < Size; i++)
        {
            await SendPiecesAsync(_queues[(Rank + i) % Size], frame, owned, values, owned.Start);
        }

        lock (_sync)
        {
            if (_failure is null)
            {
                operation.Write(owned.Start, values);
            }
        }
    }
}
