using System.Runtime.InteropServices;
using Scissorhands.Core.Models;
using Scissorhands.Core.Repair;
using Scissorhands.Core.Replica;
using Scissorhands.Core.Sensitivity;
using Scissorhands.Core.Tasks;
using Scissorhands.Core.TensorMemory;
using Scissorhands.Data.Samples;
using Scissorhands.Planning.Randomness;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Scissorhands.Core.Tests.Tasks;

/// <summary>A second task, denoising, goes through the same sensitivity and repair: the method knows no classes.</summary>
public sealed class DenoisingTaskTests
{
    [Fact]
    public void SensitivityAndRepair_OfADenoiser_WorkWithoutClassification()
    {
        torch.set_num_threads(1);
        using var replica = Denoiser();
        var live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        var task = new DenoisingTask();
        using (var block = new BlockSensitivity(replica, task))
        using (var batch = DenoisingTask.Batch(8, "sensitivity"))
        {
            block.Begin();
            Assert.True(block.Add(batch, 0) > 0);
            block.Finish();
            Assert.Contains(block.Host.Span.ToArray(), v => v > 0);
        }

        using var moving = MovingSet.All(replica.Parameters.Count);
        using var sgd = new MomentumSgd(replica, moving, 0.9, 0);
        var slice = new SliceGradient(replica, task);
        var losses = new List<float>();
        for (var step = 0; step < 30; step++)
        {
            using var batch = DenoisingTask.Batch(8, "train");
            slice.Compute(batch, null, 8, 0, 0, replica.CaptureBuffers(), new ForwardKey("", 0, step, 0));
            losses.Add(replica.HostGradient.Span[^StepTotals.Length..][StepTotals.RetainLoss]);
            sgd.Step(replica.HostGradient, 0.05);
        }

        Assert.True(losses[^1] < losses[0] / 2, $"the loss went from {losses[0]} to {losses[^1]}");
    }

    [Fact]
    public void RepairStep_Repeated_LeavesNoTensorBehind()
    {
        torch.set_num_threads(1);
        using var replica = Denoiser();
        var task = new DenoisingTask();
        using var moving = MovingSet.All(replica.Parameters.Count);
        using var sgd = new MomentumSgd(replica, moving, 0.9, 5e-4);
        var slice = new SliceGradient(replica, task);
        void Step(int index)
        {
            using var batch = DenoisingTask.Batch(4, "train");
            slice.Compute(batch, batch, 4, 4, 0.05, replica.CaptureBuffers(), new ForwardKey("", 0, index, 0));
            sgd.Step(replica.HostGradient, 0.01);
        }

        Step(0);
        var live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        for (var i = 1; i < 6; i++)
        {
            Step(i);
        }

        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    private static ModelReplica Denoiser()
    {
        Sequential module;

        // Their first weights come from the generator that other tests watch.
        lock (ProcessGenerator.Gate)
        {
            module = nn.Sequential(
                ("conv1", nn.Conv2d(1, 4, 3, padding: 1)),
                ("act", nn.ReLU()),
                ("conv2", nn.Conv2d(4, 1, 3, padding: 1)));
        }

        ReproducibleInitialization.Apply(module, 1);
        return new ModelReplica(new LoadedModel(module, module.call, "denoiser"), torch.CPU, 1);
    }

    /// <summary>Images with noise to images without; a sample is right where its error is below that of the noise.</summary>
    private sealed class DenoisingTask : ILearningTask
    {
        private const float Noise = 0.3f;

        public string Name => "denoising";

        public TensorBatch ToTensors(IHostBatch batch, Device device) => throw new NotSupportedException();

        public static TensorBatch Batch(int count, string purpose)
        {
            const int Edge = 8;
            var stream = RandomStream.Create(1, RandomPurpose.Demo, purpose);
            var target = torch.empty([count, 1, Edge, Edge], ScalarType.Float32);
            var input = torch.empty([count, 1, Edge, Edge], ScalarType.Float32);
            var clean = MemoryMarshal.Cast<byte, float>(target.bytes);
            var noisy = MemoryMarshal.Cast<byte, float>(input.bytes);
            for (var i = 0; i < clean.Length; i++)
            {
                clean[i] = i / Edge % 2;
                noisy[i] = clean[i] + (Noise * ((2 * stream.UniformSingle((ulong)i)) - 1));
            }

            return new TensorBatch(input, target);
        }

        public Tensor LossSum(Tensor output, TensorBatch batch) => (output - batch.Target).square().mean([1, 2, 3]).sum();

        public Tensor Scores(Tensor output, TensorBatch batch)
        {
            using var scope = torch.NewDisposeScope();
            var error = (output - batch.Target).square().mean([1, 2, 3]);
            var confidence = error.neg().exp();
            return torch.where(error.lt(Noise * Noise / 3), confidence, confidence.neg()).MoveToOuterDisposeScope();
        }

        public void Check(Tensor output, string model, ISampleSet samples, string source)
        {
        }
    }
}
