using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Scissorhands.Certificates.Json;

namespace Scissorhands.Certificates.Statements;

/// <summary>What every statement must keep to, whoever signed it.</summary>
internal static class StatementRules
{
    private const long LargestExact = 1L << 53;

    /// <summary>What a statement gets wrong.</summary>
    /// <param name="statement">The statement.</param>
    /// <returns>One line each; empty where nothing is wrong.</returns>
    public static IReadOnlyList<string> Faults(Statement statement)
    {
        ArgumentNullException.ThrowIfNull(statement);
        var faults = new List<string>();
        var predicate = statement.Predicate;
        Require(statement.Type == Statement.StatementType, $"_type is not {Statement.StatementType}");
        Require(statement.PredicateType == Statement.UnlearningPredicateType, $"predicateType is not {Statement.UnlearningPredicateType}: made by another version of the program");
        Require(statement.Subject.Count > 0, "no subject");
        Require(statement.Subject.Select(static s => s.Name).Distinct(StringComparer.Ordinal).Count() == statement.Subject.Count, "two subjects of one name");
        Require(statement.Subject.All(static s => Hex.IsSha256(s.Digest.Sha256)), "a subject's digest is none");
        Require(
            Hex.IsSha256(predicate.Model.Sha256) && Hex.IsSha256(predicate.Data.Sha256) && Hex.IsSha256(predicate.Forgotten.MerkleRoot) && Hex.IsSha256(predicate.Plan.Commitment)
                && (predicate.Data.TestSha256 is null || Hex.IsSha256(predicate.Data.TestSha256)) && (predicate.Lineage is null || Hex.IsSha256(predicate.Lineage.EarlierStatementSha256)),
            "a digest is none");
        Require(predicate.Forgotten.Count is >= 1 and <= LargestExact, "nothing was forgotten");
        Require(predicate.Data.Retained >= 0 && predicate.Data.ForgottenEarlier >= 0 && predicate.Data.Test >= 0 && predicate.Forgotten.Unknown >= 0, "a count is negative");
        Require(predicate.Data.Test == 0 || predicate.Data.TestSha256 is not null, "test data without a digest");
        var configuration = predicate.Configuration;
        Require(
            configuration.Sha256 == Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(configuration.Json))),
            "the configuration's digest is not that of its text");
        Require(IsNumber(configuration.Seed) && predicate.Attempts.All(static a => IsNumber(a.Seed)), "a seed is no number");
        Attempts(predicate, Require);
        var evaluation = predicate.Evaluation;
        Require(
            new[] { evaluation.Before, evaluation.After, evaluation.Retrained }.OfType<FiguresRecord>().All(static f => IsPercent(f.Ua) && IsPercent(f.Ra) && IsPercent(f.Ta) && IsPercent(f.Mia)) && IsPercent(evaluation.EarlierAccuracy),
            "a figure is no percentage");
        Require(evaluation.Bounds.All(static b => b.Verdict != Verdict.Unjudged && (b.Minimum ?? b.Maximum) is not null && b.Interval is null or { Confidence: > 0 and < 1 }), "a bound bounds nothing");
        Require(evaluation.Verdict == EvaluationRecord.Of(evaluation.Bounds), "the verdict is not that of its bounds");
        Require(predicate.Times.Started is not { } started || started <= predicate.Times.Published, "published before it started");
        Require(predicate.Times.Received is not { } received || received <= predicate.Times.Published, "published before it was received");
        Require(predicate.Custody.All(static c => (c.State == CustodyState.Kept) == c.At is null), "custody: a time is missing, or given for what is kept");
        Require(predicate.DoesNotProve.SequenceEqual(Limits.DoesNotProve, StringComparer.Ordinal), "the list of what it does not prove was changed");
        return faults;

        void Require(bool holds, string otherwise)
        {
            if (!holds)
            {
                faults.Add(otherwise);
            }
        }
    }

    private static void Attempts(UnlearningPredicate predicate, Action<bool, string> require)
    {
        var attempts = predicate.Attempts;
        require(attempts.Count > 0 && attempts.Select(static a => a.Number).SequenceEqual(Enumerable.Range(1, attempts.Count)), "the attempts are not numbered from 1");
        require(attempts.All(static a => Hex.IsSha256(a.ConfigurationSha256)), "an attempt's configuration has no digest");
        require(
            attempts.Count(static a => a.Outcome == AttemptOutcome.Published) == 1
                && attempts[^1] is { Outcome: AttemptOutcome.Published } last
                && last.ConfigurationSha256 == predicate.Configuration.Sha256
                && last.Seed == predicate.Configuration.Seed,
            "the last attempt, and no other, must be the one published, with the configuration that is certified");
    }

    private static bool IsNumber(string text) => long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _);

    private static bool IsPercent(double value) => value is >= 0 and <= 100;

    private static bool IsPercent(double? value) => value is null or (>= 0 and <= 100);
}
