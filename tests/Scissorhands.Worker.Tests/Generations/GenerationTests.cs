using System.Collections.Concurrent;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning;

namespace Scissorhands.Worker.Tests.Generations;

public sealed class GenerationTests(World world)
{
    private const int TotalSteps = 12;

    private static readonly ConcurrentDictionary<string, string> Undisturbed = new(StringComparer.Ordinal);

    [Theory]
    [InlineData("f32", "all", 1000, 1)]
    [InlineData("f32", "all", 5, 2)]
    [InlineData("bf16", "all", 1000, 3)]
    [InlineData("bf16", "all", 5, 4)]
    [InlineData("int8", "all", 1000, 5)]
    [InlineData("int8", "all", 5, 6)]
    [InlineData("f32", "masked", 1000, 7)]
    [InlineData("int8", "masked", 5, 8)]
    [InlineData("f32", "all", 3, 9)]
    [InlineData("int8", "all", 3, 10)]
    public void Run_GenerationsBrokenAtRandom_GivesTheSameAnswer(string format, string trainable, int checkpointEvery, int seed) =>
        RandomGenerations.Run(() => world.Inputs(format, trainable, checkpointEvery), world, Expected(format, trainable), new Random(seed));

    [Theory]
    [InlineData("f32", false)]
    [InlineData("f32", true)]
    [InlineData("bf16", true)]
    public void Repair_OneSurvivor_GoesOnFromItsStep(string format, bool after)
    {
        using var inputs = world.Inputs(format);
        using var gang = new Gang(inputs, world.NewFolder());

        // Rank 1 is lost in step 6; where that is after the sum, rank 0 does the step and is the only one to have done it.
        gang.Generation(3, null, (1, new Break((_, key) => key == new OperationKey("integers", 6), after)));
        gang.Generation(3, [2, 1]);

        Assert.Equal(Enumerable.Range(after ? 7 : 6, TotalSteps - (after ? 7 : 6)), gang.StepsOf(2));
        Assert.Null(gang.Coordinator.Reports.OfType<CheckpointWritten>().FirstOrDefault(c => c is { Generation: 1, Stage: RunStage.Repair }));
        Assert.Equal(Expected(format), gang.Answer());
    }

    [Theory]
    [InlineData(1000, new[] { 1, 0 }, 7)]
    [InlineData(1000, new[] { 0 }, 0)]
    [InlineData(3, new[] { 0 }, 6)]
    public void Repair_Int8_GoesOnWhereEveryResidualIsHeldAndFallsBackWhereOneIsLost(int checkpointEvery, int[] survivors, int goesOnFrom)
    {
        using var inputs = world.Inputs("int8", checkpointEvery: checkpointEvery);
        using var gang = new Gang(inputs, world.NewFolder());

        gang.Generation(2, null, (1, new Break((_, key) => key == new OperationKey("gradient", 7), After: false)));
        gang.Generation(3, survivors);

        Assert.Equal(Enumerable.Range(goesOnFrom, TotalSteps - goesOnFrom), gang.StepsOf(2));
        Assert.Equal(Expected("int8"), gang.Answer());
    }

    [Fact]
    public void Repair_NobodyLeft_GoesOnFromTheCheckpoint()
    {
        using var inputs = world.Inputs(checkpointEvery: 3);
        using var gang = new Gang(inputs, world.NewFolder());

        gang.Generation(2, null, (0, new Break((_, key) => key == new OperationKey("gradient", 8), After: true)));
        gang.Generation(1);

        Assert.Equal(Enumerable.Range(6, TotalSteps - 6), gang.StepsOf(2));
        Assert.Equal(Expected("f32"), gang.Answer());
    }

    [Fact]
    public void Repair_SurvivorBehindTheCheckpoint_TakesTheCheckpoint()
    {
        using var inputs = world.Inputs(checkpointEvery: 5);
        using var gang = new Gang(inputs, world.NewFolder());

        // Rank 1 does not learn that step 4 is done, of which rank 0 writes the checkpoint alone in the next generation.
        gang.Generation(2, null, (1, new Break((_, key) => key == new OperationKey("integers", 4), After: true)));
        Assert.Null(gang.Coordinator.RepairCheckpoint);
        gang.Generation(1, [1], (0, new Break((_, key) => key == new OperationKey("gradient", 5), After: false)));
        Assert.Equal([4], gang.StepsOf(2));
        Assert.NotNull(gang.Coordinator.RepairCheckpoint);
        gang.Generation(4);

        Assert.Equal(Enumerable.Range(5, TotalSteps - 5), gang.StepsOf(3));
        Assert.Equal(Expected("f32"), gang.Answer());
    }

    [Fact]
    public void Repair_ReplicaDriftedApart_EndsTheRunAndNamesBoth()
    {
        using var inputs = world.Inputs();
        using var gang = new Gang(inputs, world.NewFolder());
        gang.Generation(3, null, (2, new Break((_, key) => key == new OperationKey("gradient", 5), After: false)));
        gang.Do(1, worker => worker.Model!.Replica.HostWeights.Span[7] += 1);

        var ends = gang.Generation(3, [2, 0, 1]);

        Assert.All(ends, end => Assert.Contains("after step 5 the replicas of workers 0 and 2 differ", Assert.IsType<RunFailedException>(end).Message, StringComparison.Ordinal));
        Assert.Contains(gang.Coordinator.Reports, report => report is WorkerFailed { Stage: RunStage.Repair });
    }

    [Fact]
    public void Run_GenerationBroken_SaysSoAndKeepsItsModel()
    {
        using var inputs = world.Inputs();
        using var gang = new Gang(inputs, world.NewFolder());

        var ends = gang.Generation(2, null, (0, new Break((_, key) => key.Purpose == "memory", After: false)));

        Assert.All(ends, end => Assert.IsType<CollectiveException>(end));
        Assert.Contains(gang.Coordinator.Reports, report => report is GenerationBroken { Rank: 0, Stage: RunStage.Repair, Generation: 1 });
        gang.Generation(2, [0, 1]);
        Assert.Equal(Expected("f32"), gang.Answer());
    }

    private string Expected(string format, string trainable = "all") => Undisturbed.GetOrAdd($"{format}-{trainable}", _ =>
    {
        using var inputs = world.Inputs(format, trainable);
        using var gang = new Gang(inputs, world.NewFolder());
        Assert.Equal([null], gang.Generation(1));
        return gang.Answer();
    });
}
