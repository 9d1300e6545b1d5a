using CsCheck;
using Scissorhands.Core.Models;
using Scissorhands.Planning.Randomness;

namespace Scissorhands.Core.Tests.Models;

public sealed class FreshWeightsTests
{
    [Fact]
    public void Fill_any_length_equals_the_definition_element_by_element()
        => Gen.Select(Gen.Int[0, 70], Gen.Long, Gen.Float[0.001f, 2f]).Sample((length, seed, bound) =>
        {
            var stream = RandomStream.Create(seed, RandomPurpose.FreshWeights, "fc.weight");
            var values = new float[length];
            FreshWeights.Fill(values, stream, bound);
            for (var i = 0; i < length; i++)
            {
                Assert.Equal(((2f * stream.UniformSingle((ulong)i)) - 1f) * bound, values[i]);
                Assert.Equal(FreshWeights.ValueAt(stream, (ulong)i, bound), values[i]);
                Assert.InRange(values[i], -bound, bound);
            }
        });

    [Fact]
    public void Fill_many_values_are_uniform()
    {
        var values = new float[100_000];
        FreshWeights.Fill(values, RandomStream.Create(5, RandomPurpose.FreshWeights, "fc.weight"), 0.5f);

        // Standard errors: mean 0.5 / sqrt(3 n) = 0.0009, mean square (1/12) * sqrt(4/5) / sqrt(n) = 0.00024.
        Assert.InRange(values.Average(), -0.005, 0.005);
        Assert.InRange(values.Average(value => value * value), 0.0823, 0.0844);
    }

    [Fact]
    public void Bound_of_shapes_is_one_over_the_root_of_fan_in()
    {
        Assert.Equal(1f, FreshWeights.Bound([64]));
        Assert.Equal(1f, FreshWeights.Bound([]));
        Assert.Equal(0.125f, FreshWeights.Bound([10, 64]));
        Assert.Equal((float)(1 / Math.Sqrt(27)), FreshWeights.Bound([16, 3, 3, 3]));
    }
}
