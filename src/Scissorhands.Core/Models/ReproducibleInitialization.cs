using System.Runtime.InteropServices;
using Scissorhands.Planning.Randomness;
using TorchSharp;

namespace Scissorhands.Core.Models;

/// <summary>Initial weights of a model that is trained from scratch, as a pure function of the seed and the parameters' names.</summary>
public static class ReproducibleInitialization
{
    /// <summary>
    /// Overwrites all parameters: those with two or more dimensions kaiming-uniform (a = sqrt(5)) from the stream of their
    /// name, weights with one dimension (normalisation) 1, biases 0. Buffers stay as they are.
    /// </summary>
    /// <param name="module">The model; its parameters are float32.</param>
    /// <param name="seed">The seed.</param>
    /// <exception cref="NotSupportedException">A parameter is not float32.</exception>
    public static void Apply(torch.nn.Module module, long seed)
    {
        ArgumentNullException.ThrowIfNull(module);
        using var noGradient = torch.no_grad();
        foreach (var (name, parameter) in module.named_parameters())
        {
            if (parameter.dtype != torch.ScalarType.Float32)
            {
                throw new NotSupportedException($"parameter '{name}' is {parameter.dtype}; initial weights are float32");
            }

            var shape = parameter.shape;
            using var host = torch.empty(shape, torch.ScalarType.Float32, torch.CPU);
            var values = MemoryMarshal.Cast<byte, float>(host.bytes);
            if (shape.Length >= 2)
            {
                FreshWeights.Fill(values, RandomStream.Create(seed, RandomPurpose.InitialWeights, name), FreshWeights.Bound(shape));
            }
            else
            {
                values.Fill(name.EndsWith("weight", StringComparison.Ordinal) ? 1f : 0f);
            }

            parameter.copy_(host);
        }
    }
}
