using Scissorhands.Abstractions.Runs;
using Scissorhands.Grains.Runs;

namespace Scissorhands.Grains.Tests.Runs;

public sealed class RunMachineTests
{
    [Fact]
    public void Lease_WithinTheWindow_HandsOutBlocksInOrderThenAsksForACheckpoint()
    {
        var machine = Machine(blocks: 10, window: 3, size: 1, RunStage.Sensitivity);
        Assert.Equal([0, 1, 2], Enumerable.Range(0, 3).Select(_ => machine.Lease().Block));
        Assert.Equal(new LeaseGrant(LeaseKind.Checkpoint, 3), machine.Lease());
    }

    [Fact]
    public void Apply_CheckpointOfOneOwnerOfTwo_CommitsNothing()
    {
        var machine = Machine(blocks: 4, window: 4, size: 2, RunStage.Sensitivity);
        Assert.False(machine.Apply(Written(machine, rank: 0, blocks: 4)));
        Assert.False(machine.Apply(Written(machine, rank: 0, blocks: 4)));
        Assert.Equal(0, machine.State.CommittedBlocks);
        Assert.True(machine.Apply(Written(machine, rank: 1, blocks: 4)));
        Assert.Equal(4, machine.State.CommittedBlocks);
        Assert.Equal(LeaseKind.Done, machine.Lease().Kind);
    }

    [Fact]
    public void NewGeneration_AfterALostOwner_LeasesFromTheLastCheckpoint()
    {
        var machine = Machine(blocks: 9, window: 3, size: 1, RunStage.Sensitivity);
        for (var i = 0; i < 3; i++)
        {
            machine.Lease();
        }

        machine.Apply(Written(machine, 0, 3));
        machine.Lease();
        var next = new RunMachine(machine.State, size: 2);
        Assert.Equal(machine.State.Generation + 1, next.State.Generation);
        Assert.Equal(3, next.Lease().Block);
        Assert.Equal("checkpoint-3", next.AssignmentFor(1).Checkpoint);
    }

    [Fact]
    public void Apply_ReportOfAnOlderGeneration_ChangesNothing()
    {
        var machine = Machine(blocks: 1, window: 1, size: 1, RunStage.Repair);
        var before = machine.State;
        Assert.False(machine.Apply(new StageDone(before.RunId, before.Generation - 1, 0, RunStage.Repair, null)));
        Assert.False(machine.Apply(new StageDone("another", before.Generation, 0, RunStage.Repair, null)));
        Assert.Same(before, machine.State);
    }

    [Fact]
    public void Apply_StageDoneByAll_MovesOnAndKeepsTheResult()
    {
        var machine = Machine(blocks: 1, window: 1, size: 2, RunStage.Select);
        Assert.Equal(RunStage.Sensitivity, machine.State.Stage);
        machine.Apply(Done(machine, 1, null));
        Assert.True(machine.IsWaiting(1));
        Assert.False(machine.IsWaiting(0));
        Assert.True(machine.Apply(Done(machine, 0, "{}")));
        Assert.Equal(RunStage.Select, machine.State.Stage);
        Assert.Equal("{}", machine.State.Results[RunStage.Sensitivity]);
        Assert.False(machine.IsWaiting(1));
    }

    [Fact]
    public void RequestStop_InAWindow_EndsItWithWhatWasHandedOut()
    {
        var machine = Machine(blocks: 10, window: 5, size: 1, RunStage.Sensitivity);
        machine.Lease();
        machine.Lease();
        machine.RequestStop();
        Assert.Equal(new LeaseGrant(LeaseKind.Checkpoint, 2), machine.Lease());
        Assert.True(machine.Apply(Written(machine, 0, 2)));
        Assert.Equal(LeaseKind.Stop, machine.Lease().Kind);
        Assert.Equal(2, new RunMachine(machine.State, 1).Lease().Block);
    }

    [Fact]
    public void FileStore_WrittenState_ReadsBackEqual()
    {
        var folder = Directory.CreateTempSubdirectory("scissorhands-state-").FullName;
        try
        {
            var store = new FileRunStateStore(Path.Combine(folder, "state.json"));
            Assert.Null(store.Read());
            var machine = Machine(blocks: 4, window: 4, size: 1, RunStage.Sensitivity);
            machine.AddSeconds(RunStage.Sensitivity, 1.5);
            machine.Apply(Written(machine, 0, 4));
            store.Write(machine.State);
            var read = store.Read()!;
            Assert.Equal(machine.State.CommittedBlocks, read.CommittedBlocks);
            Assert.Equal(machine.State.SensitivityCheckpoint, read.SensitivityCheckpoint);
            Assert.Equal(machine.State.Seconds, read.Seconds);
            File.WriteAllText(Path.Combine(folder, "state.json"), "{");
            Assert.Throws<Planning.InputException>(() => store.Read());
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static RunMachine Machine(int blocks, int window, int size, RunStage stage) =>
        new(new RunState { RunId = "run", PlanHash = "plan", Blocks = blocks, WindowBlocks = window, Stage = stage, Generation = 6 }, size);

    private static CheckpointWritten Written(RunMachine machine, int rank, int blocks) =>
        new("run", machine.State.Generation, rank, RunStage.Sensitivity, blocks, $"checkpoint-{blocks}");

    private static StageDone Done(RunMachine machine, int rank, string? result) =>
        new("run", machine.State.Generation, rank, machine.State.Stage, result);
}
