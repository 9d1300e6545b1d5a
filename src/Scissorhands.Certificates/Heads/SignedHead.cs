using System.Text;
using Scissorhands.Certificates.Json;
using Scissorhands.Certificates.Signing;
using Scissorhands.Planning;

namespace Scissorhands.Certificates.Heads;

/// <summary>The signed word of a service on where an audit chain stood: a DSSE envelope, as certificates are in.</summary>
public sealed class SignedHead
{
    /// <summary>Media type of the payload.</summary>
    public const string PayloadType = "application/vnd.scissorhands.audit-head+json";

    /// <summary>Longest envelope that is read, in bytes.</summary>
    public const int MaximumBytes = 16 << 10;

    private readonly DsseEnvelope _envelope;
    private readonly Payload _payload;

    private SignedHead(DsseEnvelope envelope, Payload payload)
    {
        _envelope = envelope;
        _payload = payload;
    }

    /// <summary>The chain.</summary>
    public string Chain => _payload.Chain;

    /// <summary>Place of its last row, from 1.</summary>
    public long Sequence => _payload.Sequence;

    /// <summary>Hash of that row, lower-case hex.</summary>
    public string Hash => _payload.Hash;

    /// <summary>When it was signed (UTC, to the millisecond).</summary>
    public DateTimeOffset Time => _payload.Time;

    /// <summary>Signs.</summary>
    /// <param name="chain">The chain.</param>
    /// <param name="sequence">Place of its last row.</param>
    /// <param name="hash">Hash of that row.</param>
    /// <param name="time">Now.</param>
    /// <param name="key">The service's key.</param>
    /// <returns>The envelope's canonical form.</returns>
    public static string Sign(string chain, long sequence, string hash, DateTimeOffset time, SigningKey key) =>
        Encoding.UTF8.GetString(DsseEnvelope.Sign(PayloadType, StrictJson.Write(new Payload { Chain = chain, Sequence = sequence, Hash = hash, Time = time }), key).ToBytes());

    /// <summary>Reads a head.</summary>
    /// <param name="text">The envelope.</param>
    /// <param name="source">What messages name.</param>
    /// <returns>The head; its signature is not verified.</returns>
    /// <exception cref="InputException">No head in canonical form.</exception>
    public static SignedHead Parse(string text, string source)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Length > MaximumBytes)
        {
            throw new InputException($"{source}: {text.Length} characters long, at most {MaximumBytes} are read");
        }

        var envelope = DsseEnvelope.Parse(Encoding.UTF8.GetBytes(text), source);
        if (envelope.PayloadType != PayloadType)
        {
            throw new InputException($"{source}: payloadType is not {PayloadType}");
        }

        var payload = StrictJson.Read<Payload>(envelope.Payload, MaximumBytes, $"{source}, payload");
        return payload.Chain.Length > 0 && payload.Sequence > 0 && Hex.IsSha256(payload.Hash)
            ? new SignedHead(envelope, payload)
            : throw new InputException($"{source}, payload: not the head of a chain");
    }

    /// <summary>Whether the signature is a key's.</summary>
    /// <param name="key">The key.</param>
    /// <returns>True where it is.</returns>
    public bool IsSignedBy(VerificationKey key) => _envelope.IsSignedBy(key);

    private sealed record Payload
    {
        public required string Chain { get; init; }

        public required long Sequence { get; init; }

        public required string Hash { get; init; }

        public required DateTimeOffset Time { get; init; }
    }
}
