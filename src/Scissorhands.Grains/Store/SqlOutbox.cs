using Microsoft.EntityFrameworkCore;

namespace Scissorhands.Grains.Store;

/// <summary>The outbox in the database of the runs.</summary>
internal sealed class SqlOutbox(StoreDatabase database, TimeProvider time) : IOutbox
{
    public Task<IReadOnlyList<PendingMessage>> ClaimAsync(string claimer, int limit, TimeSpan lease, CancellationToken ct)
    {
        // Messages of an attempt whose commit came through unseen are this call's too.
        var claimId = Guid.NewGuid().ToString("N");
        return database.WriteAsync<IReadOnlyList<PendingMessage>>(
            async context =>
            {
                var now = time.GetUtcNow();
                var rows = await Free(context, now.UtcTicks, claimId, limit).ToListAsync(ct);
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

    public Task DoneAsync(IReadOnlyList<long> ids, CancellationToken ct)
    {
        var done = ids.ToArray();
        return database.WriteAsync(context => context.Messages.Where(m => done.Contains(m.Id)).ExecuteDeleteAsync(ct), ct);
    }

    private IQueryable<MessageRow> Free(StoreContext context, long now, string claimId, int limit) => database.IsPostgres
        ? context.Messages.FromSql(
            $"""
            SELECT * FROM outbox WHERE claimed_until IS NULL OR claimed_until <= {now} OR claim_id = {claimId}
            ORDER BY id LIMIT {limit} FOR UPDATE SKIP LOCKED
            """)
        : context.Messages.Where(m => m.ClaimedUntil == null || m.ClaimedUntil <= now || m.ClaimId == claimId).OrderBy(m => m.Id).Take(limit);
}
