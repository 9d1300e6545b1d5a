using System.Numerics;
using System.Runtime.InteropServices;

namespace Scissorhands.Messaging.Wire;

/// <summary>
/// Quantisation to signed bytes with one scale a block of <see cref="BlockElements"/> consecutive elements, counted from the
/// vector's start. The scale is a power of two, 2^e with the least e in [-126, 121] for which the block's largest magnitude
/// divided by 2^e rounds to at most 127 (ties to even); an element v becomes q * 2^e with q = v / 2^e rounded likewise.
/// A power of two makes q * 2^e exact, and the block's scale can be read off the result: quantising what is quantised
/// changes nothing and encoding it loses nothing.
/// <list type="bullet">
/// <item>Elements up to half of the scale, which is at least 2^-126, become +0; results are never subnormal and never -0.</item>
/// <item>From 127.5 * 2^121 on, where no scale is large enough to stay finite, q is held at 127.</item>
/// <item>A block with an infinity or a NaN is poisoned: all of its elements become NaN (bits 7FC00000), so that a diverging
/// sum shows.</item>
/// </list>
/// Every finite result is a bfloat16 as well: 7 bits of fraction and an exponent within the normal range.
/// </summary>
public static class BlockInt8
{
    /// <summary>Elements of a block.</summary>
    public const int BlockElements = 256;

    /// <summary>Largest magnitude of an encoded element.</summary>
    private const int Largest = 127;

    /// <summary>Exponent byte of a poisoned block; that of any other is the float32 exponent field of its scale, 0 for zeros.</summary>
    private const int Poisoned = 0xFF;

    /// <summary>Exponent field of 2^-126, the least normal number.</summary>
    private const int LeastScale = 1;

    /// <summary>Exponent field of 2^121: 127 times it is finite, 127 times the next is not.</summary>
    private const int GreatestScale = 248;

    private const int FractionBits = 23;
    private const int Magnitude = 0x7FFF_FFFF;
    private const int Infinity = 0x7F80_0000;
    private const int NotANumber = 0x7FC0_0000;

    /// <summary>Adding and subtracting it rounds to integers, ties to even; what rounds to 0 becomes +0.</summary>
    private const float RoundToInteger = 12_582_912;

    /// <summary>Bytes of an encoded vector.</summary>
    /// <param name="count">Elements.</param>
    /// <returns>One byte an element and one a block, the last of which may be short.</returns>
    public static int EncodedBytes(int count) => checked(count + (int)(((long)count + BlockElements - 1) / BlockElements));

    /// <summary>Quantises in place.</summary>
    /// <param name="values">Elements from a block's first one on.</param>
    public static void Quantize(Span<float> values) => Quantize(values, values);

    /// <summary>Quantises into other memory.</summary>
    /// <param name="source">Elements from a block's first one on.</param>
    /// <param name="destination">Receives them; of equal length, and either the same memory or none of it.</param>
    public static void Quantize(ReadOnlySpan<float> source, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, source.Length);
        var start = 0;
        for (; start <= source.Length - BlockElements; start += BlockElements)
        {
            QuantizeBlock(source.Slice(start, BlockElements), destination.Slice(start, BlockElements));
        }

        if (start < source.Length)
        {
            // Zeros change nothing of a block, so a short one needs no code of its own.
            Span<float> block = stackalloc float[BlockElements];
            block.Clear();
            source[start..].CopyTo(block);
            QuantizeBlock(block, block);
            block[..(source.Length - start)].CopyTo(destination[start..]);
        }
    }

    /// <summary>Adds what was lost before, quantises, and keeps what is lost now.</summary>
    /// <param name="values">Elements from a block's first one on; become the quantised sum of values and residual.</param>
    /// <param name="residual">Of equal length; becomes the exact difference, and 0 throughout a poisoned block.</param>
    public static void QuantizeWithResidual(Span<float> values, Span<float> residual)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(residual.Length, values.Length);
        var start = 0;
        for (; start <= values.Length - BlockElements; start += BlockElements)
        {
            QuantizeBlockWithResidual(values.Slice(start, BlockElements), residual.Slice(start, BlockElements));
        }

        if (start < values.Length)
        {
            Span<float> block = stackalloc float[BlockElements];
            Span<float> lost = stackalloc float[BlockElements];
            block.Clear();
            lost.Clear();
            values[start..].CopyTo(block);
            residual[start..].CopyTo(lost);
            QuantizeBlockWithResidual(block, lost);
            block[..(values.Length - start)].CopyTo(values[start..]);
            lost[..(values.Length - start)].CopyTo(residual[start..]);
        }
    }

    /// <summary>
    /// Encodes quantised values: for each block its exponent byte and then one signed byte an element, so that any run of
    /// whole blocks is the encoding of its elements.
    /// </summary>
    /// <param name="source">Quantised elements from a block's first one on.</param>
    /// <param name="destination">Receives <see cref="EncodedBytes"/> bytes.</param>
    /// <exception cref="ArgumentException">A value is not what quantisation leaves.</exception>
    public static void Encode(ReadOnlySpan<float> source, Span<byte> destination)
    {
        if (!TryEncode(source, destination))
        {
            throw new ArgumentException("The values are not quantised.", nameof(source));
        }
    }

    /// <summary>Quantises and encodes at once.</summary>
    /// <param name="source">Elements from a block's first one on.</param>
    /// <param name="destination">Receives <see cref="EncodedBytes"/> bytes.</param>
    public static void QuantizeAndEncode(ReadOnlySpan<float> source, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, EncodedBytes(source.Length));
        var at = 0;
        var start = 0;
        for (; start <= source.Length - BlockElements; start += BlockElements, at += BlockElements + 1)
        {
            QuantizeAndEncodeBlock(source.Slice(start, BlockElements), out destination[at], MemoryMarshal.Cast<byte, sbyte>(destination.Slice(at + 1, BlockElements)));
        }

        if (start < source.Length)
        {
            Span<float> block = stackalloc float[BlockElements];
            Span<sbyte> codes = stackalloc sbyte[BlockElements];
            block.Clear();
            source[start..].CopyTo(block);
            QuantizeAndEncodeBlock(block, out destination[at], codes);
            MemoryMarshal.AsBytes(codes[..(source.Length - start)]).CopyTo(destination[(at + 1)..]);
        }
    }

    /// <summary>Encodes values if <see cref="Decode"/> gives back their bits.</summary>
    /// <param name="source">Elements from a block's first one on.</param>
    /// <param name="destination">Receives <see cref="EncodedBytes"/> bytes; of arbitrary content where that is impossible.</param>
    /// <returns>False where quantising would change a bit of the values.</returns>
    public static bool TryEncode(ReadOnlySpan<float> source, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, EncodedBytes(source.Length));
        var at = 0;
        var start = 0;
        Span<sbyte> codes = stackalloc sbyte[BlockElements];
        for (; start <= source.Length - BlockElements; start += BlockElements, at += BlockElements + 1)
        {
            if (!TryEncodeBlock(source.Slice(start, BlockElements), out destination[at], MemoryMarshal.Cast<byte, sbyte>(destination.Slice(at + 1, BlockElements))))
            {
                return false;
            }
        }

        if (start < source.Length)
        {
            Span<float> block = stackalloc float[BlockElements];
            var rest = source[start..];
            rest.CopyTo(block);

            // A copy of the last element is representable if it is, and poisoned if the block is.
            block[rest.Length..].Fill(rest[^1]);
            if (!TryEncodeBlock(block, out destination[at], codes))
            {
                return false;
            }

            MemoryMarshal.AsBytes(codes[..rest.Length]).CopyTo(destination[(at + 1)..]);
        }

        return true;
    }

    /// <summary>Decodes.</summary>
    /// <param name="source">What <see cref="Encode"/> wrote.</param>
    /// <param name="destination">Receives the values.</param>
    /// <exception cref="InvalidDataException">The source is longer or shorter than so many values, or holds bytes that are never written.</exception>
    public static void Decode(ReadOnlySpan<byte> source, Span<float> destination)
    {
        if (source.Length != EncodedBytes(destination.Length))
        {
            throw new InvalidDataException($"{source.Length} bytes are not {destination.Length} values in blocks of {BlockElements}.");
        }

        var at = 0;
        var start = 0;
        for (; start <= destination.Length - BlockElements; start += BlockElements, at += BlockElements + 1)
        {
            DecodeBlock(source[at], MemoryMarshal.Cast<byte, sbyte>(source.Slice(at + 1, BlockElements)), destination.Slice(start, BlockElements));
        }

        if (start < destination.Length)
        {
            Span<sbyte> codes = stackalloc sbyte[BlockElements];
            Span<float> block = stackalloc float[BlockElements];
            codes.Clear();
            source[(at + 1)..].CopyTo(MemoryMarshal.AsBytes(codes));
            DecodeBlock(source[at], codes, block);
            block[..(destination.Length - start)].CopyTo(destination[start..]);
        }
    }

    private static void QuantizeBlock(ReadOnlySpan<float> source, Span<float> destination)
    {
        ref var from = ref MemoryMarshal.GetReference(source);
        ref var to = ref MemoryMarshal.GetReference(destination);
        var largest = Vector<int>.Zero;
        for (var i = 0; i < BlockElements; i += Vector<float>.Count)
        {
            largest = Vector.Max(largest, MagnitudeBits(Vector.LoadUnsafe(ref from, (nuint)i)));
        }

        if (!TryScale(largest, out var field))
        {
            destination.Fill(BitConverter.Int32BitsToSingle(NotANumber));
            return;
        }

        var (scale, inverse) = Scale(field);
        for (var i = 0; i < BlockElements; i += Vector<float>.Count)
        {
            (Codes(Vector.LoadUnsafe(ref from, (nuint)i), inverse) * scale).StoreUnsafe(ref to, (nuint)i);
        }
    }

    private static void QuantizeBlockWithResidual(Span<float> values, Span<float> residual)
    {
        ref var value = ref MemoryMarshal.GetReference(values);
        ref var lost = ref MemoryMarshal.GetReference(residual);
        var largest = Vector<int>.Zero;
        for (var i = 0; i < BlockElements; i += Vector<float>.Count)
        {
            var sum = Vector.LoadUnsafe(ref value, (nuint)i) + Vector.LoadUnsafe(ref lost, (nuint)i);
            sum.StoreUnsafe(ref lost, (nuint)i);
            largest = Vector.Max(largest, MagnitudeBits(sum));
        }

        if (!TryScale(largest, out var field))
        {
            values.Fill(BitConverter.Int32BitsToSingle(NotANumber));
            residual.Clear();
            return;
        }

        var (scale, inverse) = Scale(field);
        for (var i = 0; i < BlockElements; i += Vector<float>.Count)
        {
            var sum = Vector.LoadUnsafe(ref lost, (nuint)i);
            var quantized = Codes(sum, inverse) * scale;
            quantized.StoreUnsafe(ref value, (nuint)i);
            (sum - quantized).StoreUnsafe(ref lost, (nuint)i);
        }
    }

    private static void QuantizeAndEncodeBlock(ReadOnlySpan<float> source, out byte exponent, Span<sbyte> codes)
    {
        ref var from = ref MemoryMarshal.GetReference(source);
        ref var to = ref MemoryMarshal.GetReference(codes);
        var largest = Vector<int>.Zero;
        for (var i = 0; i < BlockElements; i += Vector<float>.Count)
        {
            largest = Vector.Max(largest, MagnitudeBits(Vector.LoadUnsafe(ref from, (nuint)i)));
        }

        if (!TryScale(largest, out var field))
        {
            exponent = Poisoned;
            codes.Clear();
            return;
        }

        exponent = (byte)field;
        var (_, inverse) = Scale(field);
        for (var i = 0; i < BlockElements; i += Vector<sbyte>.Count)
        {
            var a = Vector.ConvertToInt32Native(Codes(Vector.LoadUnsafe(ref from, (nuint)i), inverse));
            var b = Vector.ConvertToInt32Native(Codes(Vector.LoadUnsafe(ref from, (nuint)(i + Vector<int>.Count)), inverse));
            var c = Vector.ConvertToInt32Native(Codes(Vector.LoadUnsafe(ref from, (nuint)(i + (2 * Vector<int>.Count))), inverse));
            var d = Vector.ConvertToInt32Native(Codes(Vector.LoadUnsafe(ref from, (nuint)(i + (3 * Vector<int>.Count))), inverse));
            Vector.Narrow(Vector.Narrow(a, b), Vector.Narrow(c, d)).StoreUnsafe(ref to, (nuint)i);
        }
    }

    private static bool TryEncodeBlock(ReadOnlySpan<float> source, out byte exponent, Span<sbyte> codes)
    {
        ref var from = ref MemoryMarshal.GetReference(source);
        ref var to = ref MemoryMarshal.GetReference(codes);
        var largest = Vector<int>.Zero;
        for (var i = 0; i < BlockElements; i += Vector<float>.Count)
        {
            largest = Vector.Max(largest, MagnitudeBits(Vector.LoadUnsafe(ref from, (nuint)i)));
        }

        if (!TryScale(largest, out var field))
        {
            exponent = Poisoned;
            codes.Clear();
            return !MemoryMarshal.Cast<float, int>(source).ContainsAnyExcept(NotANumber);
        }

        exponent = (byte)field;
        var (scale, inverse) = Scale(field);
        var changed = Vector<int>.Zero;
        for (var i = 0; i < BlockElements; i += Vector<sbyte>.Count)
        {
            var a = CodesAt(ref from, i, scale, inverse, ref changed);
            var b = CodesAt(ref from, i + Vector<int>.Count, scale, inverse, ref changed);
            var c = CodesAt(ref from, i + (2 * Vector<int>.Count), scale, inverse, ref changed);
            var d = CodesAt(ref from, i + (3 * Vector<int>.Count), scale, inverse, ref changed);
            Vector.Narrow(Vector.Narrow(a, b), Vector.Narrow(c, d)).StoreUnsafe(ref to, (nuint)i);
        }

        return changed == Vector<int>.Zero;
    }

    private static Vector<int> CodesAt(ref float from, int index, Vector<float> scale, Vector<float> inverse, ref Vector<int> changed)
    {
        var value = Vector.LoadUnsafe(ref from, (nuint)index);
        var codes = Codes(value, inverse);
        changed |= value.As<float, int>() ^ (codes * scale).As<float, int>();
        return Vector.ConvertToInt32Native(codes);
    }

    private static void DecodeBlock(byte exponent, ReadOnlySpan<sbyte> codes, Span<float> destination)
    {
        if (exponent == Poisoned)
        {
            destination.Fill(BitConverter.Int32BitsToSingle(NotANumber));
            return;
        }

        if (exponent > GreatestScale || codes.Contains(sbyte.MinValue))
        {
            throw new InvalidDataException($"A block with exponent byte {exponent} holds bytes that no encoder writes.");
        }

        ref var from = ref MemoryMarshal.GetReference(codes);
        ref var to = ref MemoryMarshal.GetReference(destination);
        var (scale, _) = Scale(exponent);
        for (var i = 0; i < BlockElements; i += Vector<sbyte>.Count)
        {
            Vector.Widen(Vector.LoadUnsafe(ref from, (nuint)i), out var lower, out var upper);
            Vector.Widen(lower, out var a, out var b);
            Vector.Widen(upper, out var c, out var d);
            (Vector.ConvertToSingle(a) * scale).StoreUnsafe(ref to, (nuint)i);
            (Vector.ConvertToSingle(b) * scale).StoreUnsafe(ref to, (nuint)(i + Vector<float>.Count));
            (Vector.ConvertToSingle(c) * scale).StoreUnsafe(ref to, (nuint)(i + (2 * Vector<float>.Count)));
            (Vector.ConvertToSingle(d) * scale).StoreUnsafe(ref to, (nuint)(i + (3 * Vector<float>.Count)));
        }
    }

    /// <summary>Bits without the sign: ordered as the magnitudes are, infinities and NaN above all numbers.</summary>
    private static Vector<int> MagnitudeBits(Vector<float> values) => values.As<float, int>() & new Vector<int>(Magnitude);

    /// <summary>The exponent field of a block's scale; 0 for a block of zeros. False where the block is poisoned.</summary>
    private static bool TryScale(Vector<int> largest, out int field)
    {
        var bits = 0;
        for (var lane = 0; lane < Vector<int>.Count; lane++)
        {
            bits = Math.Max(bits, largest[lane]);
        }

        // 2^6 times the scale has the largest value's exponent, or the next one where the value is at least 127.5 of its
        // 128ths: the fraction from there on is carried into the exponent.
        const int Carry = 1 << (FractionBits - 7);
        field = bits == 0 ? 0 : Math.Clamp(((bits + Carry) >> FractionBits) - 6, LeastScale, GreatestScale);
        return bits < Infinity;
    }

    private static (Vector<float> Scale, Vector<float> Inverse) Scale(int field) =>
        field == 0
            ? (Vector<float>.Zero, Vector<float>.Zero)
            : (new Vector<float>(BitConverter.Int32BitsToSingle(field << FractionBits)),
                new Vector<float>(BitConverter.Int32BitsToSingle((254 - field) << FractionBits)));

    /// <summary>The elements over the scale, rounded, as floats.</summary>
    private static Vector<float> Codes(Vector<float> values, Vector<float> inverse)
    {
        var magic = new Vector<float>(RoundToInteger);
        var rounded = (values * inverse) + magic - magic;
        return Vector.MinNative(Vector.MaxNative(rounded, new Vector<float>(-Largest)), new Vector<float>(Largest));
    }
}
