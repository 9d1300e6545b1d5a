using System.Security.Cryptography;
using Scissorhands.Planning;

namespace Scissorhands.Certificates.Signing;

/// <summary>A public key of ECDSA on P-256 with SHA-256, the one algorithm of certificates.</summary>
public sealed class VerificationKey : IDisposable
{
    /// <summary>The curve's object identifier (RFC 5480).</summary>
    internal const string CurveOid = "1.2.840.10045.3.1.7";

    private const string PublicLabel = "PUBLIC KEY";
    private const int MaximumFileBytes = 64 << 10;

    private readonly ECDsa _key;

    private VerificationKey(ECDsa key, byte[] publicKey)
    {
        _key = key;
        PublicKey = publicKey;
        KeyId = Convert.ToHexStringLower(SHA256.HashData(publicKey));
    }

    /// <summary>The key as SubjectPublicKeyInfo (DER).</summary>
    public byte[] PublicKey { get; }

    /// <summary>SHA-256 of <see cref="PublicKey"/>, lower-case hexadecimal digits.</summary>
    public string KeyId { get; }

    /// <summary>Reads a key.</summary>
    /// <param name="path">A PEM file with a <c>PUBLIC KEY</c>.</param>
    /// <returns>The key.</returns>
    /// <exception cref="InputException">The file is missing, unreadable, or holds no such key.</exception>
    public static VerificationKey ReadFile(string path)
    {
        var text = ReadText(path);
        try
        {
            if (PemEncoding.TryFind(text, out var fields) && text.AsSpan(fields.Label) is PublicLabel)
            {
                return FromSubjectPublicKeyInfo(Convert.FromBase64String(text[fields.Base64Data]));
            }
        }
        catch (FormatException failure)
        {
            throw new InputException($"{path}: {failure.Message}", failure);
        }

        throw new InputException($"{path}: holds no {PublicLabel} in PEM form; get it from the private one with: openssl pkey -in KEY.pem -pubout");
    }

    /// <summary>Takes a key from its encoding.</summary>
    /// <param name="publicKey">SubjectPublicKeyInfo in DER, uncompressed, on the named curve P-256.</param>
    /// <returns>The key.</returns>
    /// <exception cref="FormatException">Another key, or another encoding.</exception>
    public static VerificationKey FromSubjectPublicKeyInfo(byte[] publicKey)
    {
        ArgumentNullException.ThrowIfNull(publicKey);
        var key = ECDsa.Create();
        try
        {
            key.ImportSubjectPublicKeyInfo(publicKey, out _);
            if (IsP256(key) && key.ExportSubjectPublicKeyInfo() is var canonical && canonical.AsSpan().SequenceEqual(publicKey))
            {
                return new VerificationKey(key, canonical);
            }
        }
        catch (Exception failure) when (failure is CryptographicException or PlatformNotSupportedException)
        {
            key.Dispose();
            throw new FormatException("the public key cannot be read: only ECDSA on P-256 is", failure);
        }

        key.Dispose();
        throw new FormatException("the public key is not one of ECDSA on P-256");
    }

    /// <summary>Whether a signature is this key's.</summary>
    /// <param name="data">What was signed.</param>
    /// <param name="signature">The signature, DER.</param>
    /// <returns>True where it is.</returns>
    public bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature)
    {
        try
        {
            return _key.VerifyData(data, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
        }
        catch (CryptographicException)
        {
            // No signature at all.
            return false;
        }
    }

    /// <inheritdoc />
    public void Dispose() => _key.Dispose();

    internal static bool IsP256(ECDsa key) => key.KeySize == 256 && key.ExportParameters(false).Curve is { IsNamed: true, Oid.Value: CurveOid };

    internal static string ReadText(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!File.Exists(path))
        {
            throw new InputException($"{path}: no such file");
        }

        try
        {
            return new FileInfo(path).Length <= MaximumFileBytes
                ? File.ReadAllText(path)
                : throw new InputException($"{path}: larger than {MaximumFileBytes} bytes; is this a key?");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: cannot be read: {failure.Message.ReplaceLineEndings(" ")}", failure);
        }
    }
}
