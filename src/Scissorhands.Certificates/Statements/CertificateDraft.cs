using System.Globalization;
using Scissorhands.Planning.Configuration;
using Scissorhands.Reporting.Model;

namespace Scissorhands.Certificates.Statements;

/// <summary>What a certificate is to say, with the ids in the open. Never written anywhere.</summary>
public sealed record CertificateDraft
{
    private static readonly string[] SubjectPrefixes = ["model.", "mask."];

    /// <summary>The published files.</summary>
    public required IReadOnlyList<Subject> Subjects { get; init; }

    /// <summary>The program.</summary>
    public required ProgramRecord Program { get; init; }

    /// <summary>The model before.</summary>
    public required ModelRecord Model { get; init; }

    /// <summary>The data.</summary>
    public required DataRecord Data { get; init; }

    /// <summary>The forgotten ids, each once.</summary>
    public required IReadOnlyList<string> ForgottenIds { get; init; }

    /// <summary>Entries of the request that named nothing in the data.</summary>
    public long UnknownIds { get; init; }

    /// <summary>The configuration.</summary>
    public required ConfigurationRecord Configuration { get; init; }

    /// <summary>SHA-256 of the plan, lower-case hexadecimal digits.</summary>
    public required string PlanHash { get; init; }

    /// <summary>What was measured.</summary>
    public required EvaluationRecord Evaluation { get; init; }

    /// <summary>Every attempt.</summary>
    public required IReadOnlyList<AttemptRecord> Attempts { get; init; }

    /// <summary>When.</summary>
    public required TimesRecord Times { get; init; }

    /// <summary>Ids of the deletion requests.</summary>
    public IReadOnlyList<string> Requests { get; init; } = [];

    /// <summary>What became of copies.</summary>
    public IReadOnlyList<CustodyRecord> Custody { get; init; } = [];

    /// <summary>Where the model before came from; null where it has no certificate.</summary>
    public LineageRecord? Lineage { get; init; }

    /// <summary>
    /// Takes over what a report says: one attempt, no bounds, no requests. What a coordinator knows beyond that it sets with a
    /// <c>with</c> expression.
    /// </summary>
    /// <param name="report">The report of the finished run.</param>
    /// <param name="forgottenIds">The forgotten ids, each once; as many as the report counts.</param>
    /// <param name="published">When the certificate is made.</param>
    /// <returns>The draft.</returns>
    /// <exception cref="ArgumentException">The ids are of another number.</exception>
    public static CertificateDraft From(RunReport report, IReadOnlyList<string> forgottenIds, DateTimeOffset published)
    {
        ArgumentNullException.ThrowIfNull(report);
        ArgumentNullException.ThrowIfNull(forgottenIds);
        if (forgottenIds.Count != report.Identity.ForgetCount)
        {
            throw new ArgumentException($"{forgottenIds.Count} ids, but the report counts {report.Identity.ForgetCount}", nameof(forgottenIds));
        }

        var identity = report.Identity;
        var seed = identity.Seed.ToString(CultureInfo.InvariantCulture);
        var configuration = new ConfigurationRecord
        {
            Json = ConfigurationJson.Compact(report.Configuration.ForResult()),
            Sha256 = identity.ConfigurationHash,
            Seed = seed,
        };
        return new CertificateDraft
        {
            Subjects =
            [
                .. report.Artifacts
                    .Where(static file => Array.Exists(SubjectPrefixes, prefix => file.File.StartsWith(prefix, StringComparison.Ordinal)))
                    .Select(static file => new Subject(file.File, new SubjectDigest(file.Sha256)))
                    .OrderBy(static subject => subject.Name, StringComparer.Ordinal),
            ],
            Program = new ProgramRecord
            {
                Name = "scissorhands",
                Version = report.Environment.ProgramVersion,
                Libtorch = report.Environment.LibtorchVersion,
                Device = report.Environment.Device,
            },
            Model = new ModelRecord { Name = identity.ModelFile, Sha256 = identity.ModelSha256 },
            Data = new DataRecord
            {
                Sha256 = identity.DataDigest,
                Retained = identity.RetainCount,
                ForgottenEarlier = identity.TombstoneCount,
                TestSha256 = identity.TestDigest.Length == 0 ? null : identity.TestDigest,
                Test = identity.TestCount,
            },
            ForgottenIds = forgottenIds,
            UnknownIds = identity.ForgetUnknownCount,
            Configuration = configuration,
            PlanHash = identity.PlanHash,
            Evaluation = new EvaluationRecord
            {
                Before = Figures(report.Before),
                After = Figures(report.AfterRepair),
                Retrained = report.Retrained is { } retrained ? Figures(retrained) : null,
                EarlierAccuracy = report.AfterRepair.Earlier is { } earlier ? Math.Round(100 * earlier.Accuracy, 9) : null,
                Bounds = [],
                Verdict = Verdict.Unjudged,
            },
            Attempts =
            [
                new AttemptRecord
                {
                    Number = 1,
                    Started = report.Environment.StartedAt,
                    Ended = report.Environment.FinishedAt,
                    Outcome = AttemptOutcome.Published,
                    Seed = seed,
                    ConfigurationSha256 = identity.ConfigurationHash,
                },
            ],
            Times = new TimesRecord { Started = report.Environment.StartedAt, Published = published },
        };
    }

    private static FiguresRecord Figures(ModelMeasurement model)
    {
        var figures = model.Percent;
        return new FiguresRecord { Ua = figures.Ua, Ra = figures.Ra, Ta = figures.Ta, Mia = figures.Mia };
    }
}
