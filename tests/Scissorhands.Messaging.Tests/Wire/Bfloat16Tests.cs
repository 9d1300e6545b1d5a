using System.Buffers.Binary;
using CsCheck;
using Scissorhands.Messaging.Tests.Collectives;
using Scissorhands.Messaging.Wire;

namespace Scissorhands.Messaging.Tests.Wire;

public sealed class Bfloat16Tests
{
    [Fact]
    public void Round_any_bits_gives_the_nearest_with_ties_to_even() =>
        WireSamples.AnyBits.Array[0, 70].Sample(static values =>
        {
            var rounded = values.ToArray();
            Bfloat16.Round(rounded);
            TreeSamples.AssertBits(values.Select(WireSamples.Round).ToArray(), rounded);
            var again = new float[values.Length];
            Bfloat16.Round(rounded, again);
            TreeSamples.AssertBits(rounded, again);
        });

    [Fact]
    public void Round_every_upper_half_stays_but_for_signalling_NaN()
    {
        var values = Enumerable.Range(0, 1 << 16).Select(static half => BitConverter.Int32BitsToSingle(half << 16)).ToArray();
        var rounded = values.ToArray();
        Bfloat16.Round(rounded);
        for (var i = 0; i < values.Length; i++)
        {
            var expected = float.IsNaN(values[i]) ? (i << 16) | 0x0040_0000 : i << 16;
            Assert.Equal(expected, BitConverter.SingleToInt32Bits(rounded[i]));
        }
    }

    [Theory]
    [InlineData(0x7F7F_8000u, 0x7F80_0000u)]
    [InlineData(0x7F7F_7FFFu, 0x7F7F_0000u)]
    [InlineData(0xFF7F_FFFFu, 0xFF80_0000u)]
    [InlineData(0x7F80_0001u, 0x7FC0_0000u)]
    [InlineData(0xFFFF_FFFFu, 0xFFFF_0000u)]
    [InlineData(0x0000_8001u, 0x0001_0000u)]
    [InlineData(0x8000_8000u, 0x8000_0000u)]
    [InlineData(0x3F80_8000u, 0x3F80_0000u)]
    [InlineData(0x3F81_8000u, 0x3F82_0000u)]
    public void Round_known_value(uint bits, uint expected)
    {
        var values = new float[19];
        Array.Fill(values, BitConverter.UInt32BitsToSingle(bits));
        Bfloat16.Round(values);
        Assert.All(values, v => Assert.Equal(expected, BitConverter.SingleToUInt32Bits(v)));
    }

    [Fact]
    public void Encode_is_the_upper_half_of_the_rounded_value_and_Decode_gives_it_back() =>
        WireSamples.AnyBits.Array[0, 70].Sample(static values =>
        {
            var bytes = new byte[Bfloat16.EncodedBytes(values.Length)];
            Bfloat16.Encode(values, bytes);
            var rounded = values.ToArray();
            Bfloat16.Round(rounded);
            for (var i = 0; i < values.Length; i++)
            {
                Assert.Equal(BitConverter.SingleToUInt32Bits(rounded[i]) >> 16, BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(2 * i)));
            }

            var decoded = new float[values.Length];
            Bfloat16.Decode(bytes, decoded);
            TreeSamples.AssertBits(rounded, decoded);
        });

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(7)]
    public void Decode_other_length_is_refused(int bytes) =>
        Assert.Throws<InvalidDataException>(() => Bfloat16.Decode(new byte[bytes], new float[3]));
}
