using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using System.Security.Cryptography;
using ArmAes = System.Runtime.Intrinsics.Arm.Aes;

namespace Scissorhands.Messaging.Frames;

/// <summary>
/// Shortens a payload to a 32nd under a secret key, so that the message authentication code, which reads 5 to 8 GB/s, has less to
/// read. Each block of 1 KiB becomes two sums of carry-less products, the sum over its 16-byte words of (low + key) times
/// (high + key), one for each of two independent keys. For one key two different blocks meet with probability 2^-64 at
/// most (CLNH, Lemire and Kaser, "Faster 64-bit universal hashing using carry-less multiplications", 2016), for both 2^-128.
/// The sums are never shown: the code over them hides them, as in any Carter-Wegman construction. A payload's length has
/// to be authenticated beside it, since the last block is filled up with zeros.
/// </summary>
internal sealed class PayloadDigest
{
    /// <summary>Bytes of a block.</summary>
    internal const int BlockBytes = 1024;

    /// <summary>Bytes that a block becomes.</summary>
    internal const int DigestBytes = 32;

    private const int WordBytes = 16;
    private readonly byte[] _keys = GC.AllocateArray<byte>(2 * BlockBytes, pinned: true);

    /// <summary>Derives the keys.</summary>
    /// <param name="secret">At least 32 bytes that only the group knows.</param>
    internal PayloadDigest(ReadOnlySpan<byte> secret) => HKDF.Expand(HashAlgorithmName.SHA256, secret, _keys, "scissorhands payload digest"u8);

    /// <summary>Bytes of the digest of so many bytes.</summary>
    internal static int Bytes(int payload) => (int)(((long)payload + BlockBytes - 1) / BlockBytes) * DigestBytes;

    /// <summary>Computes the digest.</summary>
    /// <param name="payload">The payload.</param>
    /// <param name="digest">Receives <see cref="Bytes"/> bytes.</param>
    internal void Compute(ReadOnlySpan<byte> payload, Span<byte> digest)
    {
        while (payload.Length >= BlockBytes)
        {
            Block(payload[..BlockBytes], digest);
            payload = payload[BlockBytes..];
            digest = digest[DigestBytes..];
        }

        if (!payload.IsEmpty)
        {
            Span<byte> block = stackalloc byte[BlockBytes];
            block.Clear();
            payload.CopyTo(block);
            Block(block, digest);
        }
    }

    /// <summary>Forgets the keys.</summary>
    internal void Clear() => CryptographicOperations.ZeroMemory(_keys);

    /// <summary>The same by plain arithmetic: what the processor's instructions are compared with, and where it has none.</summary>
    internal void ComputePlainly(ReadOnlySpan<byte> block, Span<byte> digest)
    {
        for (var which = 0; which < 2; which++)
        {
            var (low, high) = (0UL, 0UL);
            var keys = MemoryMarshal.Cast<byte, ulong>(_keys.AsSpan(which * BlockBytes, BlockBytes));
            var words = MemoryMarshal.Cast<byte, ulong>(block);
            for (var i = 0; i < words.Length; i += 2)
            {
                var (a, b) = (words[i] ^ keys[i], words[i + 1] ^ keys[i + 1]);
                for (var bit = 0; bit < 64; bit++)
                {
                    var mask = 0 - ((b >> bit) & 1);
                    low ^= (a << bit) & mask;
                    high ^= bit == 0 ? 0 : (a >> (64 - bit)) & mask;
                }
            }

            MemoryMarshal.Write(digest[(which * WordBytes)..], low);
            MemoryMarshal.Write(digest[((which * WordBytes) + sizeof(ulong))..], high);
        }
    }

    private void Block(ReadOnlySpan<byte> block, Span<byte> digest)
    {
        ref var from = ref MemoryMarshal.GetReference(block);
        ref var keys = ref MemoryMarshal.GetArrayDataReference(_keys);
        Vector128<long> first, second;
        if (Pclmulqdq.V512.IsSupported)
        {
            var (a, b) = (Vector512<long>.Zero, Vector512<long>.Zero);
            for (var i = 0; i < BlockBytes; i += Vector512<byte>.Count)
            {
                var word = Load512(ref from, i);
                var x = word ^ Load512(ref keys, i);
                var y = word ^ Load512(ref keys, BlockBytes + i);
                a ^= Pclmulqdq.V512.CarrylessMultiply(x, x, 0x10);
                b ^= Pclmulqdq.V512.CarrylessMultiply(y, y, 0x10);
            }

            (first, second) = (Fold(a.GetLower() ^ a.GetUpper()), Fold(b.GetLower() ^ b.GetUpper()));
        }
        else if (Pclmulqdq.V256.IsSupported)
        {
            var (a, b) = (Vector256<long>.Zero, Vector256<long>.Zero);
            for (var i = 0; i < BlockBytes; i += Vector256<byte>.Count)
            {
                var word = Load256(ref from, i);
                var x = word ^ Load256(ref keys, i);
                var y = word ^ Load256(ref keys, BlockBytes + i);
                a ^= Pclmulqdq.V256.CarrylessMultiply(x, x, 0x10);
                b ^= Pclmulqdq.V256.CarrylessMultiply(y, y, 0x10);
            }

            (first, second) = (Fold(a), Fold(b));
        }
        else if (Pclmulqdq.IsSupported || ArmAes.IsSupported)
        {
            (first, second) = (Vector128<long>.Zero, Vector128<long>.Zero);
            for (var i = 0; i < BlockBytes; i += WordBytes)
            {
                var word = Load128(ref from, i);
                first ^= Product(word ^ Load128(ref keys, i));
                second ^= Product(word ^ Load128(ref keys, BlockBytes + i));
            }
        }
        else
        {
            ComputePlainly(block, digest);
            return;
        }

        first.AsByte().CopyTo(digest);
        second.AsByte().CopyTo(digest[WordBytes..]);
    }

    private static Vector128<long> Product(Vector128<long> word) => Pclmulqdq.IsSupported
        ? Pclmulqdq.CarrylessMultiply(word, word, 0x10)
        : ArmAes.PolynomialMultiplyWideningLower(word.GetLower(), word.GetUpper()).AsInt64();

    private static Vector128<long> Fold(Vector256<long> lanes) => lanes.GetLower() ^ lanes.GetUpper();

    private static Vector512<long> Load512(ref byte start, int offset) => Vector512.LoadUnsafe(ref start, (nuint)offset).AsInt64();

    private static Vector256<long> Load256(ref byte start, int offset) => Vector256.LoadUnsafe(ref start, (nuint)offset).AsInt64();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<long> Load128(ref byte start, int offset) => Vector128.LoadUnsafe(ref start, (nuint)offset).AsInt64();
}
