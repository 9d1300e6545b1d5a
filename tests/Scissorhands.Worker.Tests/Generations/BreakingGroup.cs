using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Wire;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Worker.Tests.Generations;

/// <summary>Where a rank loses its generation: before an operation that then nobody completes, or after one that the others have completed.</summary>
internal sealed record Break(Func<int, OperationKey, bool> At, bool After);

/// <summary>Loses the generation on one rank at a chosen operation.</summary>
internal sealed class BreakingGroup(ICollectiveGroup inner, Break at) : ICollectiveGroup
{
    private int _operations;

    public string RunId => inner.RunId;

    public long Generation => inner.Generation;

    public int Rank => inner.Rank;

    public int Size => inner.Size;

    public ICollectiveOperation AllReduce(OperationKey key, int leaves, IReadOnlyList<SubtreeSum> held, Memory<float> result, WireFormat format = WireFormat.Fp32) =>
        Pass(key, () => inner.AllReduce(key, leaves, held, result, format));

    public ICollectiveOperation ReduceScatter(OperationKey key, int leaves, IReadOnlyList<SubtreeSum> held, int length, Memory<float> ownedResult, WireFormat format = WireFormat.Fp32) =>
        Pass(key, () => inner.ReduceScatter(key, leaves, held, length, ownedResult, format));

    public ICollectiveOperation SumDoubles(OperationKey key, int leaves, IReadOnlyList<SubtreeDoubles> held, Memory<double> result) =>
        Pass(key, () => inner.SumDoubles(key, leaves, held, result));

    public ICollectiveOperation AllGather(OperationKey key, IReadOnlyList<IndexRange> ranges, Memory<byte> buffer) =>
        Pass(key, () => inner.AllGather(key, ranges, buffer));

    public ICollectiveOperation Broadcast(OperationKey key, int root, Memory<byte> buffer) => Pass(key, () => inner.Broadcast(key, root, buffer));

    public ICollectiveOperation SumCounts(OperationKey key, Memory<long> values) => Pass(key, () => inner.SumCounts(key, values));

    public ICollectiveOperation Barrier(OperationKey key) => Pass(key, () => inner.Barrier(key));

    public ILeasedSum OpenLeasedSum(OperationKey key, int leaves, int length, IReadOnlyList<SubtreeSum> restored) => inner.OpenLeasedSum(key, leaves, length, restored);

    public void Abort(Exception reason) => inner.Abort(reason);

    public ValueTask DisposeAsync() => inner.DisposeAsync();

    private ICollectiveOperation Pass(OperationKey key, Func<ICollectiveOperation> start)
    {
        if (!at.At(_operations++, key))
        {
            return start();
        }

        return at.After ? new Lost(start(), key) : throw new CollectiveException($"lost before {key}");
    }

    private sealed class Lost(ICollectiveOperation operation, OperationKey key) : ICollectiveOperation
    {
        public Task Completion => operation.Completion;

        public void Wait(CancellationToken cancellationToken)
        {
            operation.Wait(cancellationToken);
            throw new CollectiveException($"lost after {key}");
        }
    }
}
