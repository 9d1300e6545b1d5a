using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry.Metrics;
using Scissorhands.Planning;

namespace Scissorhands.Hosting.Operations;

/// <summary>
/// Serves metrics and health checks on a port of their own, which takes no key and is meant for the cluster's inside. There
/// from the beginning: whoever starts the process asks it while it still waits for the store.
/// </summary>
public sealed class OperationsServer : IHostedLifecycleService, IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly int _port;
    private bool _listens;

    /// <summary>Prepares the server.</summary>
    /// <param name="port">Its port, on all addresses.</param>
    /// <param name="metrics">What is measured.</param>
    /// <param name="health">How the process is.</param>
    public OperationsServer(int port, MeterProvider metrics, IProcessHealth health)
    {
        _port = port;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenAnyIP(port));
        _app = builder.Build();
        _app.UseOpenTelemetryPrometheusScrapingEndpoint(metrics, null, "/metrics", null, null);
        _app.MapGet("/health/startup", () => Answer(health.NotStarted));
        _app.MapGet("/health/ready", () => Answer(health.NotReady));
        _app.MapGet("/health/live", () => Answer(health.NotAlive));
    }

    /// <inheritdoc/>
    public Task StartingAsync(CancellationToken cancellationToken) => ListenAsync(cancellationToken);

    /// <summary>Begins to serve, where what comes before the host's own start takes long; otherwise that start does. Once is enough.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it serves.</returns>
    /// <exception cref="InputException">The port cannot be listened on.</exception>
    public async Task ListenAsync(CancellationToken cancellationToken)
    {
        if (_listens)
        {
            return;
        }

        try
        {
            await _app.StartAsync(cancellationToken);
            _listens = true;
        }
        catch (IOException e)
        {
            throw new InputException($"--metrics-port {_port}: cannot be listened on ({e.GetBaseException().Message})", e);
        }
    }

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Ends last, so that a process that leaves can still be asked.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Completes when it is closed.</returns>
    public Task StoppedAsync(CancellationToken cancellationToken) => _app.StopAsync(cancellationToken);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private static IResult Answer(string? missing) => missing is null ? Results.Text("ok\n") : Results.Text(missing + "\n", statusCode: StatusCodes.Status503ServiceUnavailable);
}
