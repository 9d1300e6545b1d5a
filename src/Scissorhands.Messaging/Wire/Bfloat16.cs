using System.Numerics;
using System.Runtime.InteropServices;

namespace Scissorhands.Messaging.Wire;

/// <summary>
/// The bfloat16 format: the upper half of a float32, that is its sign, its exponent and 7 bits of its fraction. Values are
/// rounded to nearest, ties to even, and held as float32. Subnormal numbers are kept, what exceeds the largest number
/// becomes infinite, infinities stay, and a NaN stays a quiet NaN of the same sign. Rounding what is rounded changes nothing.
/// </summary>
public static class Bfloat16
{
    private const int UpperHalf = unchecked((int)0xFFFF_0000);
    private const int Magnitude = 0x7FFF_FFFF;
    private const int Infinity = 0x7F80_0000;
    private const int QuietBit = 0x0040_0000;
    private const int AlmostHalf = 0x7FFF;

    /// <summary>Bytes of an encoded vector.</summary>
    /// <param name="count">Elements.</param>
    /// <returns>Two bytes an element.</returns>
    public static int EncodedBytes(int count) => checked(count * sizeof(ushort));

    /// <summary>Rounds in place.</summary>
    /// <param name="values">The values.</param>
    public static void Round(Span<float> values) => Round(values, values);

    /// <summary>Rounds into other memory.</summary>
    /// <param name="source">The values.</param>
    /// <param name="destination">Receives them; of equal length, and either the same memory or none of it.</param>
    public static void Round(ReadOnlySpan<float> source, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, source.Length);
        ref var from = ref MemoryMarshal.GetReference(MemoryMarshal.Cast<float, int>(source));
        ref var to = ref MemoryMarshal.GetReference(MemoryMarshal.Cast<float, int>(destination));
        var i = 0;
        for (; i <= source.Length - Vector<int>.Count; i += Vector<int>.Count)
        {
            RoundBits(Vector.LoadUnsafe(ref from, (nuint)i)).StoreUnsafe(ref to, (nuint)i);
        }

        for (; i < source.Length; i++)
        {
            destination[i] = BitConverter.Int32BitsToSingle(RoundBits(BitConverter.SingleToInt32Bits(source[i])));
        }
    }

    /// <summary>Rounds and packs into little-endian bytes.</summary>
    /// <param name="source">The values, rounded or not.</param>
    /// <param name="destination">Receives <see cref="EncodedBytes"/> bytes.</param>
    public static void Encode(ReadOnlySpan<float> source, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, EncodedBytes(source.Length));
        ref var from = ref MemoryMarshal.GetReference(MemoryMarshal.Cast<float, int>(source));
        var halves = MemoryMarshal.Cast<byte, ushort>(destination);
        ref var to = ref MemoryMarshal.GetReference(halves);
        var i = 0;
        for (; i <= source.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            var lower = RoundBits(Vector.LoadUnsafe(ref from, (nuint)i));
            var upper = RoundBits(Vector.LoadUnsafe(ref from, (nuint)(i + Vector<int>.Count)));
            Vector.Narrow(Vector.ShiftRightLogical(lower, 16).As<int, uint>(), Vector.ShiftRightLogical(upper, 16).As<int, uint>())
                .StoreUnsafe(ref to, (nuint)i);
        }

        for (; i < source.Length; i++)
        {
            halves[i] = (ushort)(RoundBits(BitConverter.SingleToInt32Bits(source[i])) >>> 16);
        }
    }

    /// <summary>Unpacks.</summary>
    /// <param name="source">What <see cref="Encode"/> wrote.</param>
    /// <param name="destination">Receives the values.</param>
    /// <exception cref="InvalidDataException">The source is longer or shorter than so many values.</exception>
    public static void Decode(ReadOnlySpan<byte> source, Span<float> destination)
    {
        if (source.Length != EncodedBytes(destination.Length))
        {
            throw new InvalidDataException($"{source.Length} bytes are not {destination.Length} bfloat16 values.");
        }

        var halves = MemoryMarshal.Cast<byte, ushort>(source);
        ref var from = ref MemoryMarshal.GetReference(halves);
        ref var to = ref MemoryMarshal.GetReference(MemoryMarshal.Cast<float, uint>(destination));
        var i = 0;
        for (; i <= destination.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector.Widen(Vector.LoadUnsafe(ref from, (nuint)i), out var lower, out var upper);
            Vector.ShiftLeft(lower, 16).StoreUnsafe(ref to, (nuint)i);
            Vector.ShiftLeft(upper, 16).StoreUnsafe(ref to, (nuint)(i + Vector<uint>.Count));
        }

        for (; i < destination.Length; i++)
        {
            destination[i] = BitConverter.Int32BitsToSingle(halves[i] << 16);
        }
    }

    private static Vector<int> RoundBits(Vector<int> bits)
    {
        var odd = Vector.ShiftRightLogical(bits, 16) & Vector<int>.One;
        var rounded = (bits + odd + new Vector<int>(AlmostHalf)) & new Vector<int>(UpperHalf);

        // Rounding could carry a NaN's fraction away and leave an infinity or the other sign's zero.
        var isNan = Vector.GreaterThan(bits & new Vector<int>(Magnitude), new Vector<int>(Infinity));
        return Vector.ConditionalSelect(isNan, (bits & new Vector<int>(UpperHalf)) | new Vector<int>(QuietBit), rounded);
    }

    private static int RoundBits(int bits) =>
        (bits & Magnitude) > Infinity
            ? (bits & UpperHalf) | QuietBit
            : unchecked(bits + ((bits >>> 16) & 1) + AlmostHalf) & UpperHalf;
}
