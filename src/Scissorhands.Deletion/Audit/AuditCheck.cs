using System.Globalization;

namespace Scissorhands.Deletion.Audit;

/// <summary>
/// Checks a chain, read from its beginning, against heads that were vouched for: rows that follow each other may still be
/// others than those that were there, or fewer.
/// </summary>
public sealed class AuditCheck
{
    private readonly Queue<AuditHead> _ahead;

    /// <summary>Begins a check.</summary>
    /// <param name="heads">Heads whose signatures were verified, in any order; none where only the rows themselves are checked.</param>
    public AuditCheck(IEnumerable<AuditHead> heads)
    {
        ArgumentNullException.ThrowIfNull(heads);
        _ahead = new Queue<AuditHead>(heads.OrderBy(static head => head.Sequence));
    }

    /// <summary>Place of the last row; 0 for none.</summary>
    public long Rows { get; private set; }

    /// <summary>Hash of the last row.</summary>
    public string Hash { get; private set; } = AuditEntry.Beginning;

    /// <summary>Place of the last row that a head vouches for; 0 for none.</summary>
    public long Covered { get; private set; }

    /// <summary>When the first row happened that no head vouches for; null where all are.</summary>
    public DateTimeOffset? UncoveredSince { get; private set; }

    /// <summary>Goes on with the rows that follow.</summary>
    /// <param name="rows">Rows in the order of their places.</param>
    /// <returns>What is wrong with which place, or null.</returns>
    public string? Add(IReadOnlyList<AuditEntry> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (AuditChain.Fault(rows, Rows + 1, Hash) is { } fault)
        {
            return fault;
        }

        foreach (var row in rows)
        {
            (Rows, Hash) = (row.Sequence, row.Hash);
            UncoveredSince ??= row.Time;
            for (; _ahead.TryPeek(out var head) && head.Sequence <= row.Sequence; _ahead.Dequeue())
            {
                if (head.Chain != row.Chain || head.Sequence != row.Sequence || head.Hash != row.Hash)
                {
                    return string.Create(CultureInfo.InvariantCulture, $"row {row.Sequence} is not the one whose head was signed at {head.Time:u}: it or a row before it was put in place of another");
                }

                (Covered, UncoveredSince) = (row.Sequence, null);
            }
        }

        return null;
    }

    /// <summary>Ends the check, after the last row.</summary>
    /// <returns>What is wrong, or null.</returns>
    public string? End() => _ahead.TryPeek(out var head)
        ? string.Create(CultureInfo.InvariantCulture, $"rows {Rows + 1} to {_ahead.Max(static h => h.Sequence)} are missing: a head that counts them was signed at {head.Time:u}")
        : null;
}
