using Scissorhands.Planning;

namespace Scissorhands.Hosting.Telemetry;

/// <summary>What a process tells of itself, and where.</summary>
public sealed record TelemetryOptions
{
    /// <summary>The variable of the OpenTelemetry convention that names where metrics and traces are sent.</summary>
    public const string EndpointVariable = "OTEL_EXPORTER_OTLP_ENDPOINT";

    /// <summary>The port that Prometheus and health checks ask at, on all addresses; null for none. Default: none.</summary>
    public int? MetricsPort { get; init; }

    /// <summary>Whether metrics and traces are sent over OTLP: where <see cref="EndpointVariable"/> is set. Its other settings are the convention's own variables, too.</summary>
    public bool SendsOtlp { get; init; } = Environment.GetEnvironmentVariable(EndpointVariable) is { Length: > 0 };

    /// <summary>Whether anything is measured at all.</summary>
    public bool IsOn => MetricsPort is not null || SendsOtlp;

    /// <summary>Checks the options.</summary>
    /// <exception cref="InputException">The port is none.</exception>
    public void Validate()
    {
        if (MetricsPort is { } port and not (>= 1 and <= 65_535))
        {
            throw new InputException($"--metrics-port {port}: must be between 1 and 65535");
        }
    }
}
