using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Scissorhands.Deletion.Audit;

/// <summary>Something that happened, before it has its place in the chain.</summary>
/// <param name="Chain">The tenant's chain.</param>
/// <param name="Time">When (UTC).</param>
/// <param name="Kind">What, such as <c>request.accepted</c>.</param>
/// <param name="Body">JSON without sample ids or subjects.</param>
public sealed record AuditDraft(string Chain, DateTimeOffset Time, string Kind, string Body);

/// <summary>A row of a chain. Rows are never changed; each carries the hash of the one before.</summary>
/// <param name="Chain">The tenant's chain.</param>
/// <param name="Sequence">Its place, from 1.</param>
/// <param name="Time">When (UTC).</param>
/// <param name="Kind">What.</param>
/// <param name="Body">JSON.</param>
/// <param name="Previous">Hash of the row before; 64 zeros for the first.</param>
/// <param name="Hash">Hash of this row, lower-case hex.</param>
public sealed record AuditEntry(string Chain, long Sequence, DateTimeOffset Time, string Kind, string Body, string Previous, string Hash)
{
    /// <summary>What the first row has as the hash of the one before.</summary>
    public static readonly string Beginning = new('0', 64);

    /// <summary>Gives a draft its place.</summary>
    /// <param name="draft">What happened.</param>
    /// <param name="sequence">The place.</param>
    /// <param name="previous">Hash of the row before.</param>
    /// <returns>The row.</returns>
    public static AuditEntry After(AuditDraft draft, long sequence, string previous)
    {
        ArgumentNullException.ThrowIfNull(draft);
        var time = draft.Time.ToUniversalTime();
        return new AuditEntry(draft.Chain, sequence, time, draft.Kind, draft.Body, previous, HashOf(draft.Chain, sequence, time, draft.Kind, draft.Body, previous));
    }

    /// <summary>Whether the row's hash is that of its content.</summary>
    /// <returns>Whether it is.</returns>
    public bool IsIntact() => Hash == HashOf(Chain, Sequence, Time, Kind, Body, Previous);

    // Every field with its length, so that no two rows have the same bytes.
    private static string HashOf(string chain, long sequence, DateTimeOffset time, string kind, string body, string previous)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var field in (string[])["scissorhands-audit-1", chain, sequence.ToString(CultureInfo.InvariantCulture), time.UtcTicks.ToString(CultureInfo.InvariantCulture), kind, body, previous])
        {
            var bytes = Encoding.UTF8.GetBytes(field);
            hash.AppendData(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{bytes.Length}:")));
            hash.AppendData(bytes);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}

/// <summary>Checks a chain.</summary>
public static class AuditChain
{
    /// <summary>Checks that rows follow each other without a gap and none was changed.</summary>
    /// <param name="rows">Rows in the order of their places.</param>
    /// <param name="first">Place of the first of them.</param>
    /// <param name="previous">Hash of the row before the first.</param>
    /// <returns>What is wrong with which place, or null.</returns>
    public static string? Fault(IEnumerable<AuditEntry> rows, long first = 1, string? previous = null)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var expected = first;
        var hash = previous ?? AuditEntry.Beginning;
        foreach (var row in rows)
        {
            if (row.Sequence != expected)
            {
                return string.Create(CultureInfo.InvariantCulture, $"row {expected} is missing");
            }

            if (row.Previous != hash)
            {
                return string.Create(CultureInfo.InvariantCulture, $"row {row.Sequence} does not follow the row before it");
            }

            if (!row.IsIntact())
            {
                return string.Create(CultureInfo.InvariantCulture, $"row {row.Sequence} was changed");
            }

            hash = row.Hash;
            expected++;
        }

        return null;
    }
}
