using CsCheck;
using Scissorhands.Messaging.Tests.Collectives;
using Scissorhands.Messaging.Wire;

namespace Scissorhands.Messaging.Tests.Wire;

public sealed class BlockInt8Tests
{
    [Fact]
    public void Quantize_any_vector_gives_what_the_definition_says_and_nothing_new_the_second_time() =>
        WireSamples.Vectors.Sample(
            static values =>
            {
                var quantized = values.ToArray();
                BlockInt8.Quantize(quantized);
                TreeSamples.AssertBits(WireSamples.Quantize(values), quantized);
                var again = new float[values.Length];
                BlockInt8.Quantize(quantized, again);
                TreeSamples.AssertBits(quantized, again);
            },
            iter: 1000);

    [Fact]
    public void Quantize_result_is_bfloat16_already() =>
        WireSamples.Vectors.Sample(static values =>
        {
            BlockInt8.Quantize(values);
            var rounded = new float[values.Length];
            Bfloat16.Round(values, rounded);
            TreeSamples.AssertBits(values, rounded);
        });

    [Fact]
    public void Quantize_result_is_never_subnormal_nor_negative_zero() =>
        WireSamples.Vectors.Sample(static values =>
        {
            BlockInt8.Quantize(values);
            Assert.DoesNotContain(values, static v => float.IsSubnormal(v) || (v == 0 && float.IsNegative(v)));
        });

    [Fact]
    public void QuantizeWithResidual_quantises_the_sum_and_keeps_the_exact_rest() =>
        Gen.Select(WireSamples.Vectors, Gen.UInt).Sample(
            static (values, seed) =>
            {
                var random = new Random((int)seed);
                var residual = values.Select(v => float.IsFinite(v) ? (float)(v * (random.NextDouble() - 0.5) / 64) : 0).ToArray();
                var sums = values.Zip(residual, static (v, r) => v + r).ToArray();
                var quantized = values.ToArray();
                BlockInt8.QuantizeWithResidual(quantized, residual);
                TreeSamples.AssertBits(WireSamples.Quantize(sums), quantized);
                for (var i = 0; i < sums.Length; i++)
                {
                    Assert.Equal(float.IsNaN(quantized[i]) ? 0 : sums[i] - (double)quantized[i], residual[i]);
                }
            },
            iter: 1000);

    [Fact]
    public void Encode_of_quantised_values_loses_nothing() =>
        WireSamples.Vectors.Sample(
            static values =>
            {
                BlockInt8.Quantize(values);
                var bytes = new byte[BlockInt8.EncodedBytes(values.Length)];
                BlockInt8.Encode(values, bytes);
                var decoded = new float[values.Length];
                BlockInt8.Decode(bytes, decoded);
                TreeSamples.AssertBits(values, decoded);
            },
            iter: 1000);

    [Fact]
    public void Encode_whole_blocks_are_encodings_of_their_own() =>
        WireSamples.Vectors.Where(static v => v.Length > 256).Sample(static values =>
        {
            BlockInt8.Quantize(values);
            var bytes = new byte[BlockInt8.EncodedBytes(values.Length)];
            BlockInt8.Encode(values, bytes);
            var rest = new float[values.Length - 256];
            BlockInt8.Decode(bytes.AsSpan(257), rest);
            TreeSamples.AssertBits(values.AsSpan(256), rest);
        });

    [Fact]
    public void TryEncode_says_whether_quantising_changes_a_bit() =>
        Gen.Select(WireSamples.Vectors, Gen.Int[0, 1100], Gen.Int[0, 31]).Sample(
            static (values, place, bit) =>
            {
                var bytes = new byte[BlockInt8.EncodedBytes(values.Length)];
                Check(values);
                BlockInt8.Quantize(values);
                Assert.True(BlockInt8.TryEncode(values, bytes));
                if (values.Length > 0)
                {
                    ref var value = ref values[place % values.Length];
                    value = BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(value) ^ (1 << bit));
                    Check(values);
                }

                void Check(float[] candidate)
                {
                    var expected = WireSamples.Quantize(candidate).Zip(candidate).All(static p => BitConverter.SingleToInt32Bits(p.First) == BitConverter.SingleToInt32Bits(p.Second));
                    Assert.Equal(expected, BlockInt8.TryEncode(candidate, bytes));
                }
            },
            iter: 1000);

    [Theory]
    [InlineData(127f, 127f)]
    [InlineData(127.49999f, 127f)]
    [InlineData(127.5f, 128f)]
    [InlineData(float.MaxValue, 3.3762391E+38f)]
    [InlineData(1e-45f, 0f)]
    [InlineData(5.877472E-39f, 0f)]
    [InlineData(5.8774732E-39f, 1.1754944E-38f)]
    public void Quantize_known_value(float value, float expected)
    {
        var values = new[] { value, -value };
        BlockInt8.Quantize(values);
        TreeSamples.AssertBits([expected, expected == 0 ? 0 : -expected], values);
    }

    [Fact]
    public void Quantize_block_with_an_infinity_becomes_NaN_and_its_neighbour_does_not()
    {
        var values = new float[600];
        values.AsSpan().Fill(1);
        values[300] = float.NegativeInfinity;
        BlockInt8.Quantize(values);
        Assert.All(values[..256], static v => Assert.Equal(1, v));
        Assert.All(values[256..512], static v => Assert.Equal(0x7FC0_0000, BitConverter.SingleToInt32Bits(v)));
        Assert.All(values[512..], static v => Assert.Equal(1, v));
    }

    [Fact]
    public void Encode_of_other_values_is_refused() =>
        Assert.Throws<ArgumentException>(() => BlockInt8.Encode([127, 0.5f], new byte[3]));

    [Theory]
    [InlineData(256, 257)]
    [InlineData(257, 259)]
    [InlineData(0, 0)]
    [InlineData(1, 2)]
    public void EncodedBytes_is_one_an_element_and_one_a_block(int count, int bytes) => Assert.Equal(bytes, BlockInt8.EncodedBytes(count));

    [Theory]
    [InlineData(0)]
    [InlineData(300)]
    [InlineData(303)]
    public void Decode_other_length_is_refused(int bytes) =>
        Assert.Throws<InvalidDataException>(() => BlockInt8.Decode(new byte[bytes], new float[300]));

    [Theory]
    [InlineData(249, 1)]
    [InlineData(254, 0)]
    [InlineData(100, 0x80)]
    public void Decode_bytes_that_are_never_written_are_refused(byte exponent, byte element) =>
        Assert.Throws<InvalidDataException>(() => BlockInt8.Decode([exponent, 1, element], new float[2]));
}
