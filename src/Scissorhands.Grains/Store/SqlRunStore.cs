using Microsoft.EntityFrameworkCore;

namespace Scissorhands.Grains.Store;

/// <summary>
/// Runs in a relational database. Each write leaves its id with the version it makes: where the answer to a commit is lost,
/// the next attempt finds the version taken and knows by the id whether the first had come through.
/// </summary>
internal sealed class SqlRunStore(StoreDatabase database) : IRunStore
{
    public async Task<(StoredRun Run, bool Created)> CreateAsync(StoredRun run, IReadOnlyList<NewEvent> events, CancellationToken ct)
    {
        try
        {
            return await InsertAsync(run, events, ct);
        }
        catch (RunConflictException)
        {
            // Perhaps with itself: created at the same moment, and met on the folder's index before the id's.
            if (await ReadAsync(run.RunId, ct) is { } same)
            {
                return (same, false);
            }

            throw;
        }
    }

    public Task<StoredRun?> ReadAsync(string runId, CancellationToken ct) => database.ReadAsync(
        async context => (await context.Runs.AsNoTracking().SingleOrDefaultAsync(r => r.RunId == runId, ct))?.ToRun(),
        ct);

    public Task<StoredRun> WriteAsync(StoredRun run, IReadOnlyList<NewEvent> events, IReadOnlyList<OutgoingMessage> messages, CancellationToken ct)
    {
        var writeId = NewId();
        var row = ToRow(run);
        var version = run.Version + 1;
        row.Version = version;
        return WriteAsync(
            run.RunId,
            async context =>
            {
                var updated = await context.Runs.Where(r => r.RunId == run.RunId && r.Version == run.Version).ExecuteUpdateAsync(
                    set => set
                        .SetProperty(r => r.Version, version)
                        .SetProperty(r => r.Status, row.Status)
                        .SetProperty(r => r.Pool, row.Pool)
                        .SetProperty(r => r.ModelKey, row.ModelKey)
                        .SetProperty(r => r.OutputFolder, row.OutputFolder)
                        .SetProperty(r => r.SubmittedAt, row.SubmittedAt)
                        .SetProperty(r => r.Deadline, row.Deadline)
                        .SetProperty(r => r.Order, row.Order)
                        .SetProperty(r => r.State, row.State)
                        .SetProperty(r => r.Reason, row.Reason)
                        .SetProperty(r => r.EventCount, r => r.EventCount + events.Count),
                    ct);
                if (updated == 1)
                {
                    // The update has locked the row, so nobody else counts on from here.
                    var count = await context.Runs.Where(r => r.RunId == run.RunId).Select(r => r.EventCount).SingleAsync(ct);
                    AddParts(context, run.RunId, version, writeId, count - events.Count, events, messages);
                    await context.SaveChangesAsync(ct);
                }
                else if (!await WroteAsync(context, run.RunId, version, writeId, ct))
                {
                    var found = await context.Runs.Where(r => r.RunId == run.RunId).Select(r => (long?)r.Version).SingleOrDefaultAsync(ct);
                    throw new StaleVersionException(run.RunId, run.Version, found ?? 0);
                }

                return row.ToRun();
            },
            ct);
    }

    public Task<IReadOnlyList<string>> OpenRunsAsync(CancellationToken ct) => database.ReadAsync<IReadOnlyList<string>>(
        async context => await Open(context).OrderBy(r => r.Deadline == null).ThenBy(r => r.Deadline).ThenBy(r => r.SubmittedAt).ThenBy(r => r.RunId)
            .Select(r => r.RunId).ToListAsync(ct),
        ct);

    public Task<StoredRun?> RunAtWorkOnAsync(string modelKey, CancellationToken ct) => database.ReadAsync(
        async context => (await context.Runs.AsNoTracking().SingleOrDefaultAsync(r => r.ModelKey == modelKey && r.Status == RunStatus.Running, ct))?.ToRun(),
        ct);

    public Task<StoredRun?> OpenRunWritingToAsync(string outputFolder, CancellationToken ct) => database.ReadAsync(
        async context => (await Open(context).FirstOrDefaultAsync(r => r.OutputFolder == outputFolder, ct))?.ToRun(),
        ct);

    public Task<IReadOnlyList<RunHead>> HeadsAsync(int limit, CancellationToken ct) => database.ReadAsync<IReadOnlyList<RunHead>>(
        async context =>
        {
            // Named, so that the large columns are not read.
            var newest = context.Runs.OrderByDescending(r => r.SubmittedAt).ThenByDescending(r => r.RunId).Take(limit)
                .Select(r => new { r.RunId, r.Version, r.Status, r.Pool, r.OutputFolder, r.SubmittedAt, r.Deadline, r.Reason });
            return (await newest.ToListAsync(ct)).ConvertAll(r => new RunHead
            {
                RunId = r.RunId,
                Version = r.Version,
                Status = r.Status,
                Pool = r.Pool,
                OutputFolder = r.OutputFolder,
                SubmittedAt = new DateTimeOffset(r.SubmittedAt, TimeSpan.Zero),
                Deadline = r.Deadline is { } ticks ? new DateTimeOffset(ticks, TimeSpan.Zero) : null,
                Reason = r.Reason,
            });
        },
        ct);

    public Task<IReadOnlyList<StoredRun>> ReadManyAsync(IReadOnlyCollection<string> runIds, CancellationToken ct) => database.ReadAsync<IReadOnlyList<StoredRun>>(
        async context => (await context.Runs.AsNoTracking().Where(r => runIds.Contains(r.RunId)).ToListAsync(ct)).ConvertAll(r => r.ToRun()),
        ct);

    public Task<IReadOnlyList<StoredEvent>> EventsAsync(string runId, long after, int limit, CancellationToken ct) => database.ReadAsync<IReadOnlyList<StoredEvent>>(
        async context =>
        {
            var rows = await context.Events.AsNoTracking().Where(e => e.RunId == runId && e.Sequence > after)
                .OrderBy(e => e.Sequence).Take(limit).ToListAsync(ct);
            return rows.ConvertAll(e => new StoredEvent(e.RunId, e.Sequence, new DateTimeOffset(e.Time, TimeSpan.Zero), e.Name, e.Fields));
        },
        ct);

    private Task<(StoredRun Run, bool Created)> InsertAsync(StoredRun run, IReadOnlyList<NewEvent> events, CancellationToken ct)
    {
        var writeId = NewId();
        var row = ToRow(run);
        return WriteAsync(
            run.RunId,
            async context =>
            {
                // Waits for whoever is about to create it, without failing the transaction as an insert alone would.
                var inserted = await context.Database.ExecuteSqlAsync(
                    $"""
                    INSERT INTO run (run_id, version, status, pool, model_key, output_folder, submitted_at, deadline, order_body, state, reason, event_count)
                    VALUES ({row.RunId}, 1, {row.Status.ToString()}, {row.Pool}, {row.ModelKey}, {row.OutputFolder}, {row.SubmittedAt}, {row.Deadline}, {row.Order}, {row.State}, {row.Reason}, {events.Count})
                    ON CONFLICT (run_id) DO NOTHING
                    """,
                    ct);
                if (inserted == 1)
                {
                    AddParts(context, run.RunId, 1, writeId, 0, events, []);
                    await context.SaveChangesAsync(ct);
                }

                var stored = await context.Runs.AsNoTracking().SingleAsync(r => r.RunId == run.RunId, ct);
                return (stored.ToRun(), inserted == 1 || await WroteAsync(context, run.RunId, 1, writeId, ct));
            },
            ct);
    }

    private static string NewId() => Guid.NewGuid().ToString("N");

    private static Task<bool> WroteAsync(StoreContext context, string runId, long version, string writeId, CancellationToken ct) =>
        context.Writes.AnyAsync(w => w.RunId == runId && w.Version == version && w.WriteId == writeId, ct);

    private static void AddParts(
        StoreContext context, string runId, long version, string writeId, long sequence, IReadOnlyList<NewEvent> events, IReadOnlyList<OutgoingMessage> messages)
    {
        context.Writes.Add(new WriteRow { RunId = runId, Version = version, WriteId = writeId });
        foreach (var added in events)
        {
            context.Events.Add(new EventRow { RunId = runId, Sequence = ++sequence, Time = added.Time.UtcTicks, Name = added.Name, Fields = added.Fields });
        }

        foreach (var message in messages)
        {
            context.Messages.Add(new MessageRow { Destination = message.Destination, Type = message.Type, Body = message.Body });
        }
    }

    private static RunRow ToRow(StoredRun run) => new()
    {
        RunId = run.RunId,
        Version = run.Version,
        Status = run.Status,
        Pool = run.Pool,
        ModelKey = run.ModelKey,
        OutputFolder = run.OutputFolder,
        SubmittedAt = run.SubmittedAt.UtcTicks,
        Deadline = run.Deadline?.UtcTicks,
        Order = run.Order,
        State = run.State,
        Reason = run.Reason,
    };

    private static IQueryable<RunRow> Open(StoreContext context) => context.Runs.AsNoTracking().Where(r => r.Status == RunStatus.Queued || r.Status == RunStatus.Running);

    private async Task<T> WriteAsync<T>(string runId, Func<StoreContext, Task<T>> work, CancellationToken ct)
    {
        try
        {
            return await database.WriteAsync(work, ct);
        }
        catch (Exception e) when (StoreDatabase.TakenColumn(e) is { } column)
        {
            throw new RunConflictException(runId, column == "model_key" ? RunExclusion.Model : RunExclusion.OutputFolder, e);
        }
    }
}
