using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Serialization;
using Scissorhands.Certificates.Json;

namespace Scissorhands.Certificates.Merkle;

/// <summary>
/// The proof that one id belongs to a certificate's set: one line of an openings file, which proves its id alone and says
/// nothing about the others.
/// </summary>
public sealed record IdOpening
{
    /// <summary>Bytes of a nonce.</summary>
    public const int NonceBytes = 32;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The sample's id.</summary>
    public required string Id { get; init; }

    /// <summary>Its leaf, from 0.</summary>
    public required int Index { get; init; }

    /// <summary>Base64 of the random bytes that keep others from guessing the id.</summary>
    public required string Nonce { get; init; }

    /// <summary>Base64 of the hashes from the leaf to the root.</summary>
    public required IReadOnlyList<string> Path { get; init; }

    /// <summary>Whether the id belongs to the set.</summary>
    /// <param name="count">Ids of the set.</param>
    /// <param name="merkleRoot">Root of the set's tree, lower-case hexadecimal digits.</param>
    /// <returns>True where the proof holds.</returns>
    public bool Proves(long count, string merkleRoot)
    {
        ArgumentNullException.ThrowIfNull(merkleRoot);
        try
        {
            var nonce = Base64.Decode(Nonce, "a nonce");
            byte[][] path = [.. Path.Select(static hash => Base64.Decode(hash, "a hash"))];
            return nonce.Length == NonceBytes
                && Array.TrueForAll(path, static hash => hash.Length == MerkleTree.HashBytes)
                && Hex.IsSha256(merkleRoot)
                && MerkleTree.Leads(Leaf(nonce, Id), Index, count, path, Convert.FromHexString(merkleRoot));
        }
        catch (Exception failure) when (failure is FormatException or EncoderFallbackException)
        {
            return false;
        }
    }

    /// <summary>SHA-256 of the nonce followed by the id's UTF-8 bytes: what the tree holds.</summary>
    internal static byte[] Leaf(ReadOnlySpan<byte> nonce, string id) => SHA256.HashData([.. nonce, .. Strict.GetBytes(id)]);
}

/// <summary>
/// What opens the certificate's commitment to the run's plan, whose hash covers the forgotten ids and would let others guess
/// them: the first line of an openings file.
/// </summary>
public sealed record PlanOpening
{
    /// <summary>Base64 of the random bytes.</summary>
    public required string PlanNonce { get; init; }

    /// <summary>SHA-256 of the plan, lower-case hexadecimal digits.</summary>
    public required string PlanHash { get; init; }

    /// <summary>SHA-256 of the nonce followed by the 32 bytes of the plan's hash, in lower-case hexadecimal digits.</summary>
    /// <exception cref="FormatException">Nonce or hash are of another form.</exception>
    [JsonIgnore]
    public string Commitment
    {
        get
        {
            var nonce = Base64.Decode(PlanNonce, "planNonce");
            return nonce.Length == IdOpening.NonceBytes && Hex.IsSha256(PlanHash)
                ? Convert.ToHexStringLower(SHA256.HashData([.. nonce, .. Convert.FromHexString(PlanHash)]))
                : throw new FormatException("planNonce or planHash has not 32 bytes");
        }
    }
}
