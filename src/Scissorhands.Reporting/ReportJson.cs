using System.Text.Json;
using System.Text.Json.Serialization;
using Scissorhands.Planning;
using Scissorhands.Reporting.Model;

namespace Scissorhands.Reporting;

/// <summary>Writes and reads <c>report.json</c>.</summary>
public static class ReportJson
{
    private const long MaximumBytes = 256L << 20;

    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
        NewLine = "\n",
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        AllowDuplicateProperties = false,
        // A mean loss may be infinite, which plain JSON cannot say.
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    /// <summary>Writes a report beside its final name and renames it.</summary>
    /// <param name="report">The report.</param>
    /// <param name="path">The file.</param>
    /// <exception cref="RunFailedException">The file cannot be written.</exception>
    public static void Write(RunReport report, string path)
    {
        ArgumentNullException.ThrowIfNull(report);
        PublishedFile.Write(path, stream => JsonSerializer.Serialize(stream, report, Options));
    }

    /// <summary>Reads a report.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The report; equal reports give equal files.</returns>
    /// <exception cref="InputException">The file is missing, too large, not a report, of another version, or contradicts itself.</exception>
    public static RunReport Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        try
        {
            using var stream = File.OpenRead(path);
            if (stream.Length > MaximumBytes)
            {
                throw new InputException($"{path}: larger than {MaximumBytes} bytes; is this a report.json?");
            }

            using var document = JsonDocument.Parse(stream);
            CheckVersion(document.RootElement, path);
            var report = document.RootElement.Deserialize<RunReport>(Options) ?? throw new InputException($"{path}: holds no report");
            CheckConsistency(report, path);
            return report;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: cannot be read: {OneLine(failure)}", failure);
        }
        catch (JsonException failure)
        {
            throw new InputException($"{path}: not a report: {OneLine(failure)}", failure);
        }
    }

    // Before anything else: a record of another version fails in misleading ways.
    private static void CheckVersion(JsonElement root, string path)
    {
        if (root.ValueKind != JsonValueKind.Object
            || !root.TryGetProperty("schemaVersion", out var version)
            || version.ValueKind != JsonValueKind.Number
            || !version.TryGetInt32(out var number))
        {
            throw new InputException($"{path}: not a report: no schemaVersion");
        }

        if (number != RunReport.CurrentSchemaVersion)
        {
            throw new InputException($"{path}: report schema {number}; this program reads schema {RunReport.CurrentSchemaVersion}");
        }
    }

    private static void CheckConsistency(RunReport report, string path)
    {
        var series = report.Repair;
        Require(series.RetainLoss.Count == series.ForgetLoss.Count, "repair.retainLoss and repair.forgetLoss differ in length");
        Require(series.Times is not { } t || (t.ComputeSeconds >= 0 && t.WaitSeconds >= 0 && t.WireSeconds >= 0 && t.UpdateSeconds >= 0), "repair.times holds an impossible time");
        Require(series.StepsPerEpoch >= 0, "repair.stepsPerEpoch is negative");
        Require(report.Trim.Rows.All(row => row is { Elements: >= 0 } && row.Trimmed >= 0 && row.Trimmed <= row.Elements), "trim.rows holds an impossible row");
        Require(report.Stages.All(stage => stage is not null && double.IsFinite(stage.Seconds) && stage.Seconds >= 0), "stages holds an impossible time");
        Require(report.Notes.All(note => note is not null) && report.Artifacts.All(a => a is not null) && series.Epochs.All(e => e is not null), "a list holds null");
        foreach (var model in new[] { report.Before, report.AfterTrim, report.AfterRepair, report.Retrained }.OfType<ModelMeasurement>())
        {
            Require(model.NonMemberShare is null or (>= 0 and <= 1), "nonMemberShare lies outside [0,1]");
            foreach (var set in new[] { model.Forget, model.Retain, model.Test, model.TestFinal, model.Earlier }.OfType<SetMeasurement>())
            {
                Require(set.Count >= 0, "a set's count is negative");
                Require(set.Accuracy is >= 0 and <= 1, "an accuracy lies outside [0,1]");
                Require(set.Confidence.Count is 0 or SetMeasurement.ConfidenceBins, $"a confidence histogram has not {SetMeasurement.ConfidenceBins} bins");
                Require(set.Confidence.All(bin => bin >= 0), "a confidence histogram has a negative bin");
            }
        }

        void Require(bool holds, string otherwise)
        {
            if (!holds)
            {
                throw new InputException($"{path}: not a report: {otherwise}");
            }
        }
    }

    private static string OneLine(Exception failure) => failure.Message.ReplaceLineEndings(" ");
}
