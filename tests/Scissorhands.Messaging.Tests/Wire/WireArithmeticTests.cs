using CsCheck;
using Scissorhands.Messaging.Tests.Collectives;
using Scissorhands.Messaging.Wire;

namespace Scissorhands.Messaging.Tests.Wire;

public sealed class WireArithmeticTests
{
    [Fact]
    public void RoundLeaf_and_RoundNode_follow_the_format() =>
        WireSamples.Vectors.Sample(static values =>
        {
            float[] Leaf(WireFormat format)
            {
                var copy = values.ToArray();
                WireArithmetic.RoundLeaf(format, copy);
                return copy;
            }

            float[] Node(WireFormat format)
            {
                var copy = values.ToArray();
                WireArithmetic.RoundNode(format, copy);
                return copy;
            }

            var rounded = values.Select(WireSamples.Round).ToArray();
            TreeSamples.AssertBits(values, Leaf(WireFormat.Fp32));
            TreeSamples.AssertBits(values, Node(WireFormat.Fp32));
            TreeSamples.AssertBits(rounded, Leaf(WireFormat.Bf16));
            TreeSamples.AssertBits(rounded, Node(WireFormat.Bf16));
            TreeSamples.AssertBits(WireSamples.Quantize(values), Leaf(WireFormat.Int8));
            TreeSamples.AssertBits(rounded, Node(WireFormat.Int8));
        });

    [Fact]
    public void Round_unknown_format_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => WireArithmetic.RoundLeaf((WireFormat)9, new float[1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => WireArithmetic.RoundNode((WireFormat)9, new float[1]));
    }
}
