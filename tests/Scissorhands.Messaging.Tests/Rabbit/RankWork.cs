using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Rabbit;
using Scissorhands.Messaging.Tests.Collectives;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Tests.Rabbit;

/// <summary>A sum of which each rank holds a leaf, so long that it takes many chunks.</summary>
internal sealed class RankWork
{
    /// <summary>Several frames a window, several windows a rank.</summary>
    internal const int Length = 1_000_000;

    private readonly float[][] _leaves;
    private readonly float[][] _results;

    internal RankWork(int ranks, uint seed = 1, int length = Length)
    {
        _leaves = TreeSamples.Leaves(ranks, length, seed);
        _results = [.. _leaves.Select(leaf => new float[leaf.Length])];
        Expected = TreeSamples.Sum(_leaves);
    }

    internal float[] Expected { get; }

    /// <summary>The key of a step.</summary>
    internal static OperationKey Key(long step) => new("gradient", step);

    /// <summary>A rank comes to the operation.</summary>
    internal ICollectiveOperation Join(RabbitCollectiveGroup group, long step)
    {
        Array.Fill(_results[group.Rank], float.NaN);
        return group.AllReduce(Key(step), _leaves.Length, [new SubtreeSum(new TreeNode(0, group.Rank), _leaves[group.Rank])], _results[group.Rank]);
    }

    /// <summary>All ranks come to the operation.</summary>
    internal ICollectiveOperation[] JoinAll(IReadOnlyList<RabbitCollectiveGroup> groups, long step) => [.. groups.Select(group => Join(group, step))];

    /// <summary>The operations end, and every rank has the sum, bit by bit.</summary>
    internal async Task AssertSumAsync(IReadOnlyList<ICollectiveOperation> operations)
    {
        await Task.WhenAll(operations.Select(static o => o.Completion)).WaitAsync(RankThreads.Deadline, TestContext.Current.CancellationToken);
        foreach (var result in _results)
        {
            TreeSamples.AssertBits(Expected, result);
        }
    }

    /// <summary>A group of these ranks works.</summary>
    internal static Task AssertWorksAsync(IReadOnlyList<RabbitCollectiveGroup> groups)
    {
        var work = new RankWork(groups.Count, 99);
        return work.AssertSumAsync(work.JoinAll(groups, 0));
    }

    /// <summary>Why an operation has failed; a hang fails the test, long before the operation's own time is over.</summary>
    internal static async Task<string> FailureAsync(ICollectiveOperation operation)
    {
        var failure = await Assert.ThrowsAsync<CollectiveException>(() => operation.Completion.WaitAsync(RankThreads.Deadline, TestContext.Current.CancellationToken));
        return failure.Message;
    }

    /// <summary>Why each rank's operation has failed.</summary>
    internal static async Task<string[]> FailuresAsync(IEnumerable<ICollectiveOperation> operations)
    {
        var failures = new List<string>();
        foreach (var operation in operations)
        {
            failures.Add(await FailureAsync(operation));
        }

        return [.. failures];
    }
}
