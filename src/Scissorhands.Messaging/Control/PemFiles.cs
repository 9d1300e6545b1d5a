using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Scissorhands.Planning;

namespace Scissorhands.Messaging.Control;

/// <summary>Reads certificates and their keys (PEM) for encrypted connections.</summary>
public static class PemFiles
{
    /// <summary>Reads the authorities that the other side's certificate must come from.</summary>
    /// <param name="setting">What named the file, for messages.</param>
    /// <param name="file">The file.</param>
    /// <returns>At least one certificate.</returns>
    /// <exception cref="InputException">The file cannot be read, or holds none; names setting and file.</exception>
    public static X509Certificate2Collection ReadAuthorities(string setting, string file)
    {
        var authorities = new X509Certificate2Collection();
        try
        {
            authorities.ImportFromPemFile(file);
        }
        catch (Exception e) when (IsUnreadable(e))
        {
            throw new InputException($"{setting} {file}: cannot be read ({e.Message})", e);
        }

        return authorities.Count > 0 ? authorities : throw new InputException($"{setting} {file}: holds no certificate (PEM)");
    }

    /// <summary>Reads a certificate with its private key.</summary>
    /// <param name="setting">What named the file, for messages.</param>
    /// <param name="file">The certificate's file.</param>
    /// <param name="key">The key's file, not encrypted; null where the certificate's holds it, too.</param>
    /// <returns>The certificate, with its key.</returns>
    /// <exception cref="InputException">One of them cannot be read, or they are not of each other; names setting and files.</exception>
    public static X509Certificate2 ReadOwn(string setting, string file, string? key)
    {
        try
        {
            return X509Certificate2.CreateFromPemFile(file, key);
        }
        catch (Exception e) when (IsUnreadable(e))
        {
            throw new InputException($"{setting} {file}: no certificate with its key in {key ?? "the same file"} ({e.Message})", e);
        }
    }

    private static bool IsUnreadable(Exception e) => e is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException;
}
