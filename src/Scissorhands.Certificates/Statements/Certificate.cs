using System.Security.Cryptography;
using Scissorhands.Certificates.Json;
using Scissorhands.Certificates.Signing;
using Scissorhands.Planning;

namespace Scissorhands.Certificates.Statements;

/// <summary>A certificate as it was read: well-formed, but nothing in it is verified.</summary>
public sealed class Certificate
{
    /// <summary>The name beside a run's report.</summary>
    public const string FileName = "certificate.dsse.json";

    private Certificate(DsseEnvelope envelope, Statement statement, byte[] publicKey)
    {
        Envelope = envelope;
        Statement = statement;
        PublicKey = publicKey;
        SignerKeyId = Convert.ToHexStringLower(SHA256.HashData(publicKey));
        StatementSha256 = Convert.ToHexStringLower(SHA256.HashData(envelope.Payload));
    }

    /// <summary>The envelope.</summary>
    public DsseEnvelope Envelope { get; }

    /// <summary>What it says.</summary>
    public Statement Statement { get; }

    /// <summary>
    /// SHA-256 of the statement, by which later certificates refer to this one: an envelope can have several valid signatures,
    /// so its own digest is no name.
    /// </summary>
    public string StatementSha256 { get; }

    /// <summary>The public key that the statement holds; perhaps none at all.</summary>
    internal byte[] PublicKey { get; }

    /// <summary>Id of that key. What the envelope names is a hint that nobody signed.</summary>
    public string SignerKeyId { get; }

    /// <summary>Reads a certificate's file.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The certificate.</returns>
    /// <exception cref="InputException">Missing, unreadable, or no certificate in canonical form.</exception>
    public static Certificate Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!File.Exists(path))
        {
            throw new InputException($"{path}: no such file");
        }

        byte[] bytes;
        try
        {
            bytes = new FileInfo(path).Length <= DsseEnvelope.MaximumBytes
                ? File.ReadAllBytes(path)
                : throw new InputException($"{path}: larger than {DsseEnvelope.MaximumBytes} bytes; is this a certificate?");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: cannot be read: {failure.Message.ReplaceLineEndings(" ")}", failure);
        }

        return Parse(bytes, path);
    }

    /// <summary>Reads a certificate.</summary>
    /// <param name="bytes">Its bytes.</param>
    /// <param name="source">What messages name.</param>
    /// <returns>The certificate.</returns>
    /// <exception cref="InputException">No certificate in canonical form.</exception>
    public static Certificate Parse(ReadOnlyMemory<byte> bytes, string source)
    {
        var envelope = DsseEnvelope.Parse(bytes, source);
        if (envelope.PayloadType != Statement.PayloadType)
        {
            throw new InputException($"{source}: payloadType is not {Statement.PayloadType}");
        }

        var statement = StrictJson.Read<Statement>(envelope.Payload, DsseEnvelope.MaximumBytes, $"{source}, payload");
        try
        {
            return new Certificate(envelope, statement, Base64.Decode(statement.Predicate.Signer.PublicKey, "publicKey"));
        }
        catch (FormatException failure)
        {
            throw new InputException($"{source}, payload: {failure.Message}", failure);
        }
    }
}
