using System.Runtime.InteropServices;
using Scissorhands.Data.Samples;
using Scissorhands.Planning;
using TorchSharp;
using static TorchSharp.torch;

namespace Scissorhands.Core.Tasks;

/// <summary>Classification by cross-entropy over logits [n, classes].</summary>
public sealed class ClassificationTask : ILearningTask
{
    private static readonly Scalar LeastConfidence = 1e-38.ToScalar();

    /// <inheritdoc />
    public string Name => "classification";

    /// <inheritdoc />
    public TensorBatch ToTensors(IHostBatch batch, Device device)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(device);
        var shape = batch.Shape;

        // Memory owned by libtorch: kernels vectorise by alignment, and that of managed arrays differs from run to run.
        var input = torch.empty([batch.Count, shape.Channels, shape.Height, shape.Width], ScalarType.Float32);
        batch.Pixels.CopyTo(MemoryMarshal.Cast<byte, float>(input.bytes));
        var target = torch.empty([batch.Count], ScalarType.Int64);
        batch.Labels.CopyTo(MemoryMarshal.Cast<byte, long>(target.bytes));
        if (device.type == DeviceType.CPU)
        {
            return new TensorBatch(input, target);
        }

        using (input)
        using (target)
        {
            return new TensorBatch(input.to(device), target.to(device));
        }
    }

    /// <inheritdoc />
    public Tensor LossSum(Tensor output, TensorBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        return nn.functional.cross_entropy(output, batch.Target, reduction: nn.Reduction.Sum);
    }

    /// <inheritdoc />
    public Tensor Scores(Tensor output, TensorBatch batch)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(batch);
        using var scope = torch.NewDisposeScope();
        var probabilities = nn.functional.softmax(output.to(ScalarType.Float32), 1);
        var confidence = probabilities.gather(1, batch.Target.unsqueeze(1)).squeeze(1);

        // A confidence of exactly 0 is always a wrong answer, but -0 has no sign a later sum would keep.
        confidence = confidence.clamp_min(LeastConfidence);
        var right = output.argmax(1).eq(batch.Target);
        return torch.where(right, confidence, confidence.neg()).MoveToOuterDisposeScope();
    }

    /// <inheritdoc />
    public void Check(Tensor output, string model, ISampleSet samples, string source)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(samples);
        if (output.shape.Length != 2)
        {
            throw new InputException($"{model}: classification needs an output of shape [n, classes], this model gives [{string.Join(", ", output.shape)}]");
        }

        var classes = output.shape[1];
        for (var ordinal = 0; ordinal < samples.Count; ordinal++)
        {
            if (samples.Label(ordinal) >= classes)
            {
                throw new InputException($"{source}: sample '{samples.Id(ordinal)}' has label {samples.Label(ordinal)}, but {model} has {classes} classes (0 to {classes - 1})");
            }
        }
    }
}
