using MassTransit;
using Scissorhands.Abstractions.Skeleton;

namespace Scissorhands.Coordinator.Hosting;

/// <summary>Hands workers' messages to the grain of their run; acknowledged when the grain has taken them in.</summary>
internal sealed class WorkerMessageConsumer(IGrainFactory grains) : IConsumer<WorkerAnnounced>, IConsumer<StepReported>
{
    public Task Consume(ConsumeContext<WorkerAnnounced> context) =>
        grains.GetGrain<IStepGrain>(context.Message.RunId).AnnounceAsync(context.Message);

    public Task Consume(ConsumeContext<StepReported> context) =>
        grains.GetGrain<IStepGrain>(context.Message.RunId).ReportAsync(context.Message);
}
