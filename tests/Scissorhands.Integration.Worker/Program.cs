using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Scissorhands.Abstractions.Skeleton;
using Scissorhands.Integration.Worker;
using Scissorhands.Messaging.Control;
using Scissorhands.Messaging.Rabbit;

// Usage: Scissorhands.Integration.Worker RUN WORKER; the broker's address in the environment. Ends when its input does.
var (run, id) = (args[0], args[1]);
var broker = ControlBus.BrokerFromEnvironment();
await using var link = await RabbitDataLink.ConnectAsync(broker, id, CancellationToken.None);
var builder = Host.CreateApplicationBuilder();
builder.Services.AddSingleton(services =>
{
    var bus = services.GetRequiredService<IBus>();
    return new StepComputer.State(link, async report => await (await bus.GetSendEndpoint(ControlBus.CoordinatorAddress)).Send(report));
});
builder.Services.AddMassTransit(bus =>
{
    bus.DisableUsageTelemetry();
    bus.AddConsumer<StepComputer>();
    bus.UsingRabbitMq((context, rabbit) =>
    {
        rabbit.ConnectTo(broker);
        rabbit.ReceiveEndpoint(ControlBus.WorkerQueue(id), endpoint =>
        {
            endpoint.ForControl();
            endpoint.ConfigureConsumer<StepComputer>(context);
        });
    });
});
builder.Services.Configure<MassTransitHostOptions>(static host => host.WaitUntilStarted = true);
using var host = builder.Build();
await host.StartAsync();
var coordinator = await host.Services.GetRequiredService<IBus>().GetSendEndpoint(ControlBus.CoordinatorAddress);
await coordinator.Send(new WorkerAnnounced(run, id, link.QueueName));
await Console.In.ReadToEndAsync();
await host.StopAsync();
