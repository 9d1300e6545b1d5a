namespace Scissorhands.Certificates.Json;

/// <summary>Base64 of RFC 4648, section 4, in the one way to write it.</summary>
internal static class Base64
{
    /// <summary>Decodes.</summary>
    /// <param name="text">Standard alphabet, padded, without white space and with unused bits zero.</param>
    /// <param name="what">What it is, for the message.</param>
    /// <returns>The bytes.</returns>
    /// <exception cref="FormatException">Written in any other way.</exception>
    public static byte[] Decode(string text, string what)
    {
        var bytes = new byte[text.Length / 4 * 3];
        return Convert.TryFromBase64String(text, bytes, out var length) && Convert.ToBase64String(bytes, 0, length) == text
            ? bytes[..length]
            : throw new FormatException($"{what} is not canonical base64");
    }
}
