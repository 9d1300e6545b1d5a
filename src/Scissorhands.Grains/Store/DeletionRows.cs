using System.Text.Json;
using Scissorhands.Deletion.Audit;
using Scissorhands.Deletion.Models;
using Scissorhands.Deletion.Requests;

namespace Scissorhands.Grains.Store;

internal sealed class ModelRow
{
    public required string Name { get; set; }

    public long Version { get; set; }

    public required string DataSet { get; set; }

    public required string Body { get; set; }

    public int CurrentVersion { get; set; }

    public int LastBatch { get; set; }

    public int? OpenBatch { get; set; }

    public long Forgotten { get; set; }

    public required string WriteId { get; set; }

    public StoredModel ToModel() => new()
    {
        Record = JsonSerializer.Deserialize<ModelRecord>(Body, DeletionJson.Options)!,
        Version = Version,
        CurrentVersion = CurrentVersion,
        LastBatch = LastBatch,
        OpenBatch = OpenBatch,
        Forgotten = Forgotten,
    };
}

internal sealed class VersionRow
{
    public required string Model { get; set; }

    public int Number { get; set; }

    public required string State { get; set; }

    public required string Body { get; set; }
}

internal sealed class BatchRow
{
    public required string Model { get; set; }

    public int Number { get; set; }

    public required string Phase { get; set; }

    public required string Body { get; set; }
}

internal sealed class RequestRow
{
    public required string Id { get; set; }

    public required string Tenant { get; set; }

    public required string Model { get; set; }

    public required string State { get; set; }

    public long StoredAt { get; set; }

    public long Deadline { get; set; }

    public int Samples { get; set; }

    public long? RetryAt { get; set; }

    public long? QuarantinedAt { get; set; }

    public required string BodyDigest { get; set; }

    public required string Body { get; set; }

    public static RequestRow Of(DeletionRequest request) => new()
    {
        Id = request.Id,
        Tenant = request.Tenant,
        Model = request.Model,
        State = request.State.ToString(),
        StoredAt = request.StoredAt.UtcTicks,
        Deadline = request.Deadline.UtcTicks,
        Samples = request.Samples?.Count ?? request.Resolution.Samples,
        RetryAt = request.RetryAt?.UtcTicks,
        QuarantinedAt = request.QuarantinedAt?.UtcTicks,
        BodyDigest = request.BodyDigest,
        Body = JsonSerializer.Serialize(request, DeletionJson.Options),
    };

    public DeletionRequest ToRequest() => JsonSerializer.Deserialize<DeletionRequest>(Body, DeletionJson.Options)!;
}

internal sealed class TombstoneRow
{
    public required string Model { get; set; }

    public required string SampleId { get; set; }

    public int Batch { get; set; }
}

internal sealed class DoneSampleRow
{
    public required string Model { get; set; }

    public required string RequestId { get; set; }

    public required string SampleId { get; set; }
}

/// <summary>Stays when a version is taken back: what was meant by the id.</summary>
internal sealed class ForgottenContentRow
{
    public required string Model { get; set; }

    public required string SampleId { get; set; }

    public required string Hash { get; set; }
}

internal sealed class AuditInboxRow
{
    public long Id { get; set; }

    public required string Chain { get; set; }

    public long Time { get; set; }

    public required string Kind { get; set; }

    public required string Body { get; set; }

    public static AuditInboxRow Of(AuditDraft draft) => new() { Chain = draft.Chain, Time = draft.Time.UtcTicks, Kind = draft.Kind, Body = draft.Body };

    public AuditDraft ToDraft() => new(Chain, new DateTimeOffset(Time, TimeSpan.Zero), Kind, Body);
}

internal sealed class AuditEntryRow
{
    public required string Chain { get; set; }

    public long Sequence { get; set; }

    public long Time { get; set; }

    public required string Kind { get; set; }

    public required string Body { get; set; }

    public required string Previous { get; set; }

    public required string Hash { get; set; }

    public static AuditEntryRow Of(AuditEntry entry) => new()
    {
        Chain = entry.Chain,
        Sequence = entry.Sequence,
        Time = entry.Time.UtcTicks,
        Kind = entry.Kind,
        Body = entry.Body,
        Previous = entry.Previous,
        Hash = entry.Hash,
    };

    public AuditEntry ToEntry() => new(Chain, Sequence, new DateTimeOffset(Time, TimeSpan.Zero), Kind, Body, Previous, Hash);
}

internal sealed class AuditHeadRow
{
    public required string Chain { get; set; }

    public long Epoch { get; set; }

    public long Sequence { get; set; }

    public required string Hash { get; set; }
}

internal sealed class SignedHeadRow
{
    public long Number { get; set; }

    public required string Chain { get; set; }

    public long Sequence { get; set; }

    public long Time { get; set; }

    public required string KeyId { get; set; }

    public required string Envelope { get; set; }

    public StoredHead ToHead() => new(Number, Chain, Sequence, new DateTimeOffset(Time, TimeSpan.Zero), KeyId, Envelope);
}
