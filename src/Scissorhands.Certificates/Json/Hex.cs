using System.Buffers;

namespace Scissorhands.Certificates.Json;

/// <summary>SHA-256 digests as text.</summary>
internal static class Hex
{
    private static readonly SearchValues<char> Digits = SearchValues.Create("0123456789abcdef");

    /// <summary>Whether a text is a SHA-256 digest in lower-case hexadecimal digits.</summary>
    /// <param name="text">The text.</param>
    /// <returns>True for 64 such digits.</returns>
    public static bool IsSha256(string? text) => text is { Length: 64 } && !text.AsSpan().ContainsAnyExcept(Digits);
}
