using Microsoft.EntityFrameworkCore;

namespace Scissorhands.Grains.Store;

/// <summary>The outbox in the database of the runs.</summary>
internal sealed class SqlOutbox(StoreDatabase database, TimeProvider time) : IOutbox
{
    public Task<IReadOnlyList<PendingMessage>> ClaimAsync(string destination, string claimer, int limit, TimeSpan lease, CancellationToken ct)
    {
        // Messages of an attempt whose commit came through unseen are this call's too.
        var claimId = Guid.NewGuid().ToString("N");
        return database.WriteAsync<IReadOnlyList<PendingMessage>>(
            async context =>
            {
                var now = time.GetUtcNow();
                var rows = await Free(context, destination, now.UtcTicks, claimId, limit).ToListAsync(ct);
                foreach (var row in rows)
                {
                    row.Claimer = claimer;
                    row.ClaimId = claimId;
                    row.ClaimedUntil = (now + lease).UtcTicks;
                }

                await context.SaveChangesAsync(ct);
                return [.. rows.OrderBy(m => m.Id).Select(m => new PendingMessage(m.Id, m.Destination, m.Type, m.Body))];
            },
            ct);
    }

    public Task PostponeAsync(long id, string claimer, TimeSpan wait, CancellationToken ct)
    {
        var until = (time.GetUtcNow() + wait).UtcTicks;
        return database.WriteAsync(context => context.Messages.Where(m => m.Id == id && m.Claimer == claimer).ExecuteUpdateAsync(set => set.SetProperty(m => m.ClaimedUntil, until), ct), ct);
    }

    public Task<IReadOnlyDictionary<string, int>> WaitingAsync(CancellationToken ct) => database.ReadAsync<IReadOnlyDictionary<string, int>>(
        async context => await context.Messages.GroupBy(m => m.Destination).Select(g => new { g.Key, Count = g.Count() }).ToDictionaryAsync(static g => g.Key, static g => g.Count, StringComparer.Ordinal, ct),
        ct);

    public Task DoneAsync(IReadOnlyList<long> ids, CancellationToken ct)
    {
        var done = ids.ToArray();
        return database.WriteAsync(context => context.Messages.Where(m => done.Contains(m.Id)).ExecuteDeleteAsync(ct), ct);
    }

    private IQueryable<MessageRow> Free(StoreContext context, string destination, long now, string claimId, int limit) => database.IsPostgres
        ? context.Messages.FromSql(
            $"""
            SELECT * FROM outbox WHERE destination = {destination} AND (claimed_until IS NULL OR claimed_until <= {now} OR claim_id = {claimId})
            ORDER BY id LIMIT {limit} FOR UPDATE SKIP LOCKED
            """)
        : context.Messages.Where(m => m.Destination == destination && (m.ClaimedUntil == null || m.ClaimedUntil <= now || m.ClaimId == claimId)).OrderBy(m => m.Id).Take(limit);
}
