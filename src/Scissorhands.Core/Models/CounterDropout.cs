using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Scissorhands.Planning.Randomness;
using TorchSharp;
using static TorchSharp.torch;

namespace Scissorhands.Core.Models;

/// <summary>
/// Dropout whose masks are a pure function of (seed, layer, part, epoch, step, slice, element): libtorch's CPU generator is
/// shared by all threads of a process, so that replicas beside each other would draw different masks after equal seeds.
/// Kept elements are scaled by 1 / (1 - p) in train mode; in eval mode it is the identity.
/// </summary>
public sealed class CounterDropout : nn.Module<Tensor, Tensor>, IHasDropoutContext
{
    private readonly string _layer;
    private readonly double _probability;

    /// <summary>Creates the layer.</summary>
    /// <param name="layer">Dotted name of the layer within its model: keys the masks, so it never changes.</param>
    /// <param name="probability">Share of elements dropped, in [0,1).</param>
    public CounterDropout(string layer, double probability) : base(nameof(CounterDropout))
    {
        ArgumentException.ThrowIfNullOrEmpty(layer);
        ArgumentOutOfRangeException.ThrowIfNegative(probability);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(probability, 1);
        _layer = layer;
        _probability = probability;
    }

    /// <inheritdoc/>
    public DropoutContext? DropoutContext { get; set; }

    /// <summary>Applies the mask.</summary>
    /// <param name="input">Activations, samples first.</param>
    /// <returns>A new tensor of the same shape; never the input itself, which callers dispose of.</returns>
    /// <exception cref="InvalidOperationException">Train mode, and no <see cref="DropoutContext"/> was set.</exception>
    public override Tensor forward(Tensor input)
    {
        ArgumentNullException.ThrowIfNull(input);
        if (!training || _probability == 0)
        {
            return input.alias();
        }

        var context = DropoutContext ?? throw new InvalidOperationException($"{_layer}: no dropout context was set before a forward pass in train mode");
        using var scope = NewDisposeScope();
        var mask = empty(input.shape, ScalarType.Float32, CPU);
        var stream = RandomStream.Create(context.Seed, RandomPurpose.Dropout, $"{_layer}/{context.Part}", context.Epoch, context.Step, context.Slice);
        var elementsPerSample = input.shape[0] == 0 ? 0 : input.numel() / input.shape[0];
        FillMask(MemoryMarshal.Cast<byte, float>(mask.bytes), stream, checked((ulong)(context.FirstSample * elementsPerSample)), _probability);
        return input.mul(mask.to(input.dtype, input.device)).MoveToOuterDisposeScope();
    }

    /// <summary>Writes a piece of a mask: 1 / (1 - p) where <c>UniformSingle(first + i) &gt;= p</c>, else 0.</summary>
    /// <param name="mask">Receives the piece.</param>
    /// <param name="stream">The mask's stream.</param>
    /// <param name="first">Index of the piece's first element.</param>
    /// <param name="probability">Share dropped, in [0,1).</param>
    public static void FillMask(Span<float> mask, RandomStream stream, ulong first, double probability)
    {
        // UniformSingle is k / 2^24 with whole k, and scaling by 2^24 is exact: comparing k with the ceiling is the same test.
        var threshold = (uint)Math.Ceiling(probability * 16777216.0);
        var scale = (float)(1 / (1 - probability));
        var i = 0;
        for (; i < mask.Length && ((first + (ulong)i) & 3) != 0; i++)
        {
            mask[i] = Value(stream.Bits(first + (ulong)i));
        }

        for (; i + 4 <= mask.Length; i += 4)
        {
            var (x0, x1, x2, x3) = stream.Block((first + (ulong)i) >> 2);
            var kept = Vector128.GreaterThanOrEqual(Vector128.Create(x0, x1, x2, x3) >> 8, Vector128.Create(threshold));
            (kept.AsSingle() & Vector128.Create(scale)).CopyTo(mask[i..]);
        }

        for (; i < mask.Length; i++)
        {
            mask[i] = Value(stream.Bits(first + (ulong)i));
        }

        float Value(uint bits) => bits >> 8 >= threshold ? scale : 0f;
    }
}
