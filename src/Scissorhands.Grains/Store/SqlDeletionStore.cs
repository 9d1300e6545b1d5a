using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Scissorhands.Deletion.Audit;
using Scissorhands.Deletion.Batching;
using Scissorhands.Deletion.Models;
using Scissorhands.Deletion.Requests;

namespace Scissorhands.Grains.Store;

/// <summary>
/// Models and deletion requests in the database of the runs. All that happens to a model and to its requests after they were
/// accepted is written with a version of the model, so that of two who decide for it at once one writes nothing.
/// </summary>
internal sealed class SqlDeletionStore(StoreDatabase database) : IDeletionStore
{
    private const int AttemptsAgainstOthers = 5;
    private const int MostNamed = 1000;
    private static readonly string[] Ended = Names([.. Enum.GetValues<RequestState>().Where(RequestTransitions.IsFinal)]);

    public Task<StoredModel> RegisterAsync(ModelRecord record, ModelVersion first, AuditDraft audit, CancellationToken ct) => database.WriteAsync(
        async context =>
        {
            var body = JsonSerializer.Serialize(record, DeletionJson.Options);
            var inserted = await context.Database.ExecuteSqlAsync(
                $"""
                INSERT INTO model (name, version, data_set, body, current_version, last_batch, open_batch, forgotten, write_id)
                VALUES ({record.Name}, 1, {record.DataSet}, {body}, 0, 0, NULL, 0, '')
                ON CONFLICT (name) DO NOTHING
                """,
                ct);
            if (inserted == 1)
            {
                context.Versions.Add(ToRow(first));
                context.AuditInbox.Add(AuditInboxRow.Of(audit));
                await context.SaveChangesAsync(ct);
            }

            return (await context.Models.AsNoTracking().SingleAsync(m => m.Name == record.Name, ct)).ToModel();
        },
        ct);

    public Task<StoredModel?> ModelAsync(string name, CancellationToken ct) => database.ReadAsync(
        async context => (await context.Models.AsNoTracking().SingleOrDefaultAsync(m => m.Name == name, ct))?.ToModel(),
        ct);

    public Task<IReadOnlyList<StoredModel>> ModelsAsync(string? dataSet, CancellationToken ct) => database.ReadAsync<IReadOnlyList<StoredModel>>(
        async context => (await context.Models.AsNoTracking().Where(m => dataSet == null || m.DataSet == dataSet).OrderBy(m => m.Name).ToListAsync(ct)).ConvertAll(static m => m.ToModel()),
        ct);

    public Task<IReadOnlyList<string>> ModelsAtWorkAsync(CancellationToken ct) => database.ReadAsync<IReadOnlyList<string>>(
        async context =>
        {
            var waiting = Names([RequestState.Received, RequestState.Accepted, RequestState.Failed]);
            return await context.Models
                .Where(m => m.OpenBatch != null || context.Requests.Any(r => r.Model == m.Name && (waiting.Contains(r.State) || (r.QuarantinedAt != null && Ended.Contains(r.State)))))
                .Select(m => m.Name)
                .ToListAsync(ct);
        },
        ct);

    public async Task<IReadOnlyList<AcceptOutcome>> AcceptAsync(IReadOnlyList<(DeletionRequest Request, AuditDraft Audit)> requests, CancellationToken ct)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await database.WriteAsync(context => InsertAsync(context, requests, ct), ct);
            }
            catch (DbUpdateException e) when (attempt < AttemptsAgainstOthers && StoreDatabase.IsTaken(e))
            {
                // Another coordinator has stored one of them since they were looked up: it is found now.
            }
        }
    }

    public Task<DeletionRequest?> RequestAsync(string id, CancellationToken ct) => database.ReadAsync(
        async context => (await context.Requests.AsNoTracking().SingleOrDefaultAsync(r => r.Id == id, ct))?.ToRequest(),
        ct);

    public Task<IReadOnlyList<DeletionRequest>> RequestsAsync(string model, IReadOnlyList<RequestState> states, CancellationToken ct) => database.ReadAsync<IReadOnlyList<DeletionRequest>>(
        async context =>
        {
            var names = Names(states);
            var rows = await context.Requests.AsNoTracking().Where(r => r.Model == model && names.Contains(r.State)).OrderBy(r => r.Deadline).ThenBy(r => r.Id).ToListAsync(ct);
            return rows.ConvertAll(static r => r.ToRequest());
        },
        ct);

    public Task<IReadOnlyList<DeletionRequest>> RequestsAsync(string model, IReadOnlyCollection<string> ids, CancellationToken ct) => database.ReadAsync<IReadOnlyList<DeletionRequest>>(
        async context =>
        {
            var rows = new List<RequestRow>(ids.Count);
            foreach (var some in ids.Distinct(StringComparer.Ordinal).Chunk(MostNamed))
            {
                rows.AddRange(await context.Requests.AsNoTracking().Where(r => r.Model == model && some.Contains(r.Id)).ToListAsync(ct));
            }

            return [.. rows.OrderBy(static r => r.Deadline).ThenBy(static r => r.Id, StringComparer.Ordinal).Select(static r => r.ToRequest())];
        },
        ct);

    public Task<IReadOnlyList<WaitingRequest>> WaitingAsync(string model, DateTimeOffset now, CancellationToken ct) => database.ReadAsync<IReadOnlyList<WaitingRequest>>(
        async context =>
        {
            var (accepted, failed, due) = (nameof(RequestState.Accepted), nameof(RequestState.Failed), now.UtcTicks);
            var rows = await context.Requests
                .Where(r => r.Model == model && (r.State == accepted || (r.State == failed && r.QuarantinedAt != null && r.RetryAt <= due)))
                .Select(static r => new { r.Id, r.StoredAt, r.Deadline, r.Samples })
                .ToListAsync(ct);
            return rows.ConvertAll(static r => new WaitingRequest(r.Id, new DateTimeOffset(r.StoredAt, TimeSpan.Zero), new DateTimeOffset(r.Deadline, TimeSpan.Zero), r.Samples));
        },
        ct);

    public Task<IReadOnlyList<DeletionRequest>> CustodyAsync(string model, CustodyNeed need, DateTimeOffset now, int limit, CancellationToken ct) => database.ReadAsync<IReadOnlyList<DeletionRequest>>(
        async context =>
        {
            var (received, failed, due) = (nameof(RequestState.Received), nameof(RequestState.Failed), now.UtcTicks);
            var all = context.Requests.AsNoTracking().Where(r => r.Model == model);
            var meant = need switch
            {
                CustodyNeed.Copy => all.Where(r => r.QuarantinedAt == null && ((r.State == received && (r.RetryAt == null || r.RetryAt <= due)) || (r.State == failed && r.RetryAt <= due))),
                CustodyNeed.Accept => all.Where(r => r.QuarantinedAt != null && r.State == received),
                CustodyNeed.Destroy => all.Where(r => r.QuarantinedAt != null && Ended.Contains(r.State)),
                CustodyNeed.Hold => all.Where(r => r.QuarantinedAt != null && !Ended.Contains(r.State)),
                _ => throw new ArgumentOutOfRangeException(nameof(need), need, null),
            };
            return (await meant.OrderBy(r => r.Deadline).ThenBy(r => r.Id).Take(limit).ToListAsync(ct)).ConvertAll(static r => r.ToRequest());
        },
        ct);

    public Task<IReadOnlyList<DeletionRequest>> ListAsync(string tenant, string? model, int limit, CancellationToken ct) => database.ReadAsync<IReadOnlyList<DeletionRequest>>(
        async context =>
        {
            var rows = await context.Requests.AsNoTracking().Where(r => r.Tenant == tenant && (model == null || r.Model == model))
                .OrderByDescending(r => r.StoredAt).ThenByDescending(r => r.Id).Take(limit).ToListAsync(ct);
            return rows.ConvertAll(static r => r.ToRequest());
        },
        ct);

    public Task<RequestCounts> CountAsync(string tenant, DateTimeOffset now, int due, CancellationToken ct) => database.ReadAsync(
        async context =>
        {
            // By model, as requests to a model are its tenant's: the index over model and state then answers, however many have ended.
            var models = (await context.Models.AsNoTracking().ToListAsync(ct)).ConvertAll(static m => m.ToModel().Record).FindAll(m => m.Tenant == tenant);
            var names = models.ConvertAll(static m => m.Name);
            var states = await context.Requests.Where(r => names.Contains(r.Model)).GroupBy(r => r.State).Select(static g => new { g.Key, Count = g.Count() }).ToListAsync(ct);
            var onHold = RequestState.OnHold.ToString();
            var open = context.Requests.AsNoTracking().Where(r => names.Contains(r.Model) && !Ended.Contains(r.State) && r.State != onHold);
            var (atRisk, missed) = (0, 0);
            foreach (var model in models)
            {
                var (passed, near) = (now.UtcTicks, (now + model.Policy.Slack).UtcTicks);
                missed += await open.CountAsync(r => r.Model == model.Name && r.Deadline < passed, ct);
                atRisk += await open.CountAsync(r => r.Model == model.Name && r.Deadline >= passed && r.Deadline < near, ct);
            }

            var oldest = await open.MinAsync(r => (long?)r.StoredAt, ct);
            var first = await open.OrderBy(r => r.Deadline).ThenBy(r => r.Id).Take(due).ToListAsync(ct);
            return new RequestCounts(
                states.ToDictionary(static g => Enum.Parse<RequestState>(g.Key), static g => g.Count),
                atRisk,
                missed,
                oldest is { } ticks ? new DateTimeOffset(ticks, TimeSpan.Zero) : null,
                first.ConvertAll(static r => r.ToRequest()));
        },
        ct);

    public Task<StoredModel> CommitAsync(StoredModel model, ModelChange change, CancellationToken ct)
    {
        var writeId = Guid.NewGuid().ToString("N");
        return database.WriteAsync(context => WriteAsync(context, model, change, writeId, ct), ct);
    }

    public Task<DeletionBatch?> BatchAsync(string model, int number, CancellationToken ct) => database.ReadAsync(
        async context => (await context.Batches.AsNoTracking().SingleOrDefaultAsync(b => b.Model == model && b.Number == number, ct)) is { } row
            ? JsonSerializer.Deserialize<DeletionBatch>(row.Body, DeletionJson.Options)
            : null,
        ct);

    public Task<IReadOnlyList<ModelVersion>> VersionsAsync(string model, CancellationToken ct) => database.ReadAsync<IReadOnlyList<ModelVersion>>(
        async context => (await context.Versions.AsNoTracking().Where(v => v.Model == model).OrderBy(v => v.Number).ToListAsync(ct))
            .ConvertAll(static v => JsonSerializer.Deserialize<ModelVersion>(v.Body, DeletionJson.Options)!),
        ct);

    public Task<IReadOnlyList<string>> TombstonesAsync(string model, CancellationToken ct) => TombstonesOfAsync(model, null, ct);

    public Task<IReadOnlyList<string>> TombstonesAsync(string model, int batch, CancellationToken ct) => TombstonesOfAsync(model, batch, ct);

    public Task<IReadOnlyDictionary<string, string>> ContentsAsync(string model, CancellationToken ct) => database.ReadAsync<IReadOnlyDictionary<string, string>>(
        async context => await context.ForgottenContents.AsNoTracking().Where(c => c.Model == model).ToDictionaryAsync(static c => c.SampleId, static c => c.Hash, StringComparer.Ordinal, ct),
        ct);

    public Task<IReadOnlyList<RequestSamples>> DoneByAsync(string model, IReadOnlyList<int> batches, CancellationToken ct) => database.ReadAsync<IReadOnlyList<RequestSamples>>(
        async context =>
        {
            var numbers = batches.ToArray();
            var requests = context.DoneSamples.Where(d => d.Model == model && context.Tombstones.Any(t => t.Model == model && t.SampleId == d.SampleId && numbers.Contains(t.Batch))).Select(static d => d.RequestId);
            var rows = await context.DoneSamples.AsNoTracking().Where(d => d.Model == model && requests.Contains(d.RequestId)).ToListAsync(ct);
            return [.. rows.GroupBy(static d => d.RequestId, StringComparer.Ordinal).OrderBy(static g => g.Key, StringComparer.Ordinal).Select(static g => new RequestSamples(g.Key, [.. g.Select(static d => d.SampleId).Order(StringComparer.Ordinal)]))];
        },
        ct);

    private static string[] Names(IReadOnlyList<RequestState> states) => [.. states.Select(static s => s.ToString())];

    private static VersionRow ToRow(ModelVersion version) => new()
    {
        Model = version.Model,
        Number = version.Number,
        State = version.State.ToString(),
        Body = JsonSerializer.Serialize(version, DeletionJson.Options),
    };

    private static async Task<IReadOnlyList<AcceptOutcome>> InsertAsync(StoreContext context, IReadOnlyList<(DeletionRequest Request, AuditDraft Audit)> requests, CancellationToken ct)
    {
        var ids = requests.Select(static r => r.Request.Id).Distinct(StringComparer.Ordinal).ToArray();
        var known = await context.Requests.AsNoTracking().Where(r => ids.Contains(r.Id)).ToDictionaryAsync(static r => r.Id, StringComparer.Ordinal, ct);
        var outcomes = new List<AcceptOutcome>(requests.Count);
        foreach (var (request, audit) in requests)
        {
            if (known.TryGetValue(request.Id, out var first))
            {
                outcomes.Add(new AcceptOutcome(first.ToRequest(), first.BodyDigest != request.BodyDigest));
                continue;
            }

            var row = RequestRow.Of(request);
            context.Requests.Add(row);
            context.AuditInbox.Add(AuditInboxRow.Of(audit));
            known.Add(request.Id, row);
            outcomes.Add(new AcceptOutcome(request, false));
        }

        await context.SaveChangesAsync(ct);
        return outcomes;
    }

    private static async Task<StoredModel> WriteAsync(StoreContext context, StoredModel model, ModelChange change, string writeId, CancellationToken ct)
    {
        var name = model.Record.Name;
        var record = JsonSerializer.Serialize(model.Record, DeletionJson.Options);
        var updated = await context.Models.Where(m => m.Name == name && m.Version == model.Version).ExecuteUpdateAsync(
            set => set
                .SetProperty(m => m.Body, record)
                .SetProperty(m => m.Version, model.Version + 1)
                .SetProperty(m => m.CurrentVersion, model.CurrentVersion)
                .SetProperty(m => m.LastBatch, model.LastBatch)
                .SetProperty(m => m.OpenBatch, model.OpenBatch)
                .SetProperty(m => m.WriteId, writeId),
            ct);
        if (updated == 0)
        {
            var found = await context.Models.AsNoTracking().SingleOrDefaultAsync(m => m.Name == name, ct);
            if (found?.Version == model.Version + 1 && found.WriteId == writeId)
            {
                // An earlier attempt, whose answer was lost.
                return found.ToModel();
            }

            throw new StaleVersionException(name, model.Version, found?.Version ?? 0);
        }

        // What is no longer in use first: the index allows one that is.
        foreach (var version in change.Versions.OrderBy(static v => v.State == VersionState.Current))
        {
            var row = ToRow(version);
            await context.Database.ExecuteSqlAsync(
                $"""
                INSERT INTO model_version (model, number, state, body) VALUES ({name}, {row.Number}, {row.State}, {row.Body})
                ON CONFLICT (model, number) DO UPDATE SET state = excluded.state, body = excluded.body
                """,
                ct);
        }

        if (change.Batch is { } batch)
        {
            var body = JsonSerializer.Serialize(batch, DeletionJson.Options);
            await context.Database.ExecuteSqlAsync(
                $"""
                INSERT INTO deletion_batch (model, number, phase, body) VALUES ({name}, {batch.Number}, {batch.Phase.ToString()}, {body})
                ON CONFLICT (model, number) DO UPDATE SET phase = excluded.phase, body = excluded.body
                """,
                ct);
        }

        foreach (var request in change.Requests)
        {
            var row = RequestRow.Of(request);
            await context.Requests.Where(r => r.Id == row.Id && r.Model == name).ExecuteUpdateAsync(
                set => set.SetProperty(r => r.State, row.State).SetProperty(r => r.Deadline, row.Deadline).SetProperty(r => r.Samples, row.Samples)
                    .SetProperty(r => r.RetryAt, row.RetryAt).SetProperty(r => r.QuarantinedAt, row.QuarantinedAt).SetProperty(r => r.Body, row.Body),
                ct);
        }

        if (change.ReopenedBatches.Count > 0)
        {
            var reopened = change.ReopenedBatches.ToArray();
            await context.Tombstones.Where(t => t.Model == name && reopened.Contains(t.Batch)).ExecuteDeleteAsync(ct);
        }

        if (change.Tombstones.Count > 0)
        {
            var there = (await context.Tombstones.Where(t => t.Model == name).Select(t => t.SampleId).ToListAsync(ct)).ToHashSet(StringComparer.Ordinal);
            context.Tombstones.AddRange(change.Tombstones.Where(there.Add).Select(id => new TombstoneRow { Model = name, SampleId = id, Batch = change.Batch!.Number }));
        }

        if (change.Reopened.Count > 0)
        {
            var reopened = change.Reopened.ToArray();
            await context.DoneSamples.Where(d => d.Model == name && reopened.Contains(d.RequestId)).ExecuteDeleteAsync(ct);
        }

        foreach (var done in change.Done)
        {
            await context.DoneSamples.Where(d => d.Model == name && d.RequestId == done.Id).ExecuteDeleteAsync(ct);
            context.DoneSamples.AddRange(done.Samples.Distinct(StringComparer.Ordinal).Select(id => new DoneSampleRow { Model = name, RequestId = done.Id, SampleId = id }));
        }

        if (change.Contents.Count > 0)
        {
            var there = (await context.ForgottenContents.Where(c => c.Model == name).Select(c => c.SampleId).ToListAsync(ct)).ToHashSet(StringComparer.Ordinal);
            context.ForgottenContents.AddRange(change.Contents.Where(c => there.Add(c.Key)).Select(c => new ForgottenContentRow { Model = name, SampleId = c.Key, Hash = c.Value }));
        }

        context.AuditInbox.AddRange(change.Audit.Select(AuditInboxRow.Of));
        context.Messages.AddRange(change.Messages.Select(static m => new MessageRow { Destination = m.Destination, Type = m.Type, Body = m.Body }));
        await context.SaveChangesAsync(ct);
        if (change.Tombstones.Count > 0 || change.ReopenedBatches.Count > 0)
        {
            var forgotten = await context.Tombstones.LongCountAsync(t => t.Model == name, ct);
            await context.Models.Where(m => m.Name == name).ExecuteUpdateAsync(set => set.SetProperty(m => m.Forgotten, forgotten), ct);
        }

        return (await context.Models.AsNoTracking().SingleAsync(m => m.Name == name, ct)).ToModel();
    }

    private Task<IReadOnlyList<string>> TombstonesOfAsync(string model, int? batch, CancellationToken ct) => database.ReadAsync<IReadOnlyList<string>>(
        async context =>
        {
            var ids = await context.Tombstones.Where(t => t.Model == model && (batch == null || t.Batch == batch)).Select(t => t.SampleId).ToListAsync(ct);
            ids.Sort(StringComparer.Ordinal);
            return ids;
        },
        ct);
}
