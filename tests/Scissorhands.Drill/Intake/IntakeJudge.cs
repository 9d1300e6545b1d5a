using System.Globalization;
using System.Text.Json;
using Scissorhands.Deletion.Audit;
using Scissorhands.Deletion.Models;
using Scissorhands.Deletion.Requests;
using Scissorhands.Grains.Store;

namespace Scissorhands.Drill.Intake;

/// <summary>Looks at a store for what was lost, done twice, or cannot be told.</summary>
internal static class IntakeJudge
{
    /// <summary>Judges.</summary>
    /// <param name="models">The store.</param>
    /// <param name="audit">Its audit.</param>
    /// <param name="expected">All requests that were accepted.</param>
    /// <param name="versions">The model's folder.</param>
    /// <param name="ct">Ends the judging.</param>
    /// <returns>What was found, without strikes.</returns>
    public static async Task<IntakeDrillOutcome> JudgeAsync(IDeletionStore models, IAuditStore audit, IReadOnlyList<DrilledRequest> expected, string versions, CancellationToken ct)
    {
        var faults = new List<string>();
        var stored = (await models.RequestsAsync(IntakeDrill.Model, Enum.GetValues<RequestState>(), ct)).ToDictionary(static r => r.Id, StringComparer.Ordinal);
        foreach (var request in expected)
        {
            if (!stored.TryGetValue(request.Id, out var found))
            {
                faults.Add($"{request.RequestId}: was accepted and is not in the store");
            }
            else if (!(found.State == RequestState.Completed || (found.State == RequestState.OnHold && request.Held) || (found.State is RequestState.Rejected or RequestState.Failed && found.Reason is { Length: > 0 })))
            {
                faults.Add($"{request.RequestId}: is {found.State} without a reason");
            }
        }

        if (stored.Count != expected.Count)
        {
            faults.Add($"{expected.Count} requests were sent, {stored.Count} are in the store");
        }

        var completed = new Dictionary<string, int>(StringComparer.Ordinal);
        var batches = 0;
        for (var number = 1; await models.BatchAsync(IntakeDrill.Model, number, ct) is { } batch; number++)
        {
            if (batch.Phase != BatchPhase.Completed)
            {
                continue;
            }

            batches++;
            foreach (var id in batch.Requests.Where(id => !completed.TryAdd(id, batch.Number)))
            {
                faults.Add($"request {id} is in the completed batches {completed[id]} and {batch.Number}");
            }

            var certificates = (await models.VersionsAsync(IntakeDrill.Model, ct)).Where(v => v.Batch == batch.Number)
                .Count(v => File.Exists(Path.Combine(versions, string.Create(CultureInfo.InvariantCulture, $"v{v.Number:0000}"), "certificate.dsse.json")));
            if (certificates != 1)
            {
                faults.Add($"batch {batch.Number} has {certificates} certificates");
            }
        }

        faults.AddRange(stored.Values.Where(r => r.State == RequestState.Completed != completed.ContainsKey(r.Id)).Select(static r => $"request {r.Id} is {r.State}, which its batches do not say"));
        faults.AddRange(await AuditFaultsAsync(audit, expected, ct));
        int Count(RequestState state) => stored.Values.Count(r => r.State == state);
        var explained = stored.Values.Where(static r => r.State is RequestState.Rejected or RequestState.Failed).GroupBy(static r => r.Reason ?? "", StringComparer.Ordinal).ToDictionary(static g => g.Key, static g => g.Count(), StringComparer.Ordinal);
        return new IntakeDrillOutcome(Count(RequestState.Completed), Count(RequestState.OnHold), explained, batches, [], faults);
    }

    /// <summary>Each tenant's chain holds, and tells of the acceptance of each request once.</summary>
    private static async Task<List<string>> AuditFaultsAsync(IAuditStore audit, IReadOnlyList<DrilledRequest> expected, CancellationToken ct)
    {
        const int Page = 1000;
        var faults = new List<string>();
        var taken = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var chain in IntakeDrill.Tenants.Values.Distinct())
        {
            var rows = new List<AuditEntry>();
            for (var more = true; more;)
            {
                var page = await audit.RowsAsync(chain, rows.Count, Page, ct);
                rows.AddRange(page);
                more = page.Count == Page;
            }

            if (AuditChain.Fault(rows) is { } fault)
            {
                faults.Add($"audit of {chain}: {fault}");
            }

            // Only what tells of its acceptance says how many samples it has; a later rejection does not.
            foreach (var row in rows.Where(static r => r.Kind is "request.received" or "request.rejected"))
            {
                using var body = JsonDocument.Parse(row.Body);
                if (body.RootElement.TryGetProperty("samples", out _))
                {
                    var id = body.RootElement.GetProperty("request").GetString()!;
                    taken[id] = taken.GetValueOrDefault(id) + 1;
                }
            }
        }

        faults.AddRange(expected.Where(r => taken.GetValueOrDefault(r.Id) != 1).Select(r => $"{r.RequestId}: its acceptance is {taken.GetValueOrDefault(r.Id)} times in the audit"));
        return faults;
    }
}
