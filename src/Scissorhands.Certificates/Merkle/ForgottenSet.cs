using System.Security.Cryptography;

namespace Scissorhands.Certificates.Merkle;

/// <summary>
/// The forgotten ids and what commits to them. Each is hidden by random bytes of its own, which stay with the operator, and
/// the leaves are ordered by their bytes, so that neither the root nor one id's proof tells anything of another id.
/// </summary>
public sealed class ForgottenSet
{
    private readonly MerkleTree _tree;
    private readonly (byte[] Leaf, byte[] Nonce, string Id)[] _entries;

    private ForgottenSet((byte[] Leaf, byte[] Nonce, string Id)[] entries, PlanOpening plan)
    {
        _entries = entries;
        _tree = new MerkleTree(entries.Select(static entry => entry.Leaf));
        Plan = plan;
    }

    /// <summary>Ids.</summary>
    public int Count => _entries.Length;

    /// <summary>Root of the tree, lower-case hexadecimal digits.</summary>
    public string MerkleRoot => Convert.ToHexStringLower(_tree.Root);

    /// <summary>What opens the commitment to the plan.</summary>
    public PlanOpening Plan { get; }

    /// <summary>Commits to ids.</summary>
    /// <param name="ids">The ids; each once, at least one.</param>
    /// <param name="planHash">SHA-256 of the plan, lower-case hexadecimal digits.</param>
    /// <returns>The set.</returns>
    /// <exception cref="ArgumentException">No id, one that comes twice, or one that is no text.</exception>
    public static ForgottenSet Create(IEnumerable<string> ids, string planHash)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var distinct = new HashSet<string>(StringComparer.Ordinal);
        var entries = ids.Select(id =>
        {
            if (!distinct.Add(id))
            {
                throw new ArgumentException("an id comes twice", nameof(ids));
            }

            var nonce = RandomNumberGenerator.GetBytes(IdOpening.NonceBytes);
            return (Leaf: IdOpening.Leaf(nonce, id), Nonce: nonce, Id: id);
        }).ToArray();
        if (entries.Length == 0)
        {
            throw new ArgumentException("no ids", nameof(ids));
        }

        Array.Sort(entries, static (a, b) => a.Leaf.AsSpan().SequenceCompareTo(b.Leaf));
        var plan = new PlanOpening { PlanNonce = Convert.ToBase64String(RandomNumberGenerator.GetBytes(IdOpening.NonceBytes)), PlanHash = planHash };
        return new ForgottenSet(entries, plan);
    }

    /// <summary>The proofs, one an id, in the order of the leaves.</summary>
    /// <returns>The proofs.</returns>
    public IEnumerable<IdOpening> Openings() => _entries.Select((entry, index) => new IdOpening
    {
        Id = entry.Id,
        Index = index,
        Nonce = Convert.ToBase64String(entry.Nonce),
        Path = [.. _tree.Path(index).Select(static hash => Convert.ToBase64String(hash))],
    });
}
