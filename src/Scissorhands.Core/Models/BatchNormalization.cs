using Scissorhands.Core.Native;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Scissorhands.Core.Models;

/// <summary>
/// Batch normalisation over [samples, channels, height, width] with torchvision's names and defaults. TorchSharp's own counts
/// its batches with a number that the garbage collector may free while native code reads it: the step then fails, or counts
/// something else.
/// </summary>
internal sealed class BatchNormalization : nn.Module<Tensor, Tensor>
{
    private const double Momentum = 0.1;
    private const double Epsilon = 1e-5;

    /// <summary>Creates the layer: scale 1, shift 0, statistics of nothing seen.</summary>
    /// <param name="channels">Channels.</param>
    public BatchNormalization(long channels) : base(nameof(BatchNormalization))
    {
        // The layer's own, whatever scope it is made in.
        register_parameter("weight", Held(ones(channels)));
        register_parameter("bias", Held(zeros(channels)));
        register_buffer("running_mean", zeros(channels).DetachFromDisposeScope());
        register_buffer("running_var", ones(channels).DetachFromDisposeScope());
        register_buffer("num_batches_tracked", zeros([], ScalarType.Int64).DetachFromDisposeScope());
    }

    /// <inheritdoc/>
    public override Tensor forward(Tensor input)
    {
        if (training)
        {
            using var gradient = no_grad();
            get_buffer("num_batches_tracked")!.add_(HeldScalars.One, alpha: HeldScalars.One);
        }

        return nn.functional.batch_norm(input, get_buffer("running_mean"), get_buffer("running_var"), get_parameter("weight"), get_parameter("bias"), training, Momentum, Epsilon);
    }

    private static Parameter Held(Tensor values)
    {
        var parameter = new Parameter(values);
        parameter.DetachFromDisposeScope();
        return parameter;
    }
}
