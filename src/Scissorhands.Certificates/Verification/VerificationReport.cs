using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Scissorhands.Certificates.Statements;

namespace Scissorhands.Certificates.Verification;

/// <summary>What was found out about a certificate.</summary>
/// <param name="Source">Its file.</param>
/// <param name="Certificate">The certificate.</param>
/// <param name="Checks">The checks, in the order in which they were made.</param>
public sealed record VerificationReport(string Source, Certificate Certificate, IReadOnlyList<Check> Checks)
{
    private static readonly JsonWriterOptions Indented = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Whether no check failed. Checks that were not made do not count: a script looks at those it relies on.</summary>
    public bool Holds => Checks.All(static check => check.Outcome != CheckOutcome.Failed);

    /// <summary>The report for people.</summary>
    /// <returns>Lines, each closed by a line feed.</returns>
    public string ToText()
    {
        var text = new StringBuilder();
        var predicate = Certificate.Statement.Predicate;
        foreach (var check in Checks)
        {
            var mark = check.Outcome switch { CheckOutcome.Passed => "ok", CheckOutcome.Failed => "FAILED", _ => "-" };
            text.Append(CultureInfo.InvariantCulture, $"{mark,-7}{check.Name,-10} {Printable(check.Detail)}\n");
        }

        text.Append('\n');
        if (Holds)
        {
            var figures = predicate.Evaluation.After;
            text.Append(CultureInfo.InvariantCulture, $"The signer states: {predicate.Forgotten.Count} samples were forgotten, published {predicate.Times.Published:yyyy-MM-dd HH:mm:ss} UTC, verdict {Name(predicate.Evaluation.Verdict)}");
            text.Append(CultureInfo.InvariantCulture, $" (UA {figures.Ua:F2} %, RA {figures.Ra:F2} %{Figure("TA", figures.Ta)}{Figure("MIA", figures.Mia)}), {predicate.Attempts.Count} attempt{(predicate.Attempts.Count == 1 ? "" : "s")}.\n");
            text.Append("This does not prove:\n");
            foreach (var limit in Limits.DoesNotProve)
            {
                text.Append("- ").Append(limit).Append('\n');
            }
        }
        else
        {
            text.Append(CultureInfo.InvariantCulture, $"NOT VERIFIED: {string.Join(", ", Checks.Where(static check => check.Outcome == CheckOutcome.Failed).Select(static check => check.Name))}\n");
        }

        return text.ToString();
    }

    /// <summary>The report for machines: one JSON object.</summary>
    /// <returns>JSON text.</returns>
    public string ToJson()
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, Indented))
        {
            var predicate = Certificate.Statement.Predicate;
            writer.WriteStartObject();
            writer.WriteBoolean("verified", Holds);
            writer.WriteString("certificate", Source);
            writer.WriteString("statementSha256", Certificate.StatementSha256);
            writer.WriteString("keyId", Certificate.SignerKeyId);
            writer.WriteBoolean("signerTrusted", Checks.Any(static check => check is { Name: "signer", Outcome: CheckOutcome.Passed }));
            writer.WriteBoolean("signerEphemeral", predicate.Signer.Ephemeral);
            writer.WriteStartArray("checks");
            foreach (var check in Checks)
            {
                writer.WriteStartObject();
                writer.WriteString("name", check.Name);
                writer.WriteString("outcome", JsonNamingPolicy.CamelCase.ConvertName(check.Outcome.ToString()));
                writer.WriteString("detail", check.Detail);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteNumber("forgotten", predicate.Forgotten.Count);
            writer.WriteString("verdict", Name(predicate.Evaluation.Verdict));
            writer.WriteStartArray("doesNotProve");
            foreach (var limit in Limits.DoesNotProve)
            {
                writer.WriteStringValue(limit);
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static string Name(Verdict verdict) => JsonNamingPolicy.CamelCase.ConvertName(verdict.ToString());

    private static string Figure(string name, double? value) => value is { } figure ? string.Create(CultureInfo.InvariantCulture, $", {name} {figure:F2} %") : "";

    // Parts of the certificate may be in a detail: nothing of it moves the terminal's cursor.
    private static string Printable(string detail) => string.Concat(detail.Select(static c => char.IsControl(c) ? '?' : c));
}
