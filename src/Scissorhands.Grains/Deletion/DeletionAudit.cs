using System.Text.Json;
using Scissorhands.Deletion.Audit;
using Scissorhands.Deletion.Models;
using Scissorhands.Deletion.Requests;
using Scissorhands.Grains.Store;

namespace Scissorhands.Grains.Deletion;

/// <summary>Rows for the audit. They name requests, batches, runs and versions, never samples or people.</summary>
public static class DeletionAudit
{
    /// <summary>A model was registered.</summary>
    public static AuditDraft Registered(string tenant, ModelRecord model, string principal, DateTimeOffset now) =>
        Draft(tenant, now, "model.registered", new { model = model.Name, sha256 = model.Sha256, dataSet = model.DataSet, principal });

    /// <summary>A model's policy, configuration, pool or workers were changed.</summary>
    public static AuditDraft Configured(ModelRecord model, string principal, DateTimeOffset now) =>
        Draft(model.Tenant, now, "model.configured", new { model = model.Name, policy = model.Policy, configuration = model.Configuration, pool = model.Pool, workers = model.Workers, principal });

    /// <summary>A model takes no more requests.</summary>
    public static AuditDraft Retired(ModelRecord model, string principal, DateTimeOffset now) =>
        Draft(model.Tenant, now, "model.retired", new { model = model.Name, principal });

    /// <summary>A model that was retired takes requests again.</summary>
    public static AuditDraft Reinstated(ModelRecord model, string principal, DateTimeOffset now) =>
        Draft(model.Tenant, now, "model.reinstated", new { model = model.Name, principal });

    /// <summary>A request became durable.</summary>
    public static AuditDraft Received(DeletionRequest request) => Draft(
        request.Tenant,
        request.StoredAt,
        request.State == RequestState.Rejected ? "request.rejected" : "request.received",
        new { request = request.Id, principal = request.Principal, model = request.Model, samples = request.Resolution.Samples, deadline = request.Deadline, state = request.State, legalHold = request.LegalHold, reason = request.Reason });

    /// <summary>A request changed its state.</summary>
    public static AuditDraft Changed(DeletionRequest request, DateTimeOffset now, string? principal = null) =>
        Draft(request.Tenant, now, $"request.{Name(request.State)}", new { request = request.Id, model = request.Model, batch = request.Batch, reason = request.Reason, retryAt = request.RetryAt, principal });

    /// <summary>The copies of an ended request's samples were destroyed.</summary>
    public static AuditDraft Destroyed(DeletionRequest request, DateTimeOffset now) =>
        Draft(request.Tenant, now, "request.destroyed", new { request = request.Id, model = request.Model, destroyed = "the copies of its samples in quarantine" });

    /// <summary>A batch did something.</summary>
    public static AuditDraft Batch(string tenant, DeletionBatch batch, string what, object details, DateTimeOffset now) =>
        Draft(tenant, now, $"batch.{what}", new { model = batch.Model, batch = batch.Number, details });

    /// <summary>A version was taken back, and certificates with it.</summary>
    public static AuditDraft RolledBack(string tenant, string model, int from, int to, IReadOnlyList<string> reopened, IReadOnlyList<string> revoked, string principal, DateTimeOffset now) =>
        Draft(tenant, now, "model.rolled-back", new { model, from, to, reopened, revoked, principal });

    /// <summary>The drift budget of a lineage is used up.</summary>
    public static AuditDraft RetrainRecommended(string tenant, ModelVersion version, DateTimeOffset now) =>
        Draft(tenant, now, "model.retrain-recommended", new { model = version.Model, version = version.Number, drift = version.Drift, reason = version.Retrain });

    private static string Name(RequestState state) => JsonNamingPolicy.KebabCaseLower.ConvertName(state.ToString());

    private static AuditDraft Draft(string tenant, DateTimeOffset now, string kind, object body) => new(tenant, now, kind, JsonSerializer.Serialize(body, DeletionJson.Options));
}
