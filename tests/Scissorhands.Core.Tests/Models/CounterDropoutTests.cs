using System.Runtime.InteropServices;
using CsCheck;
using Scissorhands.Core.Models;
using Scissorhands.Planning.Randomness;
using static TorchSharp.torch;

namespace Scissorhands.Core.Tests.Models;

public sealed class CounterDropoutTests
{
    private static readonly DropoutContext Context = new(7, 1, 2, 3, "retain");

    [Fact]
    public void FillMask_any_piece_equals_the_definition()
        => Gen.Select(Gen.Int[0, 40], Gen.ULong[0, 1000], Gen.OneOf(Gen.Double[0, 0.999], Gen.Const(0.5), Gen.Const(0.25)), Gen.Long)
            .Sample((length, first, probability, seed) =>
            {
                var stream = RandomStream.Create(seed, RandomPurpose.Dropout, "dropout/retain");
                var mask = new float[length];
                CounterDropout.FillMask(mask, stream, first, probability);
                for (var i = 0; i < length; i++)
                {
                    Assert.Equal(stream.UniformSingle(first + (ulong)i) >= probability ? (float)(1 / (1 - probability)) : 0f, mask[i]);
                }
            });

    [Fact]
    public void FillMask_any_probability_keeps_its_share()
        => Gen.Select(Gen.Double[0.01, 0.99], Gen.Long).Sample(
            (probability, seed) =>
            {
                var mask = new float[20_000];
                CounterDropout.FillMask(mask, RandomStream.Create(seed, RandomPurpose.Dropout, "dropout/retain"), 0, probability);
                var kept = mask.Count(value => value != 0) / (double)mask.Length;

                // Six standard deviations: one failure in 5e8 samples.
                Assert.InRange(kept, 1 - probability - (6 * Deviation(probability)), 1 - probability + (6 * Deviation(probability)));
            },
            iter: 50);

    [Fact]
    public void Forward_same_context_draws_the_same_mask_in_concurrent_threads_and_later()
    {
        var masks = new float[4][];
        using var barrier = new Barrier(3);
        var threads = Enumerable.Range(0, 3).Select(index => new Thread(() =>
        {
            barrier.SignalAndWait();
            for (var round = 0; round < 20; round++)
            {
                masks[index] = Mask(Context);
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        masks[3] = Mask(Context);

        Assert.All(masks, mask => Assert.Equal(masks[0], mask));
    }

    [Fact]
    public void Forward_other_contexts_or_layers_draw_other_masks()
    {
        float[][] masks =
        [
            Mask(Context),
            Mask(Context with { Seed = 8 }),
            Mask(Context with { Epoch = 2 }),
            Mask(Context with { Step = 3 }),
            Mask(Context with { Slice = 0 }),
            Mask(Context with { Part = "forget" }),
            Mask(Context, "classifier.5"),
        ];

        Assert.Equal(masks.Length, masks.Select(mask => string.Join(' ', mask)).Distinct().Count());
    }

    [Fact]
    public void Forward_micro_batches_draw_the_masks_of_the_whole()
    {
        var whole = Mask(Context, samples: 10);
        var parts = Mask(Context, samples: 4).Concat(Mask(Context with { FirstSample = 4 }, samples: 6));

        Assert.Equal(whole, parts);
    }

    [Fact]
    public void Forward_train_mode_gradient_is_the_mask()
    {
        using var scope = NewDisposeScope();
        using var layer = new CounterDropout("dropout", 0.3) { DropoutContext = Context };
        var input = full([8, 33], 2f, requires_grad: true);
        var output = layer.call(input);
        output.sum().backward();

        Assert.True(input.grad!.mul(2).Equals(output));
    }

    [Fact]
    public void Forward_eval_mode_is_the_identity_and_needs_no_context()
    {
        using var scope = NewDisposeScope();
        using var layer = new CounterDropout("dropout", 0.3);
        layer.eval();
        var input = arange(12, ScalarType.Float32).reshape(3, 4);
        var output = layer.call(input);

        Assert.NotSame(input, output);
        Assert.True(output.Equals(input));
    }

    [Fact]
    public void Forward_train_mode_without_context_names_the_layer()
    {
        using var scope = NewDisposeScope();
        using var layer = new CounterDropout("classifier.2", 0.3);
        using var input = ones(1, 4);

        Assert.Contains("classifier.2", Assert.Throws<InvalidOperationException>(() => layer.call(input)).Message, StringComparison.Ordinal);
    }

    private static double Deviation(double probability) => Math.Sqrt(probability * (1 - probability) / 20_000);

    private static float[] Mask(DropoutContext context, string layer = "classifier.2", long samples = 8)
    {
        using var scope = NewDisposeScope();
        using var module = new CounterDropout(layer, 0.5) { DropoutContext = context };
        return MemoryMarshal.Cast<byte, float>(module.call(ones(samples, 33)).bytes).ToArray();
    }
}
