using System.Security.Cryptography;

namespace Scissorhands.Data.Sources;

/// <summary>Short digests of samples' bytes.</summary>
internal static class SampleHash
{
    private const int Bytes = 16;

    /// <summary>The first 16 bytes of the SHA-256, in lower-case hex.</summary>
    public static string Of(ReadOnlySpan<byte> bytes)
    {
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(bytes, hash);
        return Convert.ToHexStringLower(hash[..Bytes]);
    }
}
