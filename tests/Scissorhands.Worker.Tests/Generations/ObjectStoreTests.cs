using System.Collections.Concurrent;
using CsCheck;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Data.Safetensors;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning;
using Scissorhands.Testing;
using Scissorhands.Worker.Checkpoints;
using Scissorhands.Worker.Run;

namespace Scissorhands.Worker.Tests.Generations;

/// <summary>
/// What runs share needs no more than an object store has, and no failure of it changes their answer: that of a run in a folder.
/// </summary>
public sealed class ObjectStoreTests(World world)
{
    private const int TotalSteps = 12;
    private const int Most = 12;

    private static readonly ConcurrentDictionary<string, string> Undisturbed = new(StringComparer.Ordinal);

    [Theory]
    [InlineData("f32", false)]
    [InlineData("int8", true)]
    public void Run_undisturbed_givesTheAnswerOfAFolderAndLeavesNothing(string format, bool shardState)
    {
        var store = new ObjectStore();
        var folder = world.NewFolder(store);
        using var inputs = Open(format, shardState);
        using var gang = new Gang(inputs, folder);

        Assert.All(gang.Generation(2), Assert.Null);

        Assert.Equal(Expected(format, shardState), gang.Answer());
        Assert.Empty(Directory.EnumerateFiles(folder.WorkPath));
        Assert.Contains(ParameterObjects.MaskKey, store.Keys);
        Assert.Contains(RepairCheckpoint.NameOf(TotalSteps), store.Keys);
        Assert.Equal(store.Keys.Count, folder.DeleteCheckpoints(TestContext.Current.CancellationToken));
        Assert.Empty(store.Keys);
    }

    /// <summary>Each object in turn is lost with everybody who knew what was in it, or is there although nobody heard so.</summary>
    [Theory]
    [InlineData(StoreFault.Midway)]
    [InlineData(StoreFault.After)]
    public void Run_putOfAnyObjectFailsAndNobodyIsLeft_givesTheSameAnswer(StoreFault fault)
    {
        foreach (var key in PutsOf("int8"))
        {
            var failed = new ConcurrentQueue<StoreCall>();
            var store = new ObjectStore(call => Note(failed, call, failed.IsEmpty && call.Kind == StoreCallKind.Put && call.Key == key ? fault : StoreFault.None));
            using var inputs = world.Inputs("int8", checkpointEvery: 3);
            using var gang = new Gang(inputs, world.NewFolder(store));

            Assert.Contains(gang.Generation(2), end => end is IOException);
            Assert.True(gang.Generation(2).All(end => end is null), key);

            Assert.True(Expected("int8", shardState: false) == gang.Answer(), key);
        }
    }

    /// <summary>One call fails, whichever and however.</summary>
    [Theory]
    [InlineData("f32", false)]
    [InlineData("int8", true)]
    public void Run_anyCallFails_givesTheSameAnswer(string format, bool shardState)
    {
        var calls = CallsOf(format, shardState);
        Assert.Equal(Enum.GetValues<StoreCallKind>().Length, calls.Count);
        Gen.Select(Gen.OneOfConst([.. calls.Keys]), Gen.Int[0, 1_000_000], FailingGen, Gen.Int[1, 3], Gen.Int[1, 3], Gen.Int[0, 1_000]).Sample(
            (kind, which, fault, before, after, seed) =>
            {
                var failed = new ConcurrentQueue<StoreCall>();
                var failing = which % calls[kind];
                var ofKind = 0;
                var store = new ObjectStore(call => Note(failed, call, call.Kind == kind && ofKind++ == failing ? fault : StoreFault.None), seed);
                Work(store, format, shardState, new Random(seed), generation => generation == 0 ? before : after, failed);
            },
            iter: 10,
            threads: 1);
    }

    /// <summary>Every tenth call fails, and so may those that mend what the one before has broken.</summary>
    [Theory]
    [InlineData("f32", false)]
    [InlineData("bf16", true)]
    public void Run_manyCallsFail_givesTheSameAnswer(string format, bool shardState) =>
        Gen.Int[0, 1_000_000].Sample(
            seed =>
            {
                var failed = new ConcurrentQueue<StoreCall>();
                var faults = new Random(seed);
                var store = new ObjectStore(call => Note(failed, call, failed.Count < Most - 1 && faults.Next(10) == 0 ? (StoreFault)faults.Next(1, 4) : StoreFault.None), seed);
                var random = new Random(seed + 1);
                Work(store, format, shardState, random, _ => random.Next(1, 4), failed);
            },
            iter: 3,
            threads: 1);

    /// <summary>Checkpoints that are not tidied away are no reason to begin anew.</summary>
    [Fact]
    public void Run_listsAndDeletionsFail_losesNoGeneration()
    {
        var failed = new ConcurrentQueue<StoreCall>();
        var turn = 0;
        var store = new ObjectStore(call => Note(failed, call, call.Kind == StoreCallKind.Delete || (call.Kind == StoreCallKind.List && turn++ % 2 == 0) ? StoreFault.Before : StoreFault.None));
        using var inputs = world.Inputs(checkpointEvery: 3);
        using var gang = new Gang(inputs, world.NewFolder(store));

        Assert.All(gang.Generation(2), Assert.Null);

        Assert.Contains(failed, call => call.Kind == StoreCallKind.List);
        Assert.Contains(failed, call => call.Kind == StoreCallKind.Delete);
        Assert.Equal(Expected("f32", shardState: false), gang.Answer());
    }

    [Theory]
    [InlineData("f32", "all", false, 3, 41)]
    [InlineData("int8", "all", true, 3, 42)]
    [InlineData("bf16", "masked", true, 5, 43)]
    public void Run_generationsBrokenAtRandom_givesTheSameAnswer(string format, string trainable, bool shardState, int checkpointEvery, int seed) =>
        RandomGenerations.Run(() => Open(format, shardState, trainable, checkpointEvery), world, Expected(format, shardState, trainable), new Random(seed), () => new ObjectStore(seed: seed));

    [Theory]
    [InlineData("f32", 2, true, 3, true)]
    [InlineData("f32", 1, false, 4, true)]
    [InlineData("int8", 4, true, 2, false)]
    public void Resume_nobodyLeft_goesOnFromTheCheckpointWithAnyNumberOfWorkers(string format, int before, bool shardedBefore, int after, bool shardedAfter)
    {
        using var inputs = world.WideInputs(shardedBefore, format, checkpointEvery: 3);
        using var resumed = world.WideInputs(shardedAfter, format, checkpointEvery: 3);
        using var gang = new Gang(inputs, world.NewFolder(new ObjectStore()));
        gang.Generation(before, null, (before - 1, new Break((_, key) => key == new OperationKey("gradient", 7), After: false)));
        gang.Inputs = resumed;
        gang.Generation(after);

        Assert.Equal(Enumerable.Range(6, TotalSteps - 6), gang.StepsOf(2));
        Assert.Equal(Expected(format, shardState: true), gang.Answer());
    }

    [Theory]
    [InlineData("momentum")]
    [InlineData("weights")]
    [InlineData(VerifiedSafetensors.DigestTensor)]
    public void Resume_checkpointDamaged_endsTheRunAndNamesTheObject(string tensor)
    {
        var store = new ObjectStore();
        using var inputs = world.WideInputs(shardState: true, checkpointEvery: 3);
        using var gang = new Gang(inputs, world.NewFolder(store));
        gang.Generation(2, null, (0, new Break((_, key) => key == new OperationKey("gradient", 7), After: false)));
        var name = gang.Coordinator.RepairCheckpoint!;
        using (var file = SafetensorsFile.Open(store.Open(name, TestContext.Current.CancellationToken)))
        {
            var data = file.Entries.Sum(entry => entry.Length);
            store.Damage(name, bytes => bytes[bytes.Length - data + file.Find(tensor).Start + (file.Find(tensor).Length / 2)] ^= 1);
        }

        gang.Generation(2);

        var failures = gang.Coordinator.Reports.OfType<WorkerFailed>().ToArray();
        Assert.NotEmpty(failures);
        Assert.All(failures, failure => Assert.Equal(FailureCause.Input, failure.Cause));
        Assert.All(failures, failure => Assert.Contains($"{store.Location}/{name}", failure.Reason, StringComparison.Ordinal));
    }

    /// <summary>A run that a version stopped which wrote no digests.</summary>
    [Fact]
    public void Resume_objectsWithoutDigests_goesOn()
    {
        var folder = world.NewFolder();
        using var inputs = world.WideInputs(shardState: true, "int8", checkpointEvery: 3);
        using var gang = new Gang(inputs, folder);
        gang.Generation(2, null, (0, new Break((_, key) => key == new OperationKey("gradient", 7), After: false)));
        foreach (var path in Directory.EnumerateFiles(folder.WorkPath, "*.safetensors").ToArray())
        {
            TakeDigests(path);
        }

        gang.Generation(3);

        Assert.Equal(Enumerable.Range(6, TotalSteps - 6), gang.StepsOf(2));
        Assert.Equal(Expected("int8", shardState: true), gang.Answer());
    }

    [Theory]
    [InlineData("../model.safetensors")]
    [InlineData("sensitivity-00000003-of-1.0.safetensors")]
    public void OpenRepairCheckpoint_anotherName_isRefused(string name) =>
        Assert.Contains("not the name", Assert.Throws<InputException>(() => RepairCheckpointReader.Open(new ObjectStore(), name, "plan", TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);

    private static void TakeDigests(string path)
    {
        SafetensorsInput[] tensors;
        Dictionary<string, string> metadata;
        using (var file = SafetensorsFile.Open(path))
        {
            metadata = file.Metadata.Where(m => m.Key != VerifiedSafetensors.BlockBytesKey).ToDictionary();
            Assert.NotEqual(file.Metadata.Count, metadata.Count);
            tensors = [.. file.Entries.Where(e => e.Name != VerifiedSafetensors.DigestTensor).Select(entry =>
            {
                var bytes = new byte[entry.Length];
                file.ReadInto(entry, bytes);
                return new SafetensorsInput(entry.Name, entry.DType, entry.Shape, d => d.Write(bytes));
            })];
        }

        SafetensorsWriter.Write(path, tensors, metadata.Count == 0 ? null : metadata);
    }

    private static Gen<StoreFault> FailingGen => Gen.OneOfConst(StoreFault.Before, StoreFault.Midway, StoreFault.After);

    private static StoreFault Note(ConcurrentQueue<StoreCall> failed, StoreCall call, StoreFault fault)
    {
        if (fault != StoreFault.None)
        {
            failed.Enqueue(call);
        }

        return fault;
    }

    /// <summary>Generations with random survivors until the run is done; each may only end for a call that failed.</summary>
    private void Work(ObjectStore store, string format, bool shardState, Random random, Func<int, int> sizes, ConcurrentQueue<StoreCall> failed)
    {
        using var inputs = Open(format, shardState);
        var folder = world.NewFolder(store);
        using var gang = new Gang(inputs, folder);
        var size = 0;
        for (var generation = 0; generation < Most && !gang.IsCompleted; generation++)
        {
            var order = Enumerable.Range(0, size).ToArray();
            random.Shuffle(order);
            var survivors = order[..random.Next(size + 1)];
            size = Math.Max(sizes(generation), survivors.Length);
            var ends = gang.Generation(size, survivors);
            Assert.All(ends, end => Assert.True(end is null or CollectiveException or IOException, $"{string.Join("; ", failed)}: {end}"));
        }

        Assert.True(Expected(format, shardState) == gang.Answer(), string.Join("; ", failed));
        for (var attempt = 0; attempt < Most && store.Keys.Count + store.Unfinished > 0; attempt++)
        {
            try
            {
                folder.DeleteCheckpoints(TestContext.Current.CancellationToken);
            }
            catch (IOException)
            {
                // As the report's stage does: again.
            }
        }

        Assert.Equal(0, store.Keys.Count + store.Unfinished);
    }

    /// <summary>The keys that two workers put, in order.</summary>
    private string[] PutsOf(string format)
    {
        var keys = new ConcurrentQueue<string>();
        var store = new ObjectStore(call =>
        {
            if (call.Kind == StoreCallKind.Put)
            {
                keys.Enqueue(call.Key);
            }

            return StoreFault.None;
        });
        using var inputs = world.Inputs(format, checkpointEvery: 3);
        using var gang = new Gang(inputs, world.NewFolder(store));
        Assert.All(gang.Generation(2), Assert.Null);
        Assert.True(keys.Count > TotalSteps / 3);
        return [.. keys.Distinct(StringComparer.Ordinal)];
    }

    private Dictionary<StoreCallKind, int> CallsOf(string format, bool shardState)
    {
        var calls = new ConcurrentQueue<StoreCall>();
        using var inputs = Open(format, shardState);
        var folder = world.NewFolder(new ObjectStore(call =>
        {
            calls.Enqueue(call);
            return StoreFault.None;
        }));
        using var gang = new Gang(inputs, folder);
        gang.Generation(2, null, (0, new Break((_, key) => key == new OperationKey("gradient", 7), After: false)));
        gang.Generation(2);
        folder.DeleteCheckpoints(TestContext.Current.CancellationToken);
        return calls.CountBy(call => call.Kind).ToDictionary();
    }

    /// <summary>A model of ten blocks where workers have a range each, otherwise a small one.</summary>
    private RunInputs Open(string format, bool shardState, string trainable = "all", int checkpointEvery = 3) =>
        shardState ? world.WideInputs(shardState, format, trainable, checkpointEvery) : world.Inputs(format, trainable, checkpointEvery);

    /// <summary>The answer in a folder; that of a model of ten blocks is a single worker's who keeps all of the state.</summary>
    private string Expected(string format, bool shardState, string trainable = "all") => Undisturbed.GetOrAdd($"{format}-{trainable}-{shardState}", _ =>
    {
        using var inputs = shardState ? world.WideInputs(shardState: false, format, trainable) : world.Inputs(format, trainable);
        using var gang = new Gang(inputs, world.NewFolder());
        Assert.Equal([null], gang.Generation(1));
        return gang.Answer();
    });
}
