using Scissorhands.Core.TensorMemory;
using Scissorhands.Planning;
using static TorchSharp.torch;

namespace Scissorhands.Core.Models;

/// <summary>The architectures whose state dicts can be loaded without TorchScript.</summary>
public static class BuiltInModels
{
    /// <summary>
    /// Creates a model on the CPU in train mode, with parameters and buffers named and ordered as in torchvision. It
    /// implements <see cref="IHasDropoutContext"/>. Its weights are libtorch's and not reproducible: load a state dict or use
    /// <see cref="ReproducibleInitialization"/>.
    /// </summary>
    /// <param name="spec">Architecture and options.</param>
    /// <returns>A model from images [samples, channels, height, width] to logits [samples, classes]. The caller disposes it.</returns>
    /// <exception cref="InputException">The architecture is not known.</exception>
    public static nn.Module<Tensor, Tensor> Create(ArchitectureSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        lock (ProcessGenerator.Gate)
        {
            return spec.Name switch
            {
                "resnet18" => new ResidualNetwork(spec, [2, 2, 2, 2], bottleneck: false),
                "resnet20" => new ResidualNetwork(spec, [3, 3, 3], bottleneck: false),
                "resnet34" => new ResidualNetwork(spec, [3, 4, 6, 3], bottleneck: false),
                "resnet50" => new ResidualNetwork(spec, [3, 4, 6, 3], bottleneck: true),
                "vgg16_bn" => new VggNetwork(spec),
                _ => throw new InputException($"unknown architecture '{spec.Name}'; known are {string.Join(", ", ArchitectureSpec.KnownNames)}"),
            };
        }
    }

    /// <summary>Creates a model, as <see cref="Create"/> does, that tells its dropout layers which forward pass follows.</summary>
    /// <param name="spec">Architecture and options.</param>
    /// <param name="source">The file its weights come from, for error messages.</param>
    /// <returns>The model. The caller fills in its weights, and disposes it.</returns>
    /// <exception cref="InputException">The architecture is not known.</exception>
    public static LoadedModel CreateLoaded(ArchitectureSpec spec, string source)
    {
        var module = Create(spec);
        var dropout = (IHasDropoutContext)module;
        return new LoadedModel(
            module,
            module.call,
            source,
            (seed, key) => dropout.DropoutContext = new DropoutContext(seed, key.Epoch, key.Step, key.Slice, key.Part));
    }
}
