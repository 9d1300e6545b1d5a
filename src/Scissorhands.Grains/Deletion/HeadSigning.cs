using System.Globalization;
using Scissorhands.Deletion.Audit;
using Scissorhands.Grains.Store;

namespace Scissorhands.Grains.Deletion;

/// <summary>
/// Signs a chain's head when it is time to: at the end of each deletion batch, and after a while of any other row. Only a
/// chain that goes on from the last signed head is signed, so that the service vouches for no row that was changed since.
/// </summary>
internal sealed class HeadSigning
{
    private const int RowsAtOnce = 500;
    private static readonly string[] Endings = ["batch.certified", "batch.failed"];
    private readonly string _chain;
    private readonly IAuditStore _store;
    private readonly IHeadSigner _signer;
    private readonly TimeSpan _interval;
    private readonly TimeProvider _time;
    private AuditHead? _signed;
    private (long Sequence, string Hash) _read;
    private bool _begun;
    private bool _ended;

    public HeadSigning(string chain, IAuditStore store, IHeadSigner signer, AuditHeadOptions options, TimeProvider time)
    {
        _chain = chain;
        _store = store;
        _signer = signer;
        _interval = options.Interval;
        _time = time;
    }

    /// <summary>Reads the rows that are new and signs, if it is time to.</summary>
    /// <param name="ct">Ends the wait.</param>
    /// <returns>What is wrong with the chain, so that it is not signed; or null.</returns>
    public async Task<string?> SignIfDueAsync(CancellationToken ct)
    {
        if (_signer.KeyId is not { } key)
        {
            return null;
        }

        if (!_begun && await BeginAsync(key, ct) is { } broken)
        {
            return broken;
        }

        if (await ReadAsync(ct) is { } fault)
        {
            return fault;
        }

        var now = _time.GetUtcNow();
        if (_read.Sequence > (_signed?.Sequence ?? 0) && (_signed is null || _ended || now - _signed.Time >= _interval))
        {
            var head = new AuditHead(_chain, _read.Sequence, _read.Hash, now);
            await _store.AddHeadAsync(new StoredHead(0, _chain, head.Sequence, now, key, _signer.Sign(head)), ct);
            (_signed, _ended) = (head, false);
        }

        return null;
    }

    // Goes on from what was signed, not from what the store says of it, as the store may have been rewritten.
    private async Task<string?> BeginAsync(string key, CancellationToken ct)
    {
        _read = (0, AuditEntry.Beginning);
        if (await _store.LastHeadAsync(_chain, key, ct) is { } last)
        {
            if (_signer.Open(last.Envelope) is not { } head || head.Chain != _chain)
            {
                return string.Create(CultureInfo.InvariantCulture, $"its signed head {last.Number} was changed");
            }

            if (await _store.RowsAsync(_chain, head.Sequence - 1, 1, ct) is not [var row] || row.Sequence != head.Sequence || row.Hash != head.Hash || !row.IsIntact())
            {
                return string.Create(CultureInfo.InvariantCulture, $"row {head.Sequence} is not the one whose head was signed at {head.Time:u}");
            }

            (_signed, _read) = (head, (head.Sequence, head.Hash));
        }

        _begun = true;
        return null;
    }

    private async Task<string?> ReadAsync(CancellationToken ct)
    {
        while (await _store.RowsAsync(_chain, _read.Sequence, RowsAtOnce, ct) is { Count: > 0 } rows)
        {
            if (AuditChain.Fault(rows, _read.Sequence + 1, _read.Hash) is { } fault)
            {
                return fault;
            }

            _read = (rows[^1].Sequence, rows[^1].Hash);
            _ended |= rows.Any(static row => Endings.Contains(row.Kind, StringComparer.Ordinal));
        }

        return null;
    }
}
