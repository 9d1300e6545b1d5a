using MassTransit;
using MassTransit.Monitoring;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Scissorhands.Hosting.Logs;
using Scissorhands.Hosting.Operations;
using Scissorhands.Hosting.Telemetry;
using Scissorhands.Messaging.Control;
using Scissorhands.Messaging.Rabbit;
using Scissorhands.Planning;
using Scissorhands.Worker.Telemetry;

namespace Scissorhands.Worker.Cluster;

/// <summary>Wires a worker process: bus and compute thread.</summary>
public static class ClusterWorkerHost
{
    /// <summary>Builds the process.</summary>
    /// <param name="options">Who the worker is.</param>
    /// <returns>The host, not yet started.</returns>
    public static IHost Build(ClusterWorkerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.AddConsoleLogs();

        // The bus warns of each attempt to reach a broker that is away, with its stack; the worker says it once.
        builder.Logging.AddFilter("MassTransit", LogLevel.Error).AddFilter("Microsoft", LogLevel.Warning);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton<ClusterWorker>();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = options.Grace + TimeSpan.FromSeconds(20));
        // The settings of the exporter, which it reads from the host's configuration.
        builder.Configuration.AddEnvironmentVariables();
        builder.Services.AddSingleton<IProcessHealth, WorkerHealth>();
        builder.Services.AddTelemetry(
            options.Telemetry,
            "worker",
            options.WorkerId,
            options.Build,
            [WorkerMeters.Name, CollectiveMeters.Name, InstrumentationOptions.MeterName],
            [WorkerMeters.Name]);
        if (options.Telemetry.IsOn && options.Device.StartsWith("cuda", StringComparison.Ordinal))
        {
            // Made now: nobody asks for it.
            var gpus = new GpuMeters();
            builder.Services.AddSingleton(_ => gpus);
        }

        builder.Services.AddMassTransit(bus =>
        {
            bus.DisableUsageTelemetry();
            bus.AddConsumer<WorkerCommandConsumer>();
            bus.UsingRabbitMq((context, rabbit) =>
                rabbit.UseAsWorker(options.Broker, options.WorkerId, endpoint => endpoint.ConfigureConsumer<WorkerCommandConsumer>(context)));
        });
        builder.Services.Configure<MassTransitHostOptions>(static host => host.WaitUntilStarted = true);

        // After the bus, so that it ends before the bus does.
        builder.Services.AddHostedService(static services => services.GetRequiredService<ClusterWorker>());
        return builder.Build();
    }

    /// <summary>Starts the process: takes the worker's name, waits for the broker, connects.</summary>
    /// <param name="host">What <see cref="Build"/> has built.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Completes once the worker is connected and known to the broker, or is to end.</returns>
    /// <exception cref="InputException">Another worker has the name.</exception>
    public static async Task StartAsync(IHost host, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(host);
        var worker = host.Services.GetRequiredService<ClusterWorker>();
        await worker.ClaimAsync(cancellationToken);
        await host.StartAsync(cancellationToken);
        var ending = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.Register(ending.SetResult);
        await Task.WhenAny(worker.Connected, ending.Task).WaitAsync(cancellationToken);
    }
}
