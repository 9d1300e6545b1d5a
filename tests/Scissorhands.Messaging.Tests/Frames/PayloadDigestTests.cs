using System.Numerics;
using CsCheck;
using Scissorhands.Messaging.Frames;

namespace Scissorhands.Messaging.Tests.Frames;

public sealed class PayloadDigestTests
{
    private static readonly byte[] Secret = [.. Enumerable.Range(0, 32).Select(static i => (byte)(i * 7))];

    [Fact]
    public void Compute_anyPayload_isThePlainArithmetic() =>
        Gen.Byte.Array[0, 5000].Sample(payload =>
        {
            var digest = new PayloadDigest(Secret);
            var fast = new byte[PayloadDigest.Bytes(payload.Length)];
            digest.Compute(payload, fast);
            var plain = new byte[fast.Length];
            var padded = new byte[(payload.Length + PayloadDigest.BlockBytes - 1) / PayloadDigest.BlockBytes * PayloadDigest.BlockBytes];
            payload.CopyTo(padded, 0);
            for (var block = 0; block < padded.Length / PayloadDigest.BlockBytes; block++)
            {
                digest.ComputePlainly(padded.AsSpan(block * PayloadDigest.BlockBytes, PayloadDigest.BlockBytes), plain.AsSpan(block * PayloadDigest.DigestBytes));
            }

            Assert.Equal(plain, fast);
        });

    [Fact]
    public void ComputePlainly_twoBlocks_differByTheProductsOfPolynomials()
    {
        // All words but one are equal in both blocks and fall out of the difference of the sums.
        var digest = new PayloadDigest(Secret);
        var first = new byte[PayloadDigest.BlockBytes];
        new Random(3).NextBytes(first);
        byte[] second = [.. first];
        second[100] ^= 5;
        var (a, b) = (Sums(digest, first), Sums(digest, second));
        var keys = new byte[2 * PayloadDigest.BlockBytes];
        System.Security.Cryptography.HKDF.Expand(System.Security.Cryptography.HashAlgorithmName.SHA256, Secret, keys, "scissorhands payload digest"u8);
        for (var which = 0; which < 2; which++)
        {
            Assert.Equal(Product(first, keys.AsSpan(which * PayloadDigest.BlockBytes)) ^ Product(second, keys.AsSpan(which * PayloadDigest.BlockBytes)), a[which] ^ b[which]);
        }
    }

    [Fact]
    public void Compute_oneBitFlipped_differs() =>
        Gen.Select(Gen.Byte.Array[1, 3000], Gen.Int[0, 1_000_000]).Sample((payload, at) =>
        {
            var digest = new PayloadDigest(Secret);
            var before = new byte[PayloadDigest.Bytes(payload.Length)];
            digest.Compute(payload, before);
            payload[at / 8 % payload.Length] ^= (byte)(1 << (at % 8));
            var after = new byte[before.Length];
            digest.Compute(payload, after);
            Assert.NotEqual(before, after);
        });

    private static BigInteger[] Sums(PayloadDigest digest, byte[] block)
    {
        var sums = new byte[PayloadDigest.DigestBytes];
        digest.ComputePlainly(block, sums);
        return [new BigInteger(sums.AsSpan(0, 16), isUnsigned: true), new BigInteger(sums.AsSpan(16), isUnsigned: true)];
    }

    // The product over GF(2) of the halves of the word that byte 100 lies in.
    private static BigInteger Product(byte[] block, ReadOnlySpan<byte> keys)
    {
        var word = block.AsSpan(96, 16).ToArray();
        for (var i = 0; i < word.Length; i++)
        {
            word[i] ^= keys[96 + i];
        }

        var (a, b) = (new BigInteger(word.AsSpan(0, 8), isUnsigned: true), new BigInteger(word.AsSpan(8), isUnsigned: true));
        var product = BigInteger.Zero;
        for (var bit = 0; bit < 64; bit++)
        {
            product ^= ((b >> bit) & 1) == 1 ? a << bit : BigInteger.Zero;
        }

        return product;
    }
}
