using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Scissorhands.Planning.Randomness;

/// <summary>
/// A stream of random numbers named by what it is for. The same (seed, purpose, name, indices) gives the same numbers on
/// every machine; streams of different names are independent. Element i of a stream can be read directly.
/// </summary>
public readonly struct RandomStream
{
    private readonly ulong _key;
    private readonly ulong _high;

    private RandomStream(ulong key, ulong high)
    {
        _key = key;
        _high = high;
    }

    /// <summary>Names a stream.</summary>
    /// <param name="seed">The run's seed.</param>
    /// <param name="purpose">What the numbers are for, one of <see cref="RandomPurpose"/>.</param>
    /// <param name="name">A parameter name or sample id; empty where none applies.</param>
    /// <param name="first">First index, an epoch for instance.</param>
    /// <param name="second">Second index, a step for instance.</param>
    /// <param name="third">Third index, a slice for instance.</param>
    /// <returns>The stream.</returns>
    public static RandomStream Create(long seed, string purpose, string name = "", long first = 0, long second = 0, long third = 0)
    {
        ArgumentNullException.ThrowIfNull(purpose);
        ArgumentNullException.ThrowIfNull(name);
        var purposeLength = Encoding.UTF8.GetByteCount(purpose);
        var nameLength = Encoding.UTF8.GetByteCount(name);
        var total = 40 + purposeLength + nameLength;
        Span<byte> text = total <= 512 ? stackalloc byte[total] : new byte[total];
        BinaryPrimitives.WriteInt64LittleEndian(text, seed);
        BinaryPrimitives.WriteInt64LittleEndian(text[8..], first);
        BinaryPrimitives.WriteInt64LittleEndian(text[16..], second);
        BinaryPrimitives.WriteInt64LittleEndian(text[24..], third);
        BinaryPrimitives.WriteInt64LittleEndian(text[32..], purposeLength);
        Encoding.UTF8.GetBytes(purpose, text[40..]);
        Encoding.UTF8.GetBytes(name, text[(40 + purposeLength)..]);
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(text, hash);
        return new RandomStream(BinaryPrimitives.ReadUInt64LittleEndian(hash), BinaryPrimitives.ReadUInt64LittleEndian(hash[8..]));
    }

    /// <summary>The 32 random bits at a position.</summary>
    /// <param name="index">Position in the stream.</param>
    /// <returns>The bits.</returns>
    public uint Bits(ulong index)
    {
        var (x0, x1, x2, x3) = Philox.Block(_key, index >> 2, _high);
        return (index & 3) switch { 0 => x0, 1 => x1, 2 => x2, _ => x3 };
    }

    /// <summary>Four consecutive 32-bit words: those at positions 4 * <paramref name="block"/> and after.</summary>
    /// <param name="block">Index of the block of four.</param>
    /// <returns>The words.</returns>
    public (uint X0, uint X1, uint X2, uint X3) Block(ulong block) => Philox.Block(_key, block, _high);

    /// <summary>A uniform number in [0,1) with 24 random bits, exact in float32.</summary>
    /// <param name="index">Position in the stream.</param>
    /// <returns>The number.</returns>
    public float UniformSingle(ulong index) => (Bits(index) >> 8) * (1f / 16777216f);

    /// <summary>A uniform integer in [0, <paramref name="bound"/>).</summary>
    /// <param name="index">Position in the stream.</param>
    /// <param name="bound">Exclusive upper bound, at least 1.</param>
    /// <returns>The integer; the bias is below bound / 2^64.</returns>
    public int Below(ulong index, int bound)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bound);
        var (x0, x1, _, _) = Philox.Block(_key, index, ~_high);
        return (int)Math.BigMul(((ulong)x1 << 32) | x0, (ulong)bound, out _);
    }

    /// <summary>Shuffles in place (Fisher-Yates), the same way everywhere.</summary>
    /// <typeparam name="T">Element type.</typeparam>
    /// <param name="items">What is shuffled.</param>
    public void Shuffle<T>(Span<T> items)
    {
        for (var last = items.Length - 1; last > 0; last--)
        {
            var other = Below((ulong)last, last + 1);
            (items[last], items[other]) = (items[other], items[last]);
        }
    }
}
