using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Tests.Collectives;

/// <summary>Tests that measure the process's memory: nothing else may run beside them.</summary>
[CollectionDefinition(nameof(AloneCollection), DisableParallelization = true)]
public sealed class AloneCollection;

[Collection(nameof(AloneCollection))]
public sealed class InProcessMemoryTests
{
    [Fact]
    public void AllReduce_thousand_steps_leave_nothing_behind()
    {
        var groups = InProcessGroup.Create("run", 1, 2);
        var values = Enumerable.Range(0, 2).Select(static _ => new float[20_000]).ToArray();
        void Steps(int from, int to) => RankThreads.Run(2, rank =>
        {
            for (var step = from; step < to; step++)
            {
                groups[rank].AllReduce(new OperationKey("gradient", step), 2, [new SubtreeSum(new TreeNode(0, rank), values[rank])], values[rank])
                    .Wait(TestContext.Current.CancellationToken);
            }
        });
        Steps(0, 100);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        Steps(100, 1100);
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 300_000);
        Assert.Equal(0, ((InProcessGroup)groups[0]).Live);
    }
}
