using System.Numerics;
using Scissorhands.Messaging.Wire;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Collectives;

/// <summary>
/// The collectives of workers that live in one process: nothing is sent, each rank reads the others' memory. Whoever
/// waits does a share of the additions; a defect in what the ranks bring ends the group for all of them.
/// </summary>
public sealed class InProcessGroup : ICollectiveGroup
{
    private readonly InProcessHub _hub;
    private int _disposed;

    private InProcessGroup(InProcessHub hub, int rank)
    {
        _hub = hub;
        Rank = rank;
    }

    /// <inheritdoc/>
    public string RunId => _hub.RunId;

    /// <inheritdoc/>
    public long Generation => _hub.Generation;

    /// <inheritdoc/>
    public int Rank { get; }

    /// <inheritdoc/>
    public int Size => _hub.Size;

    /// <summary>Operations and open sums under way.</summary>
    internal int Live => _hub.Live;

    /// <summary>Creates the group of one generation.</summary>
    /// <param name="runId">The run.</param>
    /// <param name="generation">The generation.</param>
    /// <param name="size">Number of ranks, at least 1.</param>
    /// <returns>One group object a rank, by rank; each is disposed by its worker.</returns>
    public static IReadOnlyList<ICollectiveGroup> Create(string runId, long generation, int size)
    {
        ArgumentNullException.ThrowIfNull(runId);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        var hub = new InProcessHub(runId, generation, size);
        return [.. Enumerable.Range(0, size).Select(rank => new InProcessGroup(hub, rank))];
    }

    /// <inheritdoc/>
    public ICollectiveOperation AllReduce(OperationKey key, int leaves, IReadOnlyList<SubtreeSum> held, Memory<float> result, WireFormat format = WireFormat.Fp32)
    {
        ArgumentNullException.ThrowIfNull(held);
        return Sum(key, SumOperation.AllReduce, new SumPart<float>(leaves, result.Length, SubtreeSum.Parts(held), result, format));
    }

    /// <inheritdoc/>
    public ICollectiveOperation ReduceScatter(OperationKey key, int leaves, IReadOnlyList<SubtreeSum> held, int length, Memory<float> ownedResult, WireFormat format = WireFormat.Fp32)
    {
        ArgumentNullException.ThrowIfNull(held);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        return Sum(key, SumOperation.ReduceScatter, new SumPart<float>(leaves, length, SubtreeSum.Parts(held), ownedResult, format));
    }

    /// <inheritdoc/>
    public ICollectiveOperation SumDoubles(OperationKey key, int leaves, IReadOnlyList<SubtreeDoubles> held, Memory<double> result)
    {
        ArgumentNullException.ThrowIfNull(held);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(result.Length, SubtreeDoubles.MaxLength);
        return Sum(key, SumOperation.SumDoubles, new SumPart<double>(leaves, result.Length, SubtreeDoubles.Parts(held), result, WireFormat.Fp32));
    }

    /// <inheritdoc/>
    public ICollectiveOperation AllGather(OperationKey key, IReadOnlyList<IndexRange> ranges, Memory<byte> buffer)
    {
        ArgumentNullException.ThrowIfNull(ranges);
        return _hub.Join(key, Rank, new(GatherOperation.AllGather, new GatherPart(ranges, buffer)), () => new GatherOperation(_hub, key));
    }

    /// <inheritdoc/>
    public ICollectiveOperation Broadcast(OperationKey key, int root, Memory<byte> buffer) =>
        _hub.Join(key, Rank, new(BroadcastOperation.Broadcast, new BroadcastPart(root, buffer)), () => new BroadcastOperation(_hub, key));

    /// <inheritdoc/>
    public ICollectiveOperation SumCounts(OperationKey key, Memory<long> values) =>
        _hub.Join(key, Rank, new(CountOperation.SumCounts, values), () => new CountOperation(_hub, key));

    /// <inheritdoc/>
    public ICollectiveOperation Barrier(OperationKey key) =>
        _hub.Join(key, Rank, new(BarrierOperation.Barrier, true), () => new BarrierOperation(_hub, key));

    /// <inheritdoc/>
    /// <exception cref="CollectiveException">The group has ended, or the restored sums do not fit the tree or the owned range.</exception>
    public ILeasedSum OpenLeasedSum(OperationKey key, int leaves, int length, IReadOnlyList<SubtreeSum> restored)
    {
        ArgumentNullException.ThrowIfNull(restored);
        return _hub.OpenLeased(key, Rank, leaves, length, restored);
    }

    /// <inheritdoc/>
    public void Abort(Exception reason)
    {
        ArgumentNullException.ThrowIfNull(reason);
        _hub.Fail(new GroupFailure(Rank, null, "gave up: " + reason.Message, reason));
        _hub.WaitForEnd();
    }

    private ICollectiveOperation Sum<T>(OperationKey key, string kind, SumPart<T> part)
        where T : unmanaged, IAdditionOperators<T, T, T>, IAdditiveIdentity<T, T> =>
        _hub.Join(key, Rank, new(kind, part), () => new SumOperation<T>(_hub, key, kind));

    /// <summary>Leaves the group. Operations that still wait for this rank, and all later ones, fail on the others.</summary>
    /// <returns>Completed.</returns>
    public ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            _hub.Leave(Rank);
        }

        return ValueTask.CompletedTask;
    }
}
