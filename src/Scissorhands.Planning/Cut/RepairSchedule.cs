using Scissorhands.Planning.Configuration;
using Scissorhands.Planning.Randomness;

namespace Scissorhands.Planning.Cut;

/// <summary>One slice of a repair step: the samples whose gradients are one leaf of the reduction tree.</summary>
/// <param name="Retain">Ordinals of the retain samples, possibly none.</param>
/// <param name="Forget">Ordinals of the forget samples, possibly none.</param>
public sealed record SliceSamples(ReadOnlyMemory<int> Retain, ReadOnlyMemory<int> Forget);

/// <summary>One repair step, cut into slices.</summary>
/// <param name="Epoch">Epoch, from 0.</param>
/// <param name="Index">Step within the epoch, from 0.</param>
/// <param name="Slices">The leaves, from left to right; none is empty.</param>
/// <param name="RetainCount">Retain samples of the step.</param>
/// <param name="ForgetCount">Forget samples of the step; 0 makes it a plain step.</param>
public sealed record RepairStepCut(int Epoch, int Index, IReadOnlyList<SliceSamples> Slices, int RetainCount, int ForgetCount)
{
    /// <summary>Whether the step takes a forget batch.</summary>
    public bool IsJoint => ForgetCount > 0;

    /// <summary>The slices a worker computes.</summary>
    /// <param name="rank">The worker.</param>
    /// <param name="size">Number of workers.</param>
    /// <returns>Leaves and their samples, ascending; empty for a worker without any.</returns>
    public IReadOnlyList<(int Leaf, SliceSamples Slice)> HeldBy(int rank, int size)
    {
        var leaves = new ReductionTree(Slices.Count).Deal(rank, size);
        return [.. Enumerable.Range(leaves.Start, leaves.Count).Select(leaf => (leaf, Slices[leaf]))];
    }
}

/// <summary>
/// Which samples every repair step takes: a function of configuration, seed and the two lists of samples. Each epoch
/// shuffles both lists anew; the shorter forget list lasts for the first steps.
/// </summary>
public sealed class RepairSchedule
{
    private readonly long _seed;
    private readonly int _slices;
    private readonly int _memories;
    private readonly int[] _retain;
    private readonly int[] _forget;
    private readonly IReadOnlyList<IndexRange> _retainBatches;
    private readonly IReadOnlyList<IndexRange> _forgetBatches;

    /// <summary>Cuts the repair stage.</summary>
    /// <param name="configuration">The run's configuration.</param>
    /// <param name="retain">Ordinals of the retain samples, ascending.</param>
    /// <param name="forget">Ordinals of the forget samples, in forget-list order.</param>
    public RepairSchedule(RunConfiguration configuration, IReadOnlyList<int> retain, IReadOnlyList<int> forget)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        _seed = configuration.Seed;
        _slices = configuration.Repair.Slices;
        _memories = configuration.Projection.Memories;
        _retain = [.. retain];
        _forget = [.. forget];
        _retainBatches = BatchCut.Batches(_retain.Length, configuration.Repair.BatchSize, 2 * _slices);
        _forgetBatches = BatchCut.Batches(_forget.Length, configuration.Repair.BatchSize, 2 * _slices);
        Epochs = configuration.Repair.Epochs;
    }

    /// <summary>Passes over the retain samples.</summary>
    public int Epochs { get; }

    /// <summary>Steps of an epoch.</summary>
    public int StepsPerEpoch => _retainBatches.Count;

    /// <summary>Steps of an epoch that take a forget batch.</summary>
    public int JointStepsPerEpoch => Math.Min(_retainBatches.Count, _forgetBatches.Count);

    /// <summary>Steps of the whole stage.</summary>
    public int TotalSteps => Epochs * StepsPerEpoch;

    /// <summary>Memory gradients of an epoch: at most as many as there are forget batches.</summary>
    public int MemoriesPerEpoch => Math.Min(_memories, _forgetBatches.Count);

    /// <summary>The steps of an epoch, in order.</summary>
    /// <param name="epoch">Epoch, from 0.</param>
    /// <param name="fromStep">First step wanted.</param>
    /// <returns>The steps.</returns>
    public IEnumerable<RepairStepCut> Steps(int epoch, int fromStep = 0)
    {
        var retain = Shuffled(_retain, RandomPurpose.RetainShuffle, epoch);
        var forget = Shuffled(_forget, RandomPurpose.ForgetShuffle, epoch);
        for (var step = fromStep; step < StepsPerEpoch; step++)
        {
            var retainBatch = _retainBatches[step];
            var forgetBatch = step < JointStepsPerEpoch ? _forgetBatches[step] : default;

            // One slice where the retain part is too small for S of them; the forget part then has no more leaves either.
            var slices = retainBatch.Count < 2 * _slices ? 1 : _slices;
            yield return new RepairStepCut(epoch, step, Cut(retain, retainBatch, forget, forgetBatch, slices), retainBatch.Count, forgetBatch.Count);
        }
    }

    /// <summary>The forget batches an epoch's memory gradients are taken from, cut into slices without retain samples.</summary>
    /// <param name="epoch">Epoch, from 0.</param>
    /// <returns>One cut a memory.</returns>
    public IReadOnlyList<RepairStepCut> Memories(int epoch)
    {
        var forget = Shuffled(_forget, RandomPurpose.MemoryShuffle, epoch);
        return [.. Enumerable.Range(0, MemoriesPerEpoch).Select(i =>
            new RepairStepCut(epoch, i, Cut([], default, forget, _forgetBatches[i], _forgetBatches[i].Count < 2 * _slices ? 1 : _slices), 0, _forgetBatches[i].Count))];
    }

    /// <summary>The learning rate of a step.</summary>
    /// <param name="repair">The repair options.</param>
    /// <param name="epoch">Epoch, from 0.</param>
    /// <param name="step">Step of the epoch.</param>
    /// <returns>The rate.</returns>
    public double LearningRate(RepairConfiguration repair, int epoch, int step)
    {
        ArgumentNullException.ThrowIfNull(repair);
        if (repair.Schedule == "cosine")
        {
            var progress = (((long)epoch * StepsPerEpoch) + step) / (double)Math.Max(1, TotalSteps);
            return repair.Lr * 0.5 * (1 + Math.Cos(Math.PI * progress));
        }

        var rate = repair.Lr;
        foreach (var milestone in repair.Milestones)
        {
            rate = epoch >= milestone ? rate * repair.Gamma : rate;
        }

        return rate;
    }

    private static IReadOnlyList<SliceSamples> Cut(int[] retain, IndexRange retainBatch, int[] forget, IndexRange forgetBatch, int slices)
    {
        var retainSlices = BatchCut.Slices(retainBatch, slices);
        var forgetSlices = BatchCut.Slices(forgetBatch, slices);
        return [.. Enumerable.Range(0, slices).Select(i => new SliceSamples(
            retain.AsMemory(retainSlices[i].Start, retainSlices[i].Count),
            forget.AsMemory(forgetSlices[i].Start, forgetSlices[i].Count)))];
    }

    private int[] Shuffled(int[] ordinals, string purpose, int epoch)
    {
        var order = ordinals.ToArray();
        RandomStream.Create(_seed, purpose, first: epoch).Shuffle<int>(order);
        return order;
    }
}
