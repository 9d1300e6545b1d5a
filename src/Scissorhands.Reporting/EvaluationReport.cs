using System.Text.Json;
using Scissorhands.Reporting.Model;

namespace Scissorhands.Reporting;

/// <summary>The figures of an evaluation alone, as <c>evaluate --json</c> writes them for scripts.</summary>
/// <param name="Metrics">The model's figures.</param>
/// <param name="Retrained">The retrained model's; null where none was given.</param>
public sealed record EvaluationReport(MetricSet Metrics, MetricSet? Retrained)
{
    private static readonly JsonWriterOptions Indented = new() { Indented = true, NewLine = "\n" };

    /// <summary>Mean distance from the retrained model over UA, RA, TA and MIA, in percentage points; null where one is missing.</summary>
    public double? AverageGap => Metrics.AverageGap(Retrained);

    /// <summary>
    /// Writes <c>{"ua", "ra", "ta", "mia", "retrained": {"ua", "ra", "ta", "mia"}, "averageGap"}</c>, percentages. All keys
    /// are there; what was not measured is null.
    /// </summary>
    /// <param name="path">The file; written beside and renamed.</param>
    /// <exception cref="Planning.RunFailedException">The file cannot be written.</exception>
    public void Write(string path)
    {
        PublishedFile.Write(path, stream =>
        {
            using var writer = new Utf8JsonWriter(stream, Indented);
            writer.WriteStartObject();
            WriteMetrics(writer, Metrics);
            writer.WritePropertyName("retrained");
            if (Retrained is null)
            {
                writer.WriteNullValue();
            }
            else
            {
                writer.WriteStartObject();
                WriteMetrics(writer, Retrained);
                writer.WriteEndObject();
            }

            WriteNumber(writer, "averageGap", AverageGap);
            writer.WriteEndObject();
        });
    }

    private static void WriteMetrics(Utf8JsonWriter writer, MetricSet metrics)
    {
        WriteNumber(writer, "ua", metrics.Ua);
        WriteNumber(writer, "ra", metrics.Ra);
        WriteNumber(writer, "ta", metrics.Ta);
        WriteNumber(writer, "mia", metrics.Mia);
    }

    private static void WriteNumber(Utf8JsonWriter writer, string name, double? value)
    {
        if (value is { } number)
        {
            writer.WriteNumber(name, number);
        }
        else
        {
            writer.WriteNull(name);
        }
    }
}
