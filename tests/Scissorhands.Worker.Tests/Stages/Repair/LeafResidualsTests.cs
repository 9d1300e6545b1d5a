using System.Runtime.InteropServices;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning.Cut;
using Scissorhands.Worker.Run;
using Scissorhands.Worker.Stages.Repair;

namespace Scissorhands.Worker.Tests.Stages.Repair;

public sealed class LeafResidualsTests
{
    private const int Leaves = 4;

    /// <summary>Steps with fewer leaves, which are dealt anew, before, between and after those with all.</summary>
    private static readonly int[] Steps = [1, 4, 4, 1, 1, 4, 2, 4];

    [Theory]
    [InlineData(1, 5)]
    [InlineData(2, 5)]
    [InlineData(3, 5)]
    [InlineData(4, 5)]
    [InlineData(7, 5)]
    [InlineData(3, 0)]
    [InlineData(2, PieceBroadcast.PieceElements + 3)]
    public void HandOver_LeavesDealtAnew_ResidualFollowsTheLeaf(int ranks, int length)
    {
        var gathered = RunSteps(ranks, length, 0, Steps.Length, []);

        Assert.Equal(Expected(length, Steps.Length), gathered);
    }

    [Theory]
    [InlineData(1, 3)]
    [InlineData(3, 1)]
    [InlineData(4, 2)]
    public void Restore_ByAnotherNumberOfWorkers_GoesOnAsIfNothingHappened(int before, int after)
    {
        for (var stop = 0; stop <= Steps.Length; stop++)
        {
            var stopped = RunSteps(before, 5, 0, stop, []);

            var gathered = RunSteps(after, 5, stop, Steps.Length, stopped);

            Assert.Equal(Expected(5, Steps.Length), gathered);
        }
    }

    [Fact]
    public void TakeUp_ResidualThatAnotherWorkerHoldsToo_IsKeptByOneOnly()
    {
        var store = new ResidualStore(Leaves, 5);
        new LeafResiduals(InProcessGroup.Create("run", 1, 1)[0], store, TestContext.Current.CancellationToken).Restore(3, (_, residual) => residual.Fill(1));

        new LeafResiduals(InProcessGroup.Create("run", 2, 2)[1], store, TestContext.Current.CancellationToken).TakeUp(3, [0, 1, 0], upToDate: true);

        Assert.Equal([false, true, false, false], Enumerable.Range(0, Leaves).Select(store.Holds));
    }

    [Fact]
    public void Rollback_AfterChangesAndHandOvers_LeavesTheStepBefore()
    {
        var store = new ResidualStore(Leaves, 2);
        store.Change(0).Fill(1);
        store.Change(1).Fill(2);
        store.Extend(2);
        store.Commit();

        store.Change(0).Fill(3);
        store.Give(1);
        store.Receive(2).Fill(4);
        store.Extend(4);
        store.Rollback();
        store.Commit();

        Assert.Equal((2, true, true, false), (store.Count, store.Holds(0), store.Holds(1), store.Holds(2)));
        Assert.Equal([1f, 1, 2, 2], [.. store.Held(0), .. store.Held(1)]);
    }

    /// <summary>Each worker notes the step in the residuals of the leaves it computes; then rank 0 gathers them.</summary>
    private static float[][] RunSteps(int ranks, int length, int from, int to, float[][] restored)
    {
        var groups = InProcessGroup.Create("run", 1, ranks);
        float[][] gathered = [];
        Task.WaitAll([.. groups.Select(group => ComputeThread.Run($"rank-{group.Rank}", () => Work(group)))], TestContext.Current.CancellationToken);
        return gathered;

        void Work(ICollectiveGroup group)
        {
            var store = new ResidualStore(Leaves, length);
            var residuals = new LeafResiduals(group, store, TestContext.Current.CancellationToken);
            residuals.Restore(restored.Length, (leaf, residual) => restored[leaf].CopyTo(residual));
            for (var step = from; step < to; step++)
            {
                residuals.HandOver(Steps[step], step);
                var dealt = new ReductionTree(Steps[step]).Deal(group.Rank, ranks);
                for (var leaf = dealt.Start; leaf < dealt.End; leaf++)
                {
                    Note(residuals.Of(leaf), leaf, step);
                }

                store.Commit();
            }

            if (group.Rank == 0)
            {
                gathered = [.. Enumerable.Range(0, residuals.Count).Select(_ => new float[length])];
            }

            for (var leaf = 0; leaf < residuals.Count; leaf++)
            {
                var offset = 0;
                residuals.Gather(leaf, to, group.Rank != 0 ? null : piece =>
                {
                    piece.CopyTo(MemoryMarshal.AsBytes(gathered[leaf].AsSpan(offset)));
                    offset += piece.Length / sizeof(float);
                });
            }
        }
    }

    private static float[][] Expected(int length, int steps)
    {
        var expected = Enumerable.Range(0, Steps.Take(steps).Max()).Select(_ => new float[length]).ToArray();
        for (var step = 0; step < steps; step++)
        {
            for (var leaf = 0; leaf < Steps[step]; leaf++)
            {
                Note(expected[leaf], leaf, step);
            }
        }

        return expected;
    }

    private static void Note(Span<float> residual, int leaf, int step)
    {
        for (var i = 0; i < residual.Length; i++)
        {
            residual[i] = (residual[i] * 2) + leaf + step + (i % 5);
        }
    }
}
