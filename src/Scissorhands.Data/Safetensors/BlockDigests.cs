using System.Security.Cryptography;
using Scissorhands.Planning;

namespace Scissorhands.Data.Safetensors;

/// <summary>Digests of a header and the blocks of the data behind it, one behind the other.</summary>
internal static class BlockDigests
{
    /// <summary>Bytes of the digests.</summary>
    /// <param name="dataBytes">Bytes of data.</param>
    /// <param name="blockBytes">Bytes of a block.</param>
    /// <returns>32 for the header and 32 a block.</returns>
    public static int Bytes(long dataBytes, int blockBytes) => checked((int)(1 + ((dataBytes + blockBytes - 1) / blockBytes)) * SHA256.HashSizeInBytes);

    /// <summary>Compares bytes with the digest that was taken when they were written.</summary>
    /// <param name="name">Where they lie.</param>
    /// <param name="first">Their first.</param>
    /// <param name="bytes">They.</param>
    /// <param name="digest">32 bytes.</param>
    /// <exception cref="InputException">They are others.</exception>
    public static void Check(string name, long first, ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> digest)
    {
        Span<byte> found = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes, found);
        if (!found.SequenceEqual(digest))
        {
            throw new InputException($"{name}: bytes {first} to {first + bytes.Length - 1} are not those that were written (SHA-256); it is damaged: bring it back from a copy, or start in an empty folder");
        }
    }
}
