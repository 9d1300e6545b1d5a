using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Scissorhands.Certificates.Statements;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Certificates.Tests;

/// <summary>Drafts of certificates as a coordinator would make them.</summary>
internal static class SampleDrafts
{
    public static IReadOnlyList<string> Ids(int count) => [.. Enumerable.Range(0, count).Select(static i => string.Create(CultureInfo.InvariantCulture, $"train-{i:D5}"))];

    public static string Digest(string of) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(of)));

    public static CertificateDraft Full(int ids = 7)
    {
        var text = ConfigurationJson.Compact(new RunConfiguration { Seed = 9_007_199_254_740_993 });
        var noon = new DateTimeOffset(2026, 11, 3, 12, 0, 0, TimeSpan.Zero);
        BoundRecord[] bounds =
        [
            new() { Metric = "ta", Value = 92.5, Minimum = 90, Interval = new IntervalRecord(91.9, 93.1, 0.95), Verdict = Verdict.Pass },
            new() { Metric = "ua", Value = 5.25, Minimum = 5, Interval = new IntervalRecord(4.5, 6.1, 0.95), Verdict = Verdict.Inconclusive },
        ];
        return new CertificateDraft
        {
            Subjects = [new("mask.safetensors", new(Digest("mask"))), new("model.pt", new(Digest("script"))), new("model.safetensors", new(Digest("model")))],
            Program = new() { Name = "scissorhands", Version = "0.1.0", Libtorch = "2.10.0", Device = "cpu (avx2, 1 thread a worker)" },
            Model = new() { Name = "modèle \"α\".pt", Sha256 = Digest("before") },
            Data = new() { Sha256 = Digest("data"), Retained = 45_000, ForgottenEarlier = 3, TestSha256 = Digest("test"), Test = 10_000 },
            ForgottenIds = Ids(ids),
            UnknownIds = 1,
            Configuration = new() { Json = text, Sha256 = Digest(text), Seed = "9007199254740993" },
            PlanHash = Digest("plan"),
            Evaluation = new()
            {
                Before = new() { Ua = 1.9, Ra = 98.15, Ta = 85.71, Mia = 7.9 },
                After = new() { Ua = 5.25, Ra = 100, Ta = 92.5, Mia = 1e-7 },
                EarlierAccuracy = 0,
                Bounds = bounds,
                Verdict = EvaluationRecord.Of(bounds),
            },
            Attempts =
            [
                new() { Number = 1, Started = noon, Ended = noon.AddMinutes(5), Outcome = AttemptOutcome.Rejected, Seed = "1", ConfigurationSha256 = Digest("first"), Verdict = Verdict.Fail, Reason = "TA fell below its bound" },
                new() { Number = 2, Started = noon.AddMinutes(6), Ended = noon.AddMinutes(12), Outcome = AttemptOutcome.Published, Seed = "9007199254740993", ConfigurationSha256 = Digest(text), Verdict = Verdict.Inconclusive },
            ],
            Times = new() { Received = noon.AddHours(-2), Started = noon, Published = noon.AddMinutes(12).AddTicks(1_234_567) },
            Requests = ["request-1", "request-2"],
            Custody =
            [
                new() { Item = "checkpoints", State = CustodyState.Destroyed, At = noon.AddMinutes(12), AuditId = "audit-17" },
                new() { Item = "quarantine", State = CustodyState.Scheduled, At = noon.AddDays(7) },
                new() { Item = "supersededModel", State = CustodyState.Kept, Note = "until the next release" },
            ],
            Lineage = new() { EarlierStatementSha256 = Digest("earlier") },
        };
    }
}
