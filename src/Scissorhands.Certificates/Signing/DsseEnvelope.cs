using System.Globalization;
using System.Text;
using System.Text.Json.Serialization;
using Scissorhands.Certificates.Json;
using Scissorhands.Planning;

namespace Scissorhands.Certificates.Signing;

/// <summary>
/// A DSSE envelope (v1.0) with one signature. Other readers may skip names they do not know; this one refuses them, as it
/// refuses everything that is not the canonical form of the envelope.
/// </summary>
/// <param name="PayloadType">Media type of the payload.</param>
/// <param name="Payload">What was signed.</param>
/// <param name="KeyId">Which key is said to have signed; not covered by the signature.</param>
/// <param name="Signature">The signature, DER.</param>
public sealed record DsseEnvelope(string PayloadType, byte[] Payload, string KeyId, byte[] Signature)
{
    /// <summary>Longest envelope that is read.</summary>
    public const int MaximumBytes = 16 << 20;

    /// <summary>Signs a payload.</summary>
    /// <param name="payloadType">Its media type.</param>
    /// <param name="payload">The payload.</param>
    /// <param name="key">The key.</param>
    /// <returns>The envelope.</returns>
    public static DsseEnvelope Sign(string payloadType, byte[] payload, SigningKey key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return new DsseEnvelope(payloadType, payload, key.KeyId, key.Sign(PreAuthenticationEncoding(payloadType, payload)));
    }

    /// <summary>Reads an envelope.</summary>
    /// <param name="bytes">Its bytes.</param>
    /// <param name="source">What messages name.</param>
    /// <returns>The envelope; its signature is not verified.</returns>
    /// <exception cref="InputException">Too long, malformed, or not in canonical form.</exception>
    public static DsseEnvelope Parse(ReadOnlyMemory<byte> bytes, string source)
    {
        var file = StrictJson.Read<EnvelopeFile>(bytes, MaximumBytes, source);
        if (file.Signatures is not [var signature])
        {
            throw new InputException($"{source}: has {file.Signatures.Count} signatures, where one is expected");
        }

        try
        {
            return new DsseEnvelope(file.PayloadType, Base64.Decode(file.Payload, "payload"), signature.KeyId, Base64.Decode(signature.Sig, "sig"));
        }
        catch (FormatException failure)
        {
            throw new InputException($"{source}: {failure.Message}", failure);
        }
    }

    /// <summary>Writes the envelope.</summary>
    /// <returns>Its canonical form.</returns>
    public byte[] ToBytes() => StrictJson.Write(new EnvelopeFile
    {
        Payload = Convert.ToBase64String(Payload),
        PayloadType = PayloadType,
        Signatures = [new SignatureEntry { KeyId = KeyId, Sig = Convert.ToBase64String(Signature) }],
    });

    /// <summary>Whether the signature over type and payload is a key's.</summary>
    /// <param name="key">The key.</param>
    /// <returns>True where it is.</returns>
    public bool IsSignedBy(VerificationKey key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return key.Verify(PreAuthenticationEncoding(PayloadType, Payload), Signature);
    }

    /// <summary>What is signed: type and payload, each behind its length (PAE of the DSSE protocol).</summary>
    internal static byte[] PreAuthenticationEncoding(string payloadType, ReadOnlySpan<byte> payload)
    {
        var type = Encoding.UTF8.GetBytes(payloadType);
        return
        [
            .. Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"DSSEv1 {type.Length} ")),
            .. type,
            .. Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $" {payload.Length} ")),
            .. payload,
        ];
    }

    private sealed record EnvelopeFile
    {
        public required string Payload { get; init; }

        public required string PayloadType { get; init; }

        public required IReadOnlyList<SignatureEntry> Signatures { get; init; }
    }

    private sealed record SignatureEntry
    {
        [JsonPropertyName("keyid")]
        public required string KeyId { get; init; }

        public required string Sig { get; init; }
    }
}
