using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using Scissorhands.Hosting.Operations;

namespace Scissorhands.Hosting.Telemetry;

/// <summary>Adds metrics and traces to a host.</summary>
public static class TelemetryServices
{
    private const string Namespace = "scissorhands";

    /// <summary>
    /// Adds metrics and traces: over OTLP where an endpoint is set, and for Prometheus, with the health checks, at a port of
    /// its own. Without either nothing is measured and nothing is served.
    /// </summary>
    /// <param name="services">The host's services; they must hold an <see cref="IProcessHealth"/>.</param>
    /// <param name="options">What is told, and where.</param>
    /// <param name="name">Name of the service: coordinator or worker.</param>
    /// <param name="instance">Name of this instance of it.</param>
    /// <param name="version">Version of the program.</param>
    /// <param name="meters">Meters beside the runtime's.</param>
    /// <param name="sources">Sources of spans.</param>
    /// <returns>The services.</returns>
    public static IServiceCollection AddTelemetry(this IServiceCollection services, TelemetryOptions options, string name, string instance, string version, IReadOnlyList<string> meters, IReadOnlyList<string> sources)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(meters);
        ArgumentNullException.ThrowIfNull(sources);
        options.Validate();
        if (!options.IsOn)
        {
            return services;
        }

        var telemetry = services.AddOpenTelemetry().ConfigureResource(resource => resource.AddService(name, Namespace, version, autoGenerateServiceInstanceId: false, instance));
        telemetry.WithMetrics(metrics =>
        {
            metrics.AddMeter([.. meters, "System.Runtime"]);
            if (options.MetricsPort is not null)
            {
                metrics.AddPrometheusExporter();
            }

            if (options.SendsOtlp)
            {
                metrics.AddOtlpExporter();
            }
        });
        if (options.SendsOtlp)
        {
            telemetry.WithTracing(tracing => tracing.SetSampler(new OwnTraces(["batch ", "deletion-request ", "generation", "stage "], ["/BeatAsync", "/CallAsync", "/ProgressAsync", "/NeedAsync", "/WakeAsync", "/WaitsAsync", "/ViewAsync"])).AddSource([.. sources]).AddAspNetCoreInstrumentation(static asp => asp.Filter = static http => !http.Request.Path.StartsWithSegments("/health") && !http.Request.Path.StartsWithSegments("/metrics") && !http.Request.Path.StartsWithSegments("/orleans") && http.Request.Path != "/healthz").AddOtlpExporter());
        }

        if (options.MetricsPort is { } port)
        {
            services.AddSingleton(provider => new OperationsServer(port, provider.GetRequiredService<MeterProvider>(), provider.GetRequiredService<IProcessHealth>()));
            services.AddHostedService(static provider => provider.GetRequiredService<OperationsServer>());
        }

        return services;
    }
}
