using System.Collections.Concurrent;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Worker.Tests.Generations;

/// <summary>Where each worker keeps the state of its range only, results are those of one worker that keeps all of it.</summary>
public sealed class ShardedStateTests(World world)
{
    private const int TotalSteps = 12;

    private static readonly ConcurrentDictionary<string, string> Undisturbed = new(StringComparer.Ordinal);

    [Theory]
    [InlineData(true, "f32", "all", 1, 2, 3, 4, 8)]
    [InlineData(true, "bf16", "all", 1, 2, 3, 4, 8)]
    [InlineData(true, "int8", "all", 1, 2, 3, 4, 8)]
    [InlineData(true, "f32", "masked", 1, 2, 3, 4, 8)]
    [InlineData(true, "bf16", "masked", 3)]
    [InlineData(true, "int8", "masked", 4, 8)]
    [InlineData(false, "f32", "all", 2, 3, 4, 8)]
    [InlineData(false, "bf16", "all", 3)]
    [InlineData(false, "int8", "all", 4)]
    [InlineData(false, "f32", "masked", 8)]
    public void Run_AnyNumberOfWorkers_GivesTheSameAnswer(bool shardState, string format, string trainable, params int[] counts)
    {
        foreach (var count in counts)
        {
            Assert.Equal(Expected(format, trainable), Answer(world.WideInputs(shardState, format, trainable), count));
        }
    }

    [Theory]
    [InlineData(1, 1, false, "")]
    [InlineData(3, 1, false, "*conv*")]
    [InlineData(4, 2, true, "*layer1*")]
    [InlineData(2, 3, true, "")]
    [InlineData(0, 1, false, "")]
    public void Run_AnyProjection_GivesTheSameAnswer(int memories, int every, bool accumulate, string scope)
    {
        RunConfiguration Change(RunConfiguration configuration) => configuration with
        {
            Projection = new() { Memories = memories, Every = every, Accumulate = accumulate, Scope = scope.Length == 0 ? [] : [scope] },
        };
        var expected = Answer(world.WideInputs(shardState: false, change: Change), 1);

        Assert.Equal(expected, Answer(world.WideInputs(shardState: true, change: Change), 3));
        Assert.Equal(expected, Answer(world.WideInputs(shardState: true, change: Change), 4));
    }

    /// <summary>A model of less than a block: one worker owns all of it, the others nothing.</summary>
    [Fact]
    public void Run_ModelOfOneBlock_GivesTheSameAnswer()
    {
        using var inputs = world.Inputs();
        using var sharded = world.Inputs(shardState: true);

        Assert.Equal(Answer(inputs, 1), Answer(sharded, 3));
    }

    [Theory]
    [InlineData("f32", "all", 2, true, 3, true)]
    [InlineData("f32", "all", 4, true, 2, false)]
    [InlineData("f32", "all", 1, false, 4, true)]
    [InlineData("bf16", "all", 3, true, 1, false)]
    [InlineData("int8", "all", 4, true, 3, true)]
    [InlineData("int8", "masked", 3, false, 2, true)]
    [InlineData("f32", "masked", 2, true, 4, true)]
    public void Resume_WithAnotherNumberOfWorkersAndTheStateKeptOtherwise_GivesTheSameAnswer(string format, string trainable, int before, bool shardedBefore, int after, bool shardedAfter)
    {
        using var inputs = world.WideInputs(shardedBefore, format, trainable, checkpointEvery: 3);
        using var resumed = world.WideInputs(shardedAfter, format, trainable, checkpointEvery: 3);
        using var gang = new Gang(inputs, world.NewFolder());
        gang.Generation(before, null, (before - 1, new Break((_, key) => key == new OperationKey("gradient", 7), After: false)));
        gang.Inputs = resumed;
        gang.Generation(after);

        Assert.Equal(Enumerable.Range(6, TotalSteps - 6), gang.StepsOf(2));
        Assert.Equal(Expected(format, trainable), gang.Answer());
    }

    /// <summary>What is durable is the same whoever writes it.</summary>
    [Fact]
    public void Checkpoint_ByAnyNumberOfWorkers_IsTheSameFile()
    {
        var files = new[] { (1, false), (1, true), (2, true), (4, true) }.Select(c =>
        {
            using var inputs = world.WideInputs(c.Item2, "int8", checkpointEvery: 6);
            var folder = world.NewFolder();
            using var gang = new Gang(inputs, folder);
            gang.Generation(c.Item1, null, (0, new Break((_, key) => key == new OperationKey("gradient", 7), After: false)));
            return Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(folder.Work(gang.Coordinator.RepairCheckpoint!))));
        });

        Assert.Single(files.Distinct(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("f32", "all", 1000, 21)]
    [InlineData("f32", "all", 3, 22)]
    [InlineData("bf16", "masked", 5, 23)]
    [InlineData("int8", "all", 3, 24)]
    [InlineData("int8", "masked", 1000, 25)]
    public void Run_GenerationsBrokenAtRandom_GivesTheSameAnswer(string format, string trainable, int checkpointEvery, int seed) =>
        RandomGenerations.Run(() => world.WideInputs(shardState: true, format, trainable, checkpointEvery), world, Expected(format, trainable), new Random(seed));

    [Theory]
    [InlineData(1000, 0)]
    [InlineData(3, 6)]
    public void Repair_OwnerLost_GoesBackToTheCheckpoint(int checkpointEvery, int goesOnFrom)
    {
        using var inputs = world.WideInputs(shardState: true, checkpointEvery: checkpointEvery);
        using var gang = new Gang(inputs, world.NewFolder());

        gang.Generation(3, null, (1, new Break((_, key) => key == new OperationKey("gradient", 7), After: false)));
        gang.Generation(3, [2, 0]);

        Assert.Equal(Enumerable.Range(goesOnFrom, TotalSteps - goesOnFrom), gang.StepsOf(2));
        Assert.Equal(Expected("f32", "all"), gang.Answer());
    }

    /// <summary>Nobody is lost, others join: what is in memory is dealt anew.</summary>
    [Theory]
    [InlineData("f32", "all", 2, new[] { 1, 0 }, 2)]
    [InlineData("f32", "all", 2, new[] { 0, 1 }, 4)]
    [InlineData("int8", "all", 3, new[] { 2, 0, 1 }, 4)]
    [InlineData("bf16", "masked", 1, new[] { 0 }, 3)]
    public void Repair_EveryOwnerLeft_GoesOnFromItsStep(string format, string trainable, int before, int[] survivors, int after)
    {
        using var inputs = world.WideInputs(shardState: true, format, trainable);
        using var gang = new Gang(inputs, world.NewFolder());

        // In the middle of an epoch, so that there are memories to be dealt.
        gang.Generation(before, null, (0, new Break((_, key) => key == new OperationKey("gradient", 6), After: false)));
        gang.Generation(after, survivors);

        Assert.Equal(Enumerable.Range(6, TotalSteps - 6), gang.StepsOf(2));
        Assert.Equal(Expected(format, trainable), gang.Answer());
    }

    /// <summary>The old parts and the new ones are not all there at once: a worker that has room for the larger ones gets through.</summary>
    [Fact]
    public void Repair_MemoriesDealtAnew_EachOldOneGoesWhenItHasBeenGiven()
    {
        using var inputs = world.WideInputs(shardState: true);
        using var gang = new Gang(inputs, world.NewFolder());
        WeakReference[] old = [];
        bool[] alive = [];

        gang.Generation(2, null, (0, new Break((_, key) => key == new OperationKey("gradient", 6), After: false)));
        gang.Generation(4, [0, 1], (0, new Break(
            (_, key) =>
            {
                if (key == new OperationKey("repair-momentum", 0))
                {
                    old = [.. gang.Worker(0).Model!.Repair!.Vectors.Projection.Memories.Select(static memory => new WeakReference(memory))];
                }
                else if (key == new OperationKey("repair-memory-1", 0))
                {
                    GC.Collect();
                    alive = [.. old.Select(static memory => memory.IsAlive)];
                }

                return false;
            },
            After: false)));

        Assert.Equal([false, true], alive);
        Assert.Equal(Enumerable.Range(6, TotalSteps - 6), gang.StepsOf(2));
    }

    /// <summary>While the moved weights are exchanged no worker holds all of either step: nothing of it may be gone on from.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Repair_LostWhileMovedWeightsAreExchanged_GoesBackToTheCheckpoint(bool after)
    {
        using var inputs = world.WideInputs(shardState: true, checkpointEvery: 3);
        using var gang = new Gang(inputs, world.NewFolder());

        gang.Generation(2, null, (0, new Break((_, key) => key == new OperationKey("moved-weights", 7), after)));
        gang.Generation(2, [0, 1]);

        Assert.Equal(Enumerable.Range(6, TotalSteps - 6), gang.StepsOf(2));
        Assert.Equal(Expected("f32", "all"), gang.Answer());
    }

    /// <summary>The owners' weights would cover the traces of a replica that has drifted apart.</summary>
    [Fact]
    public void Repair_ReplicaDriftsApartWithinAStep_EndsTheRunAndNamesBoth()
    {
        using var inputs = world.WideInputs(shardState: true);
        using var gang = new Gang(inputs, world.NewFolder());

        var ends = gang.Generation(3, null, (2, new Break(
            (_, key) =>
            {
                if (key == new OperationKey("gradient", 5))
                {
                    gang.Worker(2).Model!.Replica.HostWeights.Span[7] += 1;
                }

                return false;
            },
            After: false)));

        Assert.All(ends, end => Assert.Contains("after step 5 the replicas of workers 0 and 2 differ", Assert.IsType<RunFailedException>(end).Message, StringComparison.Ordinal));
        Assert.Contains(gang.Coordinator.Reports, report => report is WorkerFailed { Stage: RunStage.Repair });
    }

    private string Answer(Scissorhands.Worker.Run.RunInputs inputs, int workers)
    {
        using (inputs)
        {
            using var gang = new Gang(inputs, world.NewFolder());
            var ends = gang.Generation(workers);
            Assert.All(ends, Assert.Null);
            return gang.Answer();
        }
    }

    private string Expected(string format, string trainable) =>
        Undisturbed.GetOrAdd($"{format}-{trainable}", _ => Answer(world.WideInputs(shardState: false, format, trainable), 1));
}
