using Microsoft.EntityFrameworkCore;
using Scissorhands.Deletion.Audit;

namespace Scissorhands.Grains.Store;

/// <summary>
/// Chains in the database of the runs. A chain's head holds the epoch of the one who may append: rows are placed by an
/// update of the head that names it, so that a sequencer that was superseded places none.
/// </summary>
internal sealed class SqlAuditStore(StoreDatabase database) : IAuditStore
{
    public Task<long> TakeOverAsync(string chain, CancellationToken ct) => database.WriteAsync(
        async context =>
        {
            await context.Database.ExecuteSqlAsync(
                $"""
                INSERT INTO audit_head (chain, epoch, sequence, hash) VALUES ({chain}, 1, 0, {AuditEntry.Beginning})
                ON CONFLICT (chain) DO UPDATE SET epoch = audit_head.epoch + 1
                """,
                ct);
            return await context.AuditHeads.Where(h => h.Chain == chain).Select(h => h.Epoch).SingleAsync(ct);
        },
        ct);

    public Task<int?> AppendAsync(string chain, long epoch, int limit, CancellationToken ct) => database.WriteAsync<int?>(
        async context =>
        {
            // The update locks the head: whoever takes over waits, and finds these rows placed.
            if (await context.AuditHeads.Where(h => h.Chain == chain && h.Epoch == epoch).ExecuteUpdateAsync(set => set.SetProperty(h => h.Epoch, epoch), ct) == 0)
            {
                return null;
            }

            var head = await context.AuditHeads.AsNoTracking().SingleAsync(h => h.Chain == chain, ct);
            var waiting = await context.AuditInbox.AsNoTracking().Where(a => a.Chain == chain).OrderBy(a => a.Id).Take(limit).ToListAsync(ct);
            if (waiting.Count == 0)
            {
                return 0;
            }

            var (sequence, hash) = (head.Sequence, head.Hash);
            foreach (var row in waiting)
            {
                var entry = AuditEntry.After(row.ToDraft(), ++sequence, hash);
                hash = entry.Hash;
                context.AuditEntries.Add(AuditEntryRow.Of(entry));
            }

            await context.SaveChangesAsync(ct);
            var ids = waiting.Select(static row => row.Id).ToArray();
            await context.AuditInbox.Where(a => ids.Contains(a.Id)).ExecuteDeleteAsync(ct);
            await context.AuditHeads.Where(h => h.Chain == chain).ExecuteUpdateAsync(set => set.SetProperty(h => h.Sequence, sequence).SetProperty(h => h.Hash, hash), ct);
            return waiting.Count;
        },
        ct);

    public Task<IReadOnlyList<string>> WaitingChainsAsync(CancellationToken ct) => database.ReadAsync<IReadOnlyList<string>>(
        async context => await context.AuditInbox.Select(static a => a.Chain).Distinct().ToListAsync(ct),
        ct);

    public Task<IReadOnlyList<AuditEntry>> RowsAsync(string chain, long after, int limit, CancellationToken ct) => database.ReadAsync<IReadOnlyList<AuditEntry>>(
        async context => (await context.AuditEntries.AsNoTracking().Where(a => a.Chain == chain && a.Sequence > after).OrderBy(a => a.Sequence).Take(limit).ToListAsync(ct)).ConvertAll(static a => a.ToEntry()),
        ct);

    public Task<IReadOnlyList<string>> UnsignedChainsAsync(string keyId, CancellationToken ct) => database.ReadAsync<IReadOnlyList<string>>(
        async context => await context.AuditHeads
            .Where(h => h.Sequence > 0 && !context.SignedHeads.Any(s => s.Chain == h.Chain && s.KeyId == keyId && s.Sequence >= h.Sequence))
            .Select(static h => h.Chain)
            .ToListAsync(ct),
        ct);

    public Task AddHeadAsync(StoredHead head, CancellationToken ct) => database.WriteAsync(
        context => context.Database.ExecuteSqlAsync(
            $"""
            INSERT INTO audit_signed_head (chain, sequence, time, key_id, envelope) VALUES ({head.Chain}, {head.Sequence}, {head.Time.UtcTicks}, {head.KeyId}, {head.Envelope})
            ON CONFLICT (chain, sequence, key_id) DO NOTHING
            """,
            ct),
        ct);

    public Task<StoredHead?> LastHeadAsync(string chain, string keyId, CancellationToken ct) => database.ReadAsync(
        async context => (await context.SignedHeads.AsNoTracking().Where(s => s.Chain == chain && s.KeyId == keyId).OrderByDescending(static s => s.Sequence).FirstOrDefaultAsync(ct))?.ToHead(),
        ct);

    public Task<IReadOnlyList<StoredHead>> HeadsAsync(string chain, long after, int limit, CancellationToken ct) => database.ReadAsync<IReadOnlyList<StoredHead>>(
        async context => (await context.SignedHeads.AsNoTracking().Where(s => s.Chain == chain && s.Number > after).OrderBy(static s => s.Number).Take(limit).ToListAsync(ct)).ConvertAll(static s => s.ToHead()),
        ct);
}
