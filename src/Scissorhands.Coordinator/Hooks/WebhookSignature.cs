using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Scissorhands.Planning;

namespace Scissorhands.Coordinator.Hooks;

/// <summary>Signs webhooks as Standard Webhooks 1.0 has it: HMAC-SHA256 over id, time and payload, under each secret.</summary>
internal sealed class WebhookSignature
{
    private const string Prefix = "whsec_";
    private const int ShortestSecret = 24;
    private const int LongestSecret = 64;
    private const int LargestFile = 4096;
    private readonly IReadOnlyList<byte[]> _secrets;

    private WebhookSignature(IReadOnlyList<byte[]> secrets)
    {
        _secrets = secrets;
    }

    /// <summary>Reads secrets: a line each. While a receiver changes from one to another there are two.</summary>
    /// <param name="path">The file.</param>
    /// <returns>What signs with all of them.</returns>
    /// <exception cref="InputException">No such file, or a line that is no secret; it is not shown.</exception>
    public static WebhookSignature Read(string path)
    {
        string[] lines;
        try
        {
            lines = new FileInfo(path).Length <= LargestFile ? File.ReadAllLines(path) : throw new InputException($"{path}: larger than {LargestFile} bytes; is this a file of webhook secrets?");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: cannot be read ({e.Message})", e);
        }

        var secrets = lines.Select(static l => l.Trim()).Where(static l => l.Length > 0).Select(Decode).ToArray();
        return secrets.Length > 0 && secrets.All(static s => s is { Length: >= ShortestSecret and <= LongestSecret })
            ? new WebhookSignature(secrets!)
            : throw new InputException($"{path}: each line must be a secret: {Prefix} and {ShortestSecret} to {LongestSecret} bytes in Base64, such as echo {Prefix}$(openssl rand -base64 32) prints");
    }

    /// <summary>The value of the header <c>webhook-signature</c>.</summary>
    /// <param name="id">The message.</param>
    /// <param name="seconds">The time of this attempt: seconds since 1970.</param>
    /// <param name="payload">The body.</param>
    /// <returns>A signature for each secret, apart by spaces.</returns>
    public string Sign(string id, long seconds, string payload)
    {
        var signed = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{id}.{seconds}.{payload}"));
        return string.Join(' ', _secrets.Select(secret => $"v1,{Convert.ToBase64String(HMACSHA256.HashData(secret, signed))}"));
    }

    private static byte[]? Decode(string line)
    {
        if (!line.StartsWith(Prefix, StringComparison.Ordinal))
        {
            return null;
        }

        var bytes = new byte[LargestFile];
        return Convert.TryFromBase64String(line[Prefix.Length..], bytes, out var length) ? bytes[..length] : null;
    }
}
