using Microsoft.EntityFrameworkCore;
using Scissorhands.Deletion.Requests;

namespace Scissorhands.Grains.Store;

/// <summary>The counts by queries that read indexes or few rows: they are repeated for as long as the coordinator lives.</summary>
internal sealed class SqlServiceCensus(StoreDatabase database, TimeProvider time) : IServiceCensusStore
{
    private static readonly string OnHold = RequestState.OnHold.ToString();
    private static readonly string[] Closed = [.. Enum.GetValues<RequestState>().Where(RequestTransitions.IsFinal).Select(static s => s.ToString())];

    public Task<ServiceCensus> CountAsync(string? signingKeyId, CancellationToken ct) => database.OnceAsync(context => CountAsync(context, signingKeyId, ct), ct);

    private async Task<ServiceCensus> CountAsync(StoreContext context, string? signingKeyId, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var states = await context.Requests.GroupBy(r => r.State).Select(static g => new { g.Key, Count = g.Count() }).ToDictionaryAsync(static g => g.Key, static g => g.Count, ct);
        // What is held is not late: it must not be done.
        var open = context.Requests.Where(r => !Closed.Contains(r.State) && r.State != OnHold);
        var oldest = await open.MinAsync(r => (long?)r.StoredAt, ct);
        var nearest = await open.MinAsync(r => (long?)r.Deadline, ct);
        var (onTime, atRisk, missed) = (0, 0, 0);
        foreach (var model in await context.Models.AsNoTracking().ToListAsync(ct))
        {
            var risk = (now + model.ToModel().Record.Policy.Slack).UtcTicks;
            var counts = await open.Where(r => r.Model == model.Name).GroupBy(r => r.Deadline < now.UtcTicks ? 2 : r.Deadline < risk ? 1 : 0).Select(static g => new { g.Key, Count = g.Count() }).ToListAsync(ct);
            onTime += counts.Where(static c => c.Key == 0).Sum(static c => c.Count);
            atRisk += counts.Where(static c => c.Key == 1).Sum(static c => c.Count);
            missed += counts.Where(static c => c.Key == 2).Sum(static c => c.Count);
        }

        var runs = await context.Runs.Where(static r => r.Status == RunStatus.Queued || r.Status == RunStatus.Running).GroupBy(static r => new { r.Status, r.Pool }).Select(static g => new { g.Key.Status, g.Key.Pool, Count = g.Count() }).ToListAsync(ct);
        long? unsigned = null;
        if (signingKeyId is not null)
        {
            foreach (var chain in await context.AuditHeads.AsNoTracking().Where(static h => h.Sequence > 0).ToListAsync(ct))
            {
                var signed = await context.SignedHeads.Where(s => s.Chain == chain.Chain && s.KeyId == signingKeyId).MaxAsync(static s => (long?)s.Sequence, ct) ?? 0;
                if (signed < chain.Sequence && await context.AuditEntries.Where(e => e.Chain == chain.Chain && e.Sequence == signed + 1).Select(static e => (long?)e.Time).SingleOrDefaultAsync(ct) is { } first)
                {
                    unsigned = Math.Min(unsigned ?? first, first);
                }
            }
        }

        return new ServiceCensus
        {
            Requests = Enum.GetValues<RequestState>().ToDictionary(static s => Name(s), s => states.GetValueOrDefault(s.ToString()), StringComparer.Ordinal),
            Deadlines = new Dictionary<string, int>(StringComparer.Ordinal) { ["onTime"] = onTime, ["atRisk"] = atRisk, ["missed"] = missed },
            OldestSeconds = Seconds(now.UtcTicks - oldest),
            SlackSeconds = Seconds(nearest - now.UtcTicks),
            OutboxPending = await context.Messages.CountAsync(ct),
            UnsignedSeconds = Seconds(now.UtcTicks - unsigned),
            Runs = [.. runs.Select(static r => new OpenRuns(RunStatusNames.Of(r.Status), r.Pool, r.Count))],
            Models = [],
        };
    }

    private static double? Seconds(long? ticks) => ticks is { } known ? new TimeSpan(known).TotalSeconds : null;

    private static string Name(RequestState state) => char.ToLowerInvariant(state.ToString()[0]) + state.ToString()[1..];
}
