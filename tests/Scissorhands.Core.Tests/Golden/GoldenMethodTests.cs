using System.Runtime.InteropServices;
using System.Text.Json;
using Scissorhands.Core.Models;
using Scissorhands.Core.Repair;
using Scissorhands.Core.Replica;
using Scissorhands.Core.Sensitivity;
using Scissorhands.Core.Tasks;
using Scissorhands.Core.Tests.Selection;
using Scissorhands.Core.Trim;
using Scissorhands.Data.Safetensors;
using Scissorhands.Planning.Configuration;
using Scissorhands.Planning.Cut;
using TorchSharp;
using static TorchSharp.torch;

namespace Scissorhands.Core.Tests.Golden;

/// <summary>The method against an independent PyTorch implementation, within the tolerances its notes state.</summary>
public sealed class GoldenMethodTests
{
    private const double Tolerance = 1e-5;
    private const double RepairTolerance = 1e-4;
    private static readonly string[] Scope = ["*layer3*", "*layer4*", "*fc*"];

    [Fact]
    public void Sensitivity_OverFiveForgetBatches_EqualsTheReference()
    {
        var golden = GoldenFolder.Find();
        using var replica = Load(golden);
        using var block = new BlockSensitivity(replica, new ClassificationTask());
        var buffers = replica.CaptureBuffers();
        block.Begin();
        for (var i = 0; i < 5; i++)
        {
            using var batch = Batch(golden, $"forget.{i}");
            block.Add(batch, i);
        }

        block.Finish();
        var saliency = block.Host.Span.ToArray();
        Sensitivity.Saliency.Finish(saliency, replica.HostWeights.Span);
        Assert.Equal(buffers.Floats, replica.CaptureBuffers().Floats);
        Assert.Equal(buffers.Integers, replica.CaptureBuffers().Integers);
        var whole = Math.Sqrt(saliency.Sum(v => (double)v * v));
        foreach (var slot in replica.Parameters.Slots)
        {
            if (slot.Name == "layer3.bias")
            {
                // A bias before batch normalisation has no influence: its gradient is rounding noise in both implementations.
                Assert.All(saliency[slot.Start..slot.Range.End], v => Assert.True(v < 1e-6 * whole));
                continue;
            }

            AssertClose(GoldenTensors.Singles(Path.Combine(golden, "saliency.safetensors"), slot.Name), saliency.AsSpan(slot.Start, slot.Count), Tolerance, slot.Name);
        }
    }

    [Fact]
    public void MemoryGradients_OfThreeForgetBatches_EqualTheReference()
    {
        var golden = GoldenFolder.Find();
        using var replica = Load(golden);
        var segments = TrimScope.Projected(new ProjectionConfiguration { Scope = Scope }, replica.Parameters);
        for (var i = 0; i < 3; i++)
        {
            var memory = TakeMemory(golden, replica, i);
            var inScope = segments.SelectMany(s => memory[s.Start..s.End]).ToArray();
            AssertClose(GoldenTensors.Singles(Path.Combine(golden, "repair.safetensors"), $"memory.{i}"), inScope, Tolerance, $"memory.{i}");
        }
    }

    [Fact]
    public void Repair_SixProjectedSteps_EndWhereTheReferenceEnds()
    {
        var golden = GoldenFolder.Find();
        using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(golden, "repair.json")));
        var trace = json.RootElement.GetProperty("trace").EnumerateArray().ToArray();
        using var replica = Load(golden);
        using var moving = MovingSet.All(replica.Parameters.Count);
        using var sgd = new MomentumSgd(replica, moving, 0.9, 5e-4);
        var options = new ProjectionConfiguration { Memories = 3, Scope = Scope };
        using var projection = new ProjectedGradient(options, TrimScope.Projected(options, replica.Parameters), new IndexRange(0, replica.Parameters.Count));
        for (var i = 0; i < 3; i++)
        {
            TakeMemory(golden, replica, i).CopyTo(projection.Add().Span);
        }

        var slice = new SliceGradient(replica, new ClassificationTask());
        for (var step = 0; step < 6; step++)
        {
            using var retain = Batch(golden, $"retain.{step}");
            using var forget = step < 5 ? Batch(golden, $"forget.{step}") : null;
            var start = replica.CaptureBuffers();
            slice.Compute(retain, forget, retain.Count, forget?.Count ?? 0, 0.05, start, new ForwardKey("", 0, step, 0));
            var totals = replica.HostGradient.Span[^StepTotals.Length..];
            Assert.Equal(trace[step].GetProperty("loss_retain").GetDouble(), totals[StepTotals.RetainLoss], 4);
            var projected = forget is not null && projection.Project(replica.HostGradient.Span[..replica.Parameters.Count]);
            Assert.Equal(trace[step].GetProperty("conflict").GetBoolean(), projected);
            sgd.Step(replica.HostGradient, 5e-3);
        }

        var path = Path.Combine(golden, "repair.safetensors");
        foreach (var entry in replica.State().Where(e => e.Tensor.dtype == ScalarType.Float32))
        {
            var values = new float[entry.Tensor.numel()];
            TensorMemory.TensorBytes.CopyTo(entry.Tensor, values);
            AssertClose(GoldenTensors.Singles(path, "after." + entry.Name), values, RepairTolerance, entry.Name);
        }
    }

    private static float[] TakeMemory(string golden, ModelReplica replica, int index)
    {
        using var batch = Batch(golden, $"forget.{index}");
        new MemoryGradient(replica, new ClassificationTask()).Compute(batch, batch.Count);
        return replica.HostGradient.Span[..replica.Parameters.Count].ToArray();
    }

    private static ModelReplica Load(string golden)
    {
        torch.set_num_threads(1);
        return new ModelReplica(ModelFiles.Load(Path.Combine(golden, "model.pt")), torch.CPU, 1);
    }

    private static TensorBatch Batch(string golden, string name)
    {
        using var file = SafetensorsFile.Open(Path.Combine(golden, "batches.safetensors"));
        var x = file.Find(name + ".x");
        var y = file.Find(name + ".y");
        var input = torch.empty([.. x.Shape], ScalarType.Float32);
        file.ReadInto(x, input.bytes);
        var target = torch.empty([.. y.Shape], ScalarType.Int64);
        file.ReadInto(y, target.bytes);
        return new TensorBatch(input, target);
    }

    private static void AssertClose(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, double tolerance, string name)
    {
        Assert.Equal(expected.Length, actual.Length);
        double difference = 0, norm = 0;
        for (var i = 0; i < expected.Length; i++)
        {
            difference += Math.Pow((double)expected[i] - actual[i], 2);
            norm += Math.Pow(expected[i], 2);
        }

        Assert.True(Math.Sqrt(difference) <= (tolerance * Math.Sqrt(norm)) + 1e-12, $"{name}: relative error {Math.Sqrt(difference / norm):E2} is above {tolerance:E0}");
    }
}
