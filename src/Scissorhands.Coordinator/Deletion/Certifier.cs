using System.Globalization;
using System.Security.Cryptography;
using Scissorhands.Certificates.Bom;
using Scissorhands.Certificates.Signing;
using Scissorhands.Certificates.Statements;
using Scissorhands.Deletion.Gate;
using Scissorhands.Deletion.Models;
using Scissorhands.Deletion.Requests;
using Scissorhands.Grains.Deletion;
using Scissorhands.Grains.Store;
using Scissorhands.Planning.Configuration;
using Scissorhands.Reporting;

namespace Scissorhands.Coordinator.Deletion;

/// <summary>Signs certificates with the service's key and keeps them beside the version they speak of.</summary>
internal sealed class Certifier(SigningKey key, TimeProvider time) : ICertifier
{
    private const double Confidence = 0.95;

    public Task<string> CertifyAsync(StoredModel model, DeletionBatch batch, ModelVersion version, ModelVersion from, IReadOnlyList<DeletionRequest> requests, IReadOnlyList<string> forgotten, CancellationToken ct)
    {
        var folder = VersionFolders.VersionPath(model.Record, version.Number);
        var path = Path.Combine(folder, Certificate.FileName);
        if (!File.Exists(path))
        {
            var issued = CertificateIssuer.Issue(Draft(model, batch, folder, from, requests, forgotten), key);
            ModelBom.Write(issued.Certificate, Path.Combine(folder, ModelBom.FileName));
            issued.Write(folder);
        }

        return VersionFolders.HashAsync(path, ct);
    }

    public async Task<string?> DigestAsync(StoredModel model, int version, CancellationToken ct)
    {
        var path = Path.Combine(VersionFolders.VersionPath(model.Record, version), Certificate.FileName);
        return File.Exists(path) ? await VersionFolders.HashAsync(path, ct) : null;
    }

    private CertificateDraft Draft(StoredModel model, DeletionBatch batch, string folder, ModelVersion from, IReadOnlyList<DeletionRequest> requests, IReadOnlyList<string> forgotten)
    {
        var now = time.GetUtcNow();
        var report = ReportJson.Read(Path.Combine(folder, "report.json"));
        var draft = CertificateDraft.From(report, forgotten, now);
        var chosen = batch.Attempts[^1];
        BoundRecord[] bounds =
        [
            .. chosen.Verdict!.Checks.Select(Bound),
            .. chosen.Final?.Checks.Select(static check => Bound(check) with { Metric = $"{check.Name}, against test data that no choice looked at" }) ?? [],
        ];
        return draft with
        {
            Evaluation = draft.Evaluation with { Bounds = bounds, Verdict = EvaluationRecord.Of(bounds) },
            Attempts = [.. batch.Attempts.Select((attempt, index) => Attempt(model, attempt, index == batch.Attempts.Count - 1 ? draft.Attempts[0] : null))],
            Times = draft.Times with { Received = requests.Min(static r => r.ReceivedAt) },
            Requests = [.. requests.Select(static r => r.Id).Order(StringComparer.Ordinal)],
            Custody = [.. batch.Destroyed.Select(item => new CustodyRecord { Item = item, State = CustodyState.Destroyed, At = now }), .. Kept(model, batch)],
            Lineage = Lineage(model, from),
        };
    }

    private static IEnumerable<CustodyRecord> Kept(StoredModel model, DeletionBatch batch)
    {
        foreach (var item in batch.Kept)
        {
            yield return new CustodyRecord { Item = item, State = CustodyState.Kept, Note = "They are evidence; they are destroyed when the hold is lifted and the request ends." };
        }


        yield return new CustodyRecord { Item = "the file that was registered", State = CustodyState.Kept, Note = "It lies outside of the model's folder of versions, which is all that this service destroys." };
        yield return new CustodyRecord { Item = "the rows in the training data", State = CustodyState.Kept, Note = "They are the pipeline's to delete; no later run of this model trains on them." };
        if (model.Record.Policy.KeepVersions > 0)
        {
            yield return new CustodyRecord { Item = "superseded versions", State = CustodyState.Kept, Note = string.Create(CultureInfo.InvariantCulture, $"The policy keeps the newest {model.Record.Policy.KeepVersions} for rolling back.") };
        }
    }

    private static BoundRecord Bound(GateCheck check) => new()
    {
        Metric = check.Name,
        Value = Math.Round(check.Value, 9),
        Minimum = check.Min is { } min ? Math.Round(min, 9) : null,
        Maximum = check.Max is { } max ? Math.Round(max, 9) : null,
        Interval = new IntervalRecord(Math.Round(check.Low, 9), Math.Round(check.High, 9), Confidence),
        Verdict = check.Outcome switch
        {
            GateOutcome.Pass => Verdict.Pass,
            GateOutcome.Inconclusive => Verdict.Inconclusive,
            _ => Verdict.Fail,
        },
    };

    private static AttemptRecord Attempt(StoredModel model, BatchAttempt attempt, AttemptRecord? published)
    {
        if (published is not null)
        {
            return published with { Number = attempt.Number + 1, Verdict = EvaluationRecord.Of([.. attempt.Verdict!.Checks.Select(Bound)]), Reason = attempt.Verdict.Notes is [_, ..] notes ? string.Join("; ", notes) : null };
        }

        var configuration = VersionFolders.Configuration(model.Record, attempt.Preset, "");
        return new AttemptRecord
        {
            Number = attempt.Number + 1,
            Outcome = attempt.Failure is null ? AttemptOutcome.Rejected : AttemptOutcome.Failed,
            Seed = configuration.Seed.ToString(CultureInfo.InvariantCulture),
            ConfigurationSha256 = ConfigurationJson.Hash(configuration.ForResult()),
            Verdict = attempt.Verdict is { } verdict ? EvaluationRecord.Of([.. verdict.Checks.Select(Bound)]) : null,
            Reason = $"preset {attempt.Preset}: {attempt.Failure ?? attempt.Verdict?.Describe()}",
        };
    }

    private static LineageRecord? Lineage(StoredModel model, ModelVersion from)
    {
        var path = Path.Combine(VersionFolders.VersionPath(model.Record, from.Number), Certificate.FileName);
        return File.Exists(path) ? new LineageRecord { EarlierStatementSha256 = Certificate.Read(path).StatementSha256 } : null;
    }
}
