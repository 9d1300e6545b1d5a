using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Scissorhands.Cli.Tests.Runs;
using Scissorhands.Grains.Telemetry;
using Scissorhands.Messaging.Rabbit;
using Scissorhands.Testing;
using Scissorhands.Worker.Telemetry;

namespace Scissorhands.Cli.Tests.Telemetry;

/// <summary>docs/metrics.md says what the code measures, no more and no less.</summary>
public sealed partial class MetricsCatalogueTests
{
    private static readonly string[] Meters = [ServiceMeters.Name, RunMeters.Name, WorkerMeters.Name, CollectiveMeters.Name];

    /// <summary>The rows of the catalogue: instrument, name in Prometheus, kind, unit, meaning.</summary>
    internal static IReadOnlyList<(string Instrument, string Prometheus, string Kind, string Unit, string Meaning)> Rows { get; } =
    [
        .. File.ReadAllLines(Path.Combine(RepositoryFiles.Root, "docs", "metrics.md")).Select(static line => Row().Match(line)).Where(static match => match.Success)
            .Select(static match => (match.Groups[1].Value, match.Groups[2].Value, match.Groups[3].Value, match.Groups[4].Value, match.Groups[6].Value.Trim())),
    ];

    [Fact]
    public void Catalogue_andInstruments_areTheSame()
    {
        Assert.True(Rows.Count > 40);
        var code = Instruments();
        Assert.Equal(Rows.Select(static r => r.Instrument).Order(StringComparer.Ordinal), code.Keys.Order(StringComparer.Ordinal));
        foreach (var row in Rows)
        {
            var instrument = code[row.Instrument];
            Assert.Equal((row.Instrument, row.Unit, row.Kind.Split(',')[0]), (instrument.Name, instrument.Unit, KindOf(instrument)));
            Assert.Equal(row.Meaning, instrument.Description);
            Assert.Equal(row.Prometheus, InPrometheus(instrument));
        }
    }

    [Fact]
    public void Labels_neverNameARunOrAPerson() =>
        Assert.DoesNotContain(Rows, static row => Regex.IsMatch(row.Prometheus, "run_id|request_id|sample_id|subject"));

    private static Dictionary<string, Instrument> Instruments()
    {
        foreach (var type in (Type[])[typeof(ServiceMeters), typeof(RunMeters), typeof(WorkerMeters), typeof(CollectiveMeters)])
        {
            RuntimeHelpers.RunClassConstructor(type.TypeHandle);
        }

        using var gpus = new GpuMeters();
        var found = new Dictionary<string, Instrument>(StringComparer.Ordinal);
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, _) =>
        {
            if (Meters.Contains(instrument.Meter.Name, StringComparer.Ordinal))
            {
                lock (found)
                {
                    found[instrument.Name] = instrument;
                }
            }
        };
        listener.Start();
        return found;
    }

    private static string KindOf(Instrument instrument) => instrument.GetType().Name switch
    {
        var name when name.StartsWith("Counter", StringComparison.Ordinal) => "counter",
        var name when name.StartsWith("Histogram", StringComparison.Ordinal) => "histogram",
        _ => "gauge",
    };

    // As OpenTelemetry names them for Prometheus.
    private static string InPrometheus(Instrument instrument)
    {
        var name = instrument.Name.Replace('.', '_');
        var suffix = instrument.Unit switch
        {
            "s" => "_seconds",
            "By" => "_bytes",
            "%" => "_percent",
            "nat" => "_nat",
            _ => "",
        };
        return name + suffix + (KindOf(instrument) == "counter" ? "_total" : "");
    }

    [GeneratedRegex(@"^\| `([a-z._]+)` \| `([a-z_]+)` \| ([a-z, ]+) \| (\S+) \|([^|]*)\| ([^|]*) \|$")]
    private static partial Regex Row();
}
