using System.Globalization;
using Scissorhands.Core.Native;
using Scissorhands.Hosting.Telemetry;
using Scissorhands.Planning;

namespace Scissorhands.Worker.Cluster;

/// <summary>Who a worker is and how it behaves.</summary>
public sealed record ClusterWorkerOptions
{
    /// <summary>The worker's name: unique in the cluster, letters, digits, '-', '_' and '.'. Default: host name and process id.</summary>
    public string WorkerId { get; init; } = $"{Environment.MachineName}-{Environment.ProcessId}";

    /// <summary>The pool it works in. Default: "default".</summary>
    public string Pool { get; init; } = "default";

    /// <summary>Device: <c>cpu</c>, <c>cuda</c> or <c>cuda:N</c>. Default: cpu.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>The broker, with credentials.</summary>
    public required Uri Broker { get; init; }

    /// <summary>Version of this program; the coordinator only works with its own.</summary>
    public required string Build { get; init; }

    /// <summary>Memory that runs may take, in bytes. Default: what the machine or the container has.</summary>
    public long MemoryBytes { get; init; } = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    /// <summary>How often it gives a sign of life. Default: 2 s. The same as the coordinator's.</summary>
    public TimeSpan BeatInterval { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long it waits for an answer before it asks again. Default: 2 s.</summary>
    public TimeSpan AskAgainAfter { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>A worker that has not heard its own messages for this long starts anew. Default: 20 s.</summary>
    public TimeSpan DeafAfter { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>How long a peer may be silent during an operation. Default: 10 s.</summary>
    public TimeSpan PeerTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long it may take to come to a durable point when it is asked to end. Default: 2 min.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>What the worker tells of itself, and where. Default: what the environment says.</summary>
    public TelemetryOptions Telemetry { get; init; } = new();

    /// <summary>Checks the settings.</summary>
    /// <exception cref="InputException">A value is out of its range, or this machine has no such device.</exception>
    public void Validate()
    {
        if (!IsName(WorkerId))
        {
            throw new InputException("--id: must be 1 to 64 letters, digits, '-', '_' or '.'");
        }

        if (!IsName(Pool))
        {
            throw new InputException("--pool: must be 1 to 64 letters, digits, '-', '_' or '.'");
        }

        if (Device != "cpu" && Device != "cuda" && !(Device.StartsWith("cuda:", StringComparison.Ordinal) && int.TryParse(Device.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out _)))
        {
            throw new InputException($"--device {Device}: must be cpu, cuda or cuda:N");
        }

        if (CudaDevices.Refusal(Device) is { } refusal)
        {
            throw new InputException($"--device {Device}: {refusal}");
        }

        if (BeatInterval <= TimeSpan.Zero || AskAgainAfter <= TimeSpan.Zero || PeerTimeout <= TimeSpan.Zero || DeafAfter <= TimeSpan.Zero || Grace <= TimeSpan.Zero)
        {
            throw new InputException("intervals and timeouts must be positive");
        }
    }

    private static bool IsName(string text) => text.Length is > 0 and <= 64 && text.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');
}
