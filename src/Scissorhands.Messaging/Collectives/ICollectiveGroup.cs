using Scissorhands.Messaging.Wire;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Collectives;

/// <summary>Names one collective operation within a group: every rank that takes part uses the same key, each key once.</summary>
/// <param name="Purpose">What is exchanged: "gradient", "memory", "mask", ...</param>
/// <param name="Step">Step, epoch or round number; operations of the same purpose differ in it.</param>
public readonly record struct OperationKey(string Purpose, long Step);

/// <summary>A rank's part of a sum: the root of a subtree it has added up.</summary>
/// <param name="Node">Which node of the reduction tree.</param>
/// <param name="Values">
/// The node's sum. The group reads it until the operation has completed, and rounds copies of it where the operation's
/// format asks for that. A leaf may be given as it is; a sum of several leaves must have been added up in that format.
/// </param>
public readonly record struct SubtreeSum(TreeNode Node, ReadOnlyMemory<float> Values)
{
    internal static IReadOnlyList<TreePart<float>> Parts(IReadOnlyList<SubtreeSum> held) => [.. held.Select(static h => new TreePart<float>(h.Node, h.Values))];
}

/// <summary>A rank's part of a sum of doubles: the root of a subtree it has added up.</summary>
/// <param name="Node">Which node of the reduction tree.</param>
/// <param name="Values">The node's sum, at most <see cref="MaxLength"/> elements. The group reads it until the operation has completed.</param>
public readonly record struct SubtreeDoubles(TreeNode Node, ReadOnlyMemory<double> Values)
{
    /// <summary>Most elements of such a sum: it goes from every rank to every other.</summary>
    public const int MaxLength = 16_384;

    internal static IReadOnlyList<TreePart<double>> Parts(IReadOnlyList<SubtreeDoubles> held) => [.. held.Select(static h => new TreePart<double>(h.Node, h.Values))];
}

/// <summary>
/// The workers that share a run's work for one generation, and what they can exchange. All sums follow the fixed tree of
/// <see cref="ReductionTree"/>: the result has the same bits for every number of ranks, dealing and arrival order.
/// Operations may be started in any order; one that a peer never joins ends with the group's failure, never with a part
/// of the sum. A late or repeated contribution changes nothing.
/// </summary>
public interface ICollectiveGroup : IAsyncDisposable
{
    /// <summary>The run.</summary>
    string RunId { get; }

    /// <summary>The generation: it changes whenever a worker joins or is lost, and everything older is dropped.</summary>
    long Generation { get; }

    /// <summary>This worker's rank in [0, <see cref="Size"/>).</summary>
    int Rank { get; }

    /// <summary>Number of workers.</summary>
    int Size { get; }

    /// <summary>Adds up all ranks' leaves; every rank receives the whole sum.</summary>
    /// <param name="key">The operation.</param>
    /// <param name="leaves">Leaves of the tree, the same number on all ranks.</param>
    /// <param name="held">The subtrees this rank holds, possibly none; over all ranks they cover each leaf exactly once.</param>
    /// <param name="result">Receives the sum; its length is that of every contribution. May be the memory of a held subtree.</param>
    /// <param name="format">What the nodes of the tree are rounded to; the same on all ranks.</param>
    /// <returns>The running operation.</returns>
    ICollectiveOperation AllReduce(OperationKey key, int leaves, IReadOnlyList<SubtreeSum> held, Memory<float> result, WireFormat format = WireFormat.Fp32);

    /// <summary>Adds up all ranks' leaves; every rank receives the range it owns (<see cref="RangeOwnership"/>).</summary>
    /// <param name="key">The operation.</param>
    /// <param name="leaves">Leaves of the tree.</param>
    /// <param name="held">The subtrees this rank holds.</param>
    /// <param name="length">Elements of the whole vector.</param>
    /// <param name="ownedResult">Receives this rank's range; may be that range of the memory of a held subtree.</param>
    /// <param name="format">What the nodes of the tree are rounded to; the same on all ranks.</param>
    /// <returns>The running operation.</returns>
    ICollectiveOperation ReduceScatter(OperationKey key, int leaves, IReadOnlyList<SubtreeSum> held, int length, Memory<float> ownedResult, WireFormat format = WireFormat.Fp32);

    /// <summary>Adds up all ranks' leaves of a few doubles (norms, losses), lossless and in one way; every rank receives the whole sum.</summary>
    /// <param name="key">The operation.</param>
    /// <param name="leaves">Leaves of the tree, the same number on all ranks.</param>
    /// <param name="held">The subtrees this rank holds, possibly none; over all ranks they cover each leaf exactly once.</param>
    /// <param name="result">Receives the sum; its length is that of every contribution, at most <see cref="SubtreeDoubles.MaxLength"/>. May be the memory of a held subtree.</param>
    /// <returns>The running operation.</returns>
    ICollectiveOperation SumDoubles(OperationKey key, int leaves, IReadOnlyList<SubtreeDoubles> held, Memory<double> result);

    /// <summary>Every rank gives its part of a vector of bytes and receives all of it.</summary>
    /// <param name="key">The operation.</param>
    /// <param name="ranges">Which bytes each rank gives; by rank, together the whole of <paramref name="buffer"/>.</param>
    /// <param name="buffer">Holds this rank's part at its place; the others' parts are filled in.</param>
    /// <returns>The running operation.</returns>
    ICollectiveOperation AllGather(OperationKey key, IReadOnlyList<IndexRange> ranges, Memory<byte> buffer);

    /// <summary>One rank's bytes reach all.</summary>
    /// <param name="key">The operation.</param>
    /// <param name="root">The rank that gives.</param>
    /// <param name="buffer">On the root what is sent, elsewhere what is filled in; of equal length.</param>
    /// <returns>The running operation.</returns>
    ICollectiveOperation Broadcast(OperationKey key, int root, Memory<byte> buffer);

    /// <summary>Adds up small vectors of integers over the ranks (counts of exact selection); exact, so without a tree.</summary>
    /// <param name="key">The operation.</param>
    /// <param name="values">This rank's addend; receives the sum.</param>
    /// <returns>The running operation.</returns>
    ICollectiveOperation SumCounts(OperationKey key, Memory<long> values);

    /// <summary>Completes when all ranks have come to it.</summary>
    /// <param name="key">The operation.</param>
    /// <returns>The running operation.</returns>
    ICollectiveOperation Barrier(OperationKey key);

    /// <summary>
    /// Opens the sum of leased work (blocks of the forget set), whose leaves arrive from any rank, in any order, possibly
    /// more than once. Each rank owns a range and keeps its partial sums.
    /// </summary>
    /// <param name="key">The operation.</param>
    /// <param name="leaves">Leaves of the tree.</param>
    /// <param name="length">Elements of the whole vector.</param>
    /// <param name="restored">Partial sums of the owned range from a checkpoint; empty for a fresh start.</param>
    /// <returns>The open sum.</returns>
    ILeasedSum OpenLeasedSum(OperationKey key, int leaves, int length, IReadOnlyList<SubtreeSum> restored);

    /// <summary>
    /// Ends every running and future operation of all ranks of this generation with a failure. Returns when nothing touches
    /// the memory that this rank gave to its operations any more.
    /// </summary>
    /// <param name="reason">Why; carried by the <see cref="CollectiveException"/> the others see.</param>
    void Abort(Exception reason);
}

/// <summary>A running collective operation.</summary>
public interface ICollectiveOperation
{
    /// <summary>Completes when the results may be read and the contributions reused; fails with <see cref="CollectiveException"/>.</summary>
    Task Completion { get; }

    /// <summary>How long this rank was at the operation before the last of the others came to it; zero where that is not known, or it came last.</summary>
    TimeSpan Waited => TimeSpan.Zero;

    /// <summary>Blocks the calling (compute) thread until <see cref="Completion"/>.</summary>
    /// <param name="cancellationToken">
    /// Gives up: ends all operations of the group as <see cref="ICollectiveGroup.Abort"/> does, since no peer can go on
    /// without this rank. When the call returns, nothing touches the operation's memory any more.
    /// </param>
    void Wait(CancellationToken cancellationToken);
}

/// <summary>The sum of leased blocks as one rank sees it.</summary>
public interface ILeasedSum : IAsyncDisposable
{
    /// <summary>The range of the vector this rank owns.</summary>
    IndexRange Owned { get; }

    /// <summary>Hands a block's whole vector to the owners of its ranges. A block that was already counted changes nothing.</summary>
    /// <param name="leaf">Index of the block.</param>
    /// <param name="values">The block's vector, of the full length; may be reused after completion.</param>
    /// <returns>The running hand-over: complete when every owner holds it.</returns>
    ICollectiveOperation Contribute(int leaf, ReadOnlyMemory<float> values);

    /// <summary>
    /// Shows this rank's partial sums for a checkpoint: at most ceil(log2 leaves) + 1 of them where blocks arrive in order.
    /// Their nodes tell which blocks they hold. Contributions wait meanwhile, so what is seen is consistent without a copy.
    /// </summary>
    /// <typeparam name="T">What is made of them.</typeparam>
    /// <param name="read">Receives the subtree sums, each of the owned range's length; their memory is valid during the call only.</param>
    /// <returns>What <paramref name="read"/> returned.</returns>
    T Snapshot<T>(Func<IReadOnlyList<SubtreeSum>, T> read);

    /// <summary>Completes when this rank's range holds the sum of all leaves.</summary>
    Task<ReadOnlyMemory<float>> Completion { get; }
}

/// <summary>A collective operation cannot complete: a peer is gone, or the generation has been given up.</summary>
public sealed class CollectiveException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">Names run, generation, operation and, where known, the rank at fault.</param>
    /// <param name="inner">The reason given to <see cref="ICollectiveGroup.Abort"/>.</param>
    public CollectiveException(string message, Exception? inner = null) : base(message, inner)
    {
    }
}
