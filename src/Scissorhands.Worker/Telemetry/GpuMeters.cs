using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;

namespace Scissorhands.Worker.Telemetry;

/// <summary>
/// Memory and utilisation of the machine's GPUs by the conventions of <c>hw.gpu.*</c>, as the driver's own tool tells them:
/// it counts all processes, which a worker's allocator does not.
/// </summary>
internal sealed class GpuMeters : IDisposable
{
    private const string Tool = "nvidia-smi";
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private readonly Meter _meter = new(WorkerMeters.Name);
    private readonly Lock _sync = new();
    private IReadOnlyList<Gpu> _gpus = [];
    private long _readAt;
    private bool _reading;

    /// <summary>Begins to tell.</summary>
    public GpuMeters()
    {
        _meter.CreateObservableGauge("hw.gpu.memory.usage", () => Read(static gpu => (long)gpu.UsedBytes), "By", "Memory of the device in use, by all processes.");
        _meter.CreateObservableGauge("hw.gpu.memory.limit", () => Read(static gpu => (long)gpu.TotalBytes), "By", "Memory of the device.");
        _meter.CreateObservableGauge("hw.gpu.utilization", () => Read(static gpu => gpu.Utilization), "1", "Share of the last moment in which the device computed.");
    }

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();

    /// <summary>Reads what the tool prints: index, memory used, memory, in MiB, and utilisation in percent, a line a device.</summary>
    /// <param name="output">Its output.</param>
    /// <returns>The devices; lines that are none are left out.</returns>
    internal static IReadOnlyList<Gpu> Parse(string output)
    {
        var gpus = new List<Gpu>();
        foreach (var line in output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var fields = line.Split(',', StringSplitOptions.TrimEntries);
            if (fields.Length == 4
                && double.TryParse(fields[1], NumberStyles.Float, CultureInfo.InvariantCulture, out var used)
                && double.TryParse(fields[2], NumberStyles.Float, CultureInfo.InvariantCulture, out var total))
            {
                // Parts of a shared device tell no utilisation.
                var known = double.TryParse(fields[3], NumberStyles.Float, CultureInfo.InvariantCulture, out var percent);
                gpus.Add(new Gpu(fields[0], used * (1 << 20), total * (1 << 20), known ? percent / 100 : double.NaN));
            }
        }

        return gpus;
    }

    // What was read last is told at once; who asks never waits for the tool.
    private IEnumerable<Measurement<T>> Read<T>(Func<Gpu, T> value)
        where T : struct
    {
        lock (_sync)
        {
            if (!_reading && (_readAt == 0 || Stopwatch.GetElapsedTime(_readAt) > Fresh))
            {
                _reading = true;
                _ = Task.Run(ReadAsync);
            }

            return [.. _gpus.Select(gpu => new Measurement<T>(value(gpu), new KeyValuePair<string, object?>("hw.id", gpu.Id)))];
        }
    }

    private async Task ReadAsync()
    {
        IReadOnlyList<Gpu> gpus = [];
        try
        {
            using var process = Process.Start(new ProcessStartInfo(Tool, "--query-gpu=index,memory.used,memory.total,utilization.gpu --format=csv,noheader,nounits") { RedirectStandardOutput = true });
            if (process is not null)
            {
                using var patience = new CancellationTokenSource(Patience);
                try
                {
                    gpus = Parse(await process.StandardOutput.ReadToEndAsync(patience.Token));
                }
                finally
                {
                    process.Kill();
                }
            }
        }
        catch (Exception)
        {
            // There is no driver, or it does not answer: there is nothing to tell.
        }
        finally
        {
            lock (_sync)
            {
                (_gpus, _readAt, _reading) = (gpus, Stopwatch.GetTimestamp(), false);
            }
        }
    }

    /// <summary>A device.</summary>
    /// <param name="Id">Its index.</param>
    /// <param name="UsedBytes">Memory in use, in bytes.</param>
    /// <param name="TotalBytes">Memory, in bytes.</param>
    /// <param name="Utilization">In [0,1]; NaN where it is not told.</param>
    internal sealed record Gpu(string Id, double UsedBytes, double TotalBytes, double Utilization);
}
