using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Scissorhands.Messaging.Control;

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
        builder.Logging.AddSimpleConsole(static console => (console.SingleLine, console.TimestampFormat) = (true, "HH:mm:ss "));
        builder.Logging.AddFilter("MassTransit", LogLevel.Warning).AddFilter("Microsoft", LogLevel.Warning);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton<ClusterWorker>();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = options.Grace + TimeSpan.FromSeconds(20));
        builder.Services.AddMassTransit(bus =>
        {
            bus.DisableUsageTelemetry();
            bus.AddConsumer<WorkerCommandConsumer>();
            bus.UsingRabbitMq((context, rabbit) =>
                rabbit.UseAsWorker(options.Broker, options.WorkerId, endpoint => endpoint.ConfigureConsumer<WorkerCommandConsumer>(context)));
        });
        builder.Services.Configure<MassTransitHostOptions>(static host => host.WaitUntilStarted = false);

        // After the bus, so that it ends before the bus does.
        builder.Services.AddHostedService(static services => services.GetRequiredService<ClusterWorker>());
        return builder.Build();
    }
}
