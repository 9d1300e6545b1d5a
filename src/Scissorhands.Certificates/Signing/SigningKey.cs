using System.Security.Cryptography;
using Scissorhands.Planning;

namespace Scissorhands.Certificates.Signing;

/// <summary>A private key of ECDSA on P-256.</summary>
public sealed class SigningKey : IDisposable
{
    /// <summary>The environment variable that names the key's file.</summary>
    public const string FileVariable = "SCISSORHANDS_SIGNING_KEY_FILE";

    private const string PrivateLabel = "PRIVATE KEY";
    private const string Remedy = "make one with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out KEY.pem";

    private readonly ECDsa _key;

    private SigningKey(ECDsa key, bool isEphemeral)
    {
        _key = key;
        IsEphemeral = isEphemeral;
        PublicKey = key.ExportSubjectPublicKeyInfo();
        KeyId = Convert.ToHexStringLower(SHA256.HashData(PublicKey));
    }

    /// <summary>Whether the key was made for one run and thrown away: its certificates say so, and prove nobody's word.</summary>
    public bool IsEphemeral { get; }

    /// <summary>The public key as SubjectPublicKeyInfo (DER).</summary>
    public byte[] PublicKey { get; }

    /// <summary>SHA-256 of <see cref="PublicKey"/>, lower-case hexadecimal digits.</summary>
    public string KeyId { get; }

    /// <summary>The public key as a PEM file for those who verify.</summary>
    public string PublicKeyPem => _key.ExportSubjectPublicKeyInfoPem() + "\n";

    /// <summary>Makes a key that lives as long as this object.</summary>
    /// <returns>The key.</returns>
    public static SigningKey CreateEphemeral() => new(ECDsa.Create(ECCurve.NamedCurves.nistP256), isEphemeral: true);

    /// <summary>Reads the key that was asked for.</summary>
    /// <param name="path">The file that an option named; null for the one that <see cref="FileVariable"/> names.</param>
    /// <returns>The key; null where neither names one.</returns>
    /// <exception cref="InputException">The file is missing or holds no such key.</exception>
    public static SigningKey? Find(string? path)
    {
        var file = path ?? Environment.GetEnvironmentVariable(FileVariable);
        return string.IsNullOrEmpty(file) ? null : ReadFile(file);
    }

    /// <summary>Reads a key.</summary>
    /// <param name="path">A PEM file with an unencrypted PKCS#8 <c>PRIVATE KEY</c>.</param>
    /// <returns>The key.</returns>
    /// <exception cref="InputException">The file is missing, unreadable, or holds no such key.</exception>
    public static SigningKey ReadFile(string path)
    {
        var text = VerificationKey.ReadText(path);
        if (!PemEncoding.TryFind(text, out var fields))
        {
            throw new InputException($"{path}: holds no key in PEM form; {Remedy}");
        }

        if (text.AsSpan(fields.Label) is "PUBLIC KEY" or "CERTIFICATE")
        {
            throw new InputException($"{path}: holds a {text[fields.Label]}, which signs nothing; name the file of its private key, or {Remedy}");
        }

        if (text.AsSpan(fields.Label) is not PrivateLabel)
        {
            throw new InputException($"{path}: holds a {text[fields.Label]}, not an unencrypted PKCS#8 {PrivateLabel}; convert it with: openssl pkcs8 -topk8 -nocrypt -in {path}, or {Remedy}");
        }

        var key = ECDsa.Create();
        byte[] encoded = [];
        try
        {
            encoded = Convert.FromBase64String(text[fields.Base64Data]);
            key.ImportPkcs8PrivateKey(encoded, out var read);
            if (read == encoded.Length && VerificationKey.IsP256(key))
            {
                return new SigningKey(key, isEphemeral: false);
            }
        }
        catch (Exception failure) when (failure is CryptographicException or FormatException or PlatformNotSupportedException)
        {
            key.Dispose();
            throw new InputException($"{path}: not a key of ECDSA on P-256 ({failure.Message.ReplaceLineEndings(" ")}); {Remedy}", failure);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(encoded);
        }

        key.Dispose();
        throw new InputException($"{path}: not a key of ECDSA on P-256; {Remedy}");
    }

    /// <summary>Signs.</summary>
    /// <param name="data">What is signed; SHA-256 is taken of it.</param>
    /// <returns>The signature, DER.</returns>
    public byte[] Sign(ReadOnlySpan<byte> data) => _key.SignData(data, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);

    /// <inheritdoc />
    public void Dispose() => _key.Dispose();
}
