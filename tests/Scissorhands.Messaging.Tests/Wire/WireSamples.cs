using CsCheck;
using Scissorhands.Messaging.Wire;

namespace Scissorhands.Messaging.Tests.Wire;

/// <summary>Values at which rounding may go wrong, and obvious references in double precision.</summary>
internal static class WireSamples
{
    /// <summary>Fractions around ties of 7 and 8 bits, and the ends.</summary>
    private static readonly int[] Fractions = [0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF, 0x1_0000, 0x1_8000, 0x3F_FFFF, 0x40_0000, 0x7E_FFFF, 0x7F_0000, 0x7F_0001, 0x7F_7FFF, 0x7F_8000, 0x7F_FFFF];

    private static readonly float[] Specials = [0f, -0f, float.NaN, float.PositiveInfinity, float.NegativeInfinity, BitConverter.Int32BitsToSingle(0x7F80_0001)];

    /// <summary>Any bits at all, half of them special.</summary>
    internal static readonly Gen<float> AnyBits = Gen.OneOf(
        Gen.UInt.Select(BitConverter.UInt32BitsToSingle),
        Gen.Select(Gen.Int[0, 255], Gen.OneOfConst(Fractions), Gen.Bool).Select(static v => Of(v.Item1, v.Item2, v.Item3)),
        Gen.OneOfConst(Specials));

    /// <summary>Vectors of blocks whose exponents lie within a window anywhere in the range, few of them poisoned.</summary>
    internal static readonly Gen<float[]> Vectors =
        Gen.Select(Gen.OneOf(Gen.Int[0, 5], Gen.Int[250, 260], Gen.Int[0, 1100]), Gen.UInt).Select(static (length, seed) =>
        {
            var random = new Random((int)seed);
            var values = new float[length];
            var (highest, width, specials) = (0, 0, 0);
            for (var i = 0; i < length; i++)
            {
                if (i % BlockInt8.BlockElements == 0)
                {
                    highest = random.Next(4) switch { 0 => random.Next(0, 16), 1 => random.Next(240, 255), _ => random.Next(0, 255) };
                    width = random.Next(0, 20);
                    specials = random.Next(6) == 0 ? 1 : 0;
                }

                values[i] = random.Next(8) switch
                {
                    0 => 0f,
                    1 => -0f,
                    2 when specials > 0 && random.Next(20) == 0 => Specials[random.Next(2, Specials.Length)],
                    3 => Of(Math.Max(0, highest - random.Next(width + 1)), Fractions[random.Next(Fractions.Length)], random.Next(2) == 0),
                    _ => Of(Math.Max(0, highest - random.Next(width + 1)), random.Next(1 << 23), random.Next(2) == 0),
                };
            }

            return values;
        });

    internal static float Of(int exponent, int fraction, bool negative) =>
        BitConverter.Int32BitsToSingle((negative ? int.MinValue : 0) | (exponent << 23) | fraction);

    /// <summary>The nearer of the two bfloat16 numbers around a value.</summary>
    internal static float Round(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value))
        {
            return BitConverter.UInt32BitsToSingle((bits & 0xFFFF_0000) | 0x0040_0000);
        }

        if (float.IsInfinity(value))
        {
            return value;
        }

        var below = BitConverter.UInt32BitsToSingle(bits & 0xFFFF_0000);
        var above = BitConverter.UInt32BitsToSingle((bits & 0xFFFF_0000) + 0x1_0000);
        double Distance(float to) => Math.Abs((float.IsInfinity(to) ? Math.CopySign(Math.Pow(2, 128), to) : to) - (double)value);
        var isEven = (bits & 0x1_0000) == 0;
        return Distance(below) < Distance(above) || (Distance(below) == Distance(above) && isEven) ? below : above;
    }

    /// <summary>The definition of block quantisation, word by word.</summary>
    internal static float[] Quantize(float[] values)
    {
        var result = new float[values.Length];
        for (var start = 0; start < values.Length; start += 256)
        {
            var block = values.AsSpan(start, Math.Min(256, values.Length - start)).ToArray();
            if (block.Any(static v => !float.IsFinite(v)))
            {
                result.AsSpan(start, block.Length).Fill(BitConverter.Int32BitsToSingle(0x7FC0_0000));
                continue;
            }

            var largest = block.Max(static v => Math.Abs((double)v));
            var e = -126;
            while (e < 121 && Math.Round(largest / Math.Pow(2, e), MidpointRounding.ToEven) > 127)
            {
                e++;
            }

            var scale = Math.Pow(2, e);
            for (var i = 0; i < block.Length; i++)
            {
                var q = (int)Math.Clamp(Math.Round(block[i] / scale, MidpointRounding.ToEven), -127, 127);
                var quantized = q * scale;
                result[start + i] = (float)quantized;
                Assert.Equal(quantized, result[start + i]);
            }
        }

        return result;
    }
}
