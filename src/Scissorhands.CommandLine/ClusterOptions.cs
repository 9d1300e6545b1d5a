using System.CommandLine;
using Scissorhands.Hosting.Telemetry;
using Scissorhands.Planning;

namespace Scissorhands.CommandLine;

/// <summary>Options that coordinators and workers share.</summary>
public static class ClusterOptions
{
    /// <summary>The option that all of a cluster must give alike.</summary>
    /// <returns>The option, in seconds.</returns>
    public static Option<double> Beat() =>
        new("--beat") { Description = "Seconds between a worker's signs of life; after three of them it is lost. The same for all of a cluster", HelpName = "SECONDS", DefaultValueFactory = static _ => 2 };

    /// <summary>Checks that option.</summary>
    /// <param name="seconds">Its value.</param>
    /// <returns>The time between two signs of life.</returns>
    /// <exception cref="InputException">It is out of bounds.</exception>
    public static TimeSpan Interval(double seconds) =>
        seconds is >= 0.1 and <= 60 ? TimeSpan.FromSeconds(seconds) : throw new InputException($"--beat {seconds}: must be between 0.1 and 60");

    /// <summary>The option that says where Prometheus and health checks ask.</summary>
    /// <returns>The option; null where they cannot.</returns>
    public static Option<int?> MetricsPort() =>
        new("--metrics-port") { Description = $"Port that Prometheus (/metrics) and health checks (/health/startup, /health/ready, /health/live) ask at; none by default. Over OTLP, metrics and traces are sent where {TelemetryOptions.EndpointVariable} is set", HelpName = "PORT" };
}
