using System.Text;
using Microsoft.AspNetCore.Http;

namespace Scissorhands.Coordinator.Access;

/// <summary>
/// Marks endpoints for browsers that open them by themselves, without a page that would send a header: there, and nowhere
/// else, a key or token is taken as the password of HTTP Basic too, whatever the user name.
/// </summary>
internal sealed class KeyAsPassword
{
    private const string Prefix = "Basic ";

    // The name is what browsers show above the fields.
    private const string Asked = "Basic realm=\"Scissorhands: an API key as password, any user name\", charset=\"UTF-8\"";

    /// <summary>The mark.</summary>
    public static KeyAsPassword Taken { get; } = new();

    /// <summary>The password that a caller sends; null where it sends none, or where none is taken.</summary>
    public static string? Sent(HttpContext http)
    {
        var header = http.Request.Headers.Authorization.ToString();
        return IsTaken(http) && header.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase) ? PasswordOf(header[Prefix.Length..].Trim()) : null;
    }

    /// <summary>What a caller without the right password is told to send; null where none is taken.</summary>
    public static string? Challenge(HttpContext http) => IsTaken(http) ? Asked : null;

    private static bool IsTaken(HttpContext http) => http.GetEndpoint()?.Metadata.GetMetadata<KeyAsPassword>() is not null;

    // What cannot be read is nobody's key, and counted as one.
    private static string PasswordOf(string encoded)
    {
        var bytes = new byte[encoded.Length];
        if (!Convert.TryFromBase64String(encoded, bytes, out var written))
        {
            return "";
        }

        var pair = Encoding.UTF8.GetString(bytes, 0, written);
        return pair[(pair.IndexOf(':', StringComparison.Ordinal) + 1)..];
    }
}
