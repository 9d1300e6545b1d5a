using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Scissorhands.Certificates.Statements;
using Scissorhands.Planning.Configuration;
using Scissorhands.Reporting;

namespace Scissorhands.Certificates.Bom;

/// <summary>
/// A CycloneDX 1.6 bill of materials of the published model: the model it came from as its ancestor, the data, the figures, and
/// the certificate. A function of the certificate alone.
/// </summary>
public static class ModelBom
{
    /// <summary>The name beside a certificate.</summary>
    public const string FileName = "bom.cdx.json";

    private static readonly JsonWriterOptions Indented = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes the bill of materials.</summary>
    /// <param name="certificate">The certificate.</param>
    /// <param name="path">The file; written beside and renamed.</param>
    /// <exception cref="Planning.RunFailedException">The file cannot be written.</exception>
    public static void Write(Certificate certificate, string path)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        PublishedFile.Write(path, stream =>
        {
            using var writer = new Utf8JsonWriter(stream, Indented);
            Write(writer, certificate);
        });
    }

    private static void Write(Utf8JsonWriter writer, Certificate certificate)
    {
        var statement = certificate.Statement;
        writer.WriteStartObject();
        writer.WriteString("$schema", "http://cyclonedx.org/schema/bom-1.6.schema.json");
        writer.WriteString("bomFormat", "CycloneDX");
        writer.WriteString("specVersion", "1.6");
        writer.WriteString("serialNumber", $"urn:uuid:{Uuid(certificate.StatementSha256)}");
        writer.WriteNumber("version", 1);
        writer.WriteStartObject("metadata");
        writer.WriteString("timestamp", statement.Predicate.Times.Published.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));
        writer.WriteStartObject("tools");
        writer.WriteStartArray("components");
        writer.WriteStartObject();
        writer.WriteString("type", "application");
        writer.WriteString("name", statement.Predicate.Program.Name);
        writer.WriteString("version", statement.Predicate.Program.Version);
        writer.WriteEndObject();
        writer.WriteEndArray();
        writer.WriteEndObject();
        writer.WriteStartObject("component");
        Component(writer, certificate);
        writer.WriteEndObject();
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private static void Component(Utf8JsonWriter writer, Certificate certificate)
    {
        var predicate = certificate.Statement.Predicate;

        // The state dict, which every run leaves behind, stands for the model; its other forms are named beside it.
        var model = certificate.Statement.Subject.FirstOrDefault(static s => s.Name == "model.safetensors") ?? certificate.Statement.Subject[0];
        var name = Path.GetFileNameWithoutExtension(predicate.Model.Name);
        Head(writer, name, model.Digest.Sha256);
        writer.WriteStartObject("modelCard");
        writer.WriteStartObject("modelParameters");
        writer.WriteStartObject("approach");
        writer.WriteString("type", "supervised");
        writer.WriteEndObject();
        writer.WriteString("task", ConfigurationJson.Parse(predicate.Configuration.Json).Task);
        writer.WriteStartArray("datasets");
        DataSet(writer, "training data", predicate.Data.Sha256, $"{predicate.Data.Retained} samples that stay and {predicate.Forgotten.Count} that were forgotten");
        if (predicate.Data.TestSha256 is { } test)
        {
            DataSet(writer, "test data", test, $"{predicate.Data.Test} samples");
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
        writer.WriteStartObject("quantitativeAnalysis");
        writer.WriteStartArray("performanceMetrics");
        var figures = predicate.Evaluation.After;
        Metric(writer, predicate, "ua", "unlearning accuracy, %", "forgotten samples", figures.Ua);
        Metric(writer, predicate, "ra", "accuracy, %", "samples that stay", figures.Ra);
        Metric(writer, predicate, "ta", "accuracy, %", "test data", figures.Ta);
        Metric(writer, predicate, "mia", "called non-member by the membership attack, %", "forgotten samples", figures.Mia);
        writer.WriteEndArray();
        writer.WriteEndObject();
        writer.WriteStartObject("considerations");
        writer.WriteStartArray("technicalLimitations");
        foreach (var limit in predicate.DoesNotProve)
        {
            writer.WriteStringValue($"The certificate does not prove {limit}.");
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
        writer.WriteEndObject();
        writer.WriteStartObject("pedigree");
        writer.WriteStartArray("ancestors");
        writer.WriteStartObject();
        Head(writer, name, predicate.Model.Sha256);
        writer.WriteEndObject();
        writer.WriteEndArray();
        writer.WriteString("notes", string.Create(CultureInfo.InvariantCulture, $"The influence of {predicate.Forgotten.Count} training samples was removed by connection sensitivity and gradient projection (Scissorhands)."));
        writer.WriteEndObject();
        writer.WriteStartArray("externalReferences");
        writer.WriteStartObject();
        writer.WriteString("type", "attestation");
        writer.WriteString("url", Certificate.FileName);
        writer.WriteString("comment", $"unlearning certificate; sha256 of its statement {certificate.StatementSha256}, key {certificate.SignerKeyId}");
        writer.WriteEndObject();
        writer.WriteEndArray();
        writer.WriteStartArray("properties");
        foreach (var subject in certificate.Statement.Subject)
        {
            Property(writer, $"scissorhands:sha256:{subject.Name}", subject.Digest.Sha256);
        }

        Property(writer, "scissorhands:configuration:sha256", predicate.Configuration.Sha256);
        Property(writer, "scissorhands:verdict", JsonNamingPolicy.CamelCase.ConvertName(predicate.Evaluation.Verdict.ToString()));
        writer.WriteEndArray();
    }

    private static void Head(Utf8JsonWriter writer, string name, string sha256)
    {
        writer.WriteString("type", "machine-learning-model");
        writer.WriteString("bom-ref", $"model-{sha256}");
        writer.WriteString("name", name.Length == 0 ? "model" : name);

        // Models carry no version of their own: their bytes are it.
        writer.WriteString("version", $"sha256-{sha256}");
        writer.WriteStartArray("hashes");
        writer.WriteStartObject();
        writer.WriteString("alg", "SHA-256");
        writer.WriteString("content", sha256);
        writer.WriteEndObject();
        writer.WriteEndArray();
    }

    private static void DataSet(Utf8JsonWriter writer, string name, string sha256, string description)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "dataset");
        writer.WriteString("bom-ref", $"data-{sha256}");
        writer.WriteString("name", name);
        writer.WriteString("description", description);
        writer.WriteStartObject("contents");
        writer.WriteStartArray("properties");
        Property(writer, "scissorhands:sha256", sha256);
        writer.WriteEndArray();
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private static void Metric(Utf8JsonWriter writer, UnlearningPredicate predicate, string metric, string type, string slice, double? value)
    {
        if (value is not { } figure)
        {
            return;
        }

        writer.WriteStartObject();
        writer.WriteString("type", type);
        writer.WriteString("value", Text(figure));
        writer.WriteString("slice", slice);
        if (predicate.Evaluation.Bounds.FirstOrDefault(bound => bound.Metric == metric)?.Interval is { } interval)
        {
            writer.WriteStartObject("confidenceInterval");
            writer.WriteString("lowerBound", Text(interval.Lower));
            writer.WriteString("upperBound", Text(interval.Upper));
            writer.WriteEndObject();
        }

        writer.WriteEndObject();
    }

    private static void Property(Utf8JsonWriter writer, string name, string value)
    {
        writer.WriteStartObject();
        writer.WriteString("name", name);
        writer.WriteString("value", value);
        writer.WriteEndObject();
    }

    private static string Text(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    // Of the statement's digest, in the form of RFC 9562, version 8: equal certificates have equal bills of materials.
    private static string Uuid(string statementSha256)
    {
        var bytes = SHA256.HashData(Encoding.ASCII.GetBytes("cyclonedx " + statementSha256))[..16];
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x80);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true).ToString();
    }
}
