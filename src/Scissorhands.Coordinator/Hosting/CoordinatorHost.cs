using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Hosting;
using Scissorhands.Abstractions.Skeleton;
using Scissorhands.Messaging.Control;

namespace Scissorhands.Coordinator.Hosting;

/// <summary>Where a coordinator's silo listens.</summary>
/// <param name="SiloPort">Port of silo to silo traffic.</param>
/// <param name="GatewayPort">Port of clients.</param>
/// <param name="ClusterId">The cluster; silos of another one are strangers.</param>
public sealed record CoordinatorOptions(int SiloPort = 11111, int GatewayPort = 30000, string ClusterId = "scissorhands");

/// <summary>Wires silo and bus together.</summary>
public static class CoordinatorHost
{
    /// <summary>Adds the coordinator's silo, on this machine alone, and its bus.</summary>
    /// <param name="builder">The host's builder.</param>
    /// <param name="options">Where the silo listens.</param>
    /// <param name="broker">The broker, with credentials.</param>
    /// <returns>The builder.</returns>
    public static IHostApplicationBuilder AddCoordinator(this IHostApplicationBuilder builder, CoordinatorOptions options, Uri broker)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(options);
        builder.UseOrleans(silo => silo.UseLocalhostClustering(options.SiloPort, options.GatewayPort, null, "scissorhands", options.ClusterId));
        builder.Services.AddSingleton<IWorkerCommands, WorkerCommands>();
        builder.Services.AddMassTransit(bus =>
        {
            bus.DisableUsageTelemetry();
            bus.AddConsumer<WorkerMessageConsumer>();
            bus.UsingRabbitMq((context, rabbit) =>
            {
                rabbit.ConnectTo(broker);
                rabbit.ReceiveEndpoint(ControlBus.CoordinatorQueue, endpoint =>
                {
                    endpoint.ForControl();
                    endpoint.ConfigureConsumer<WorkerMessageConsumer>(context);
                });
            });
        });
        builder.Services.Configure<MassTransitHostOptions>(static host => host.WaitUntilStarted = true);
        return builder;
    }
}
