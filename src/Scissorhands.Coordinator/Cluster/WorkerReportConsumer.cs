using MassTransit;
using Scissorhands.Abstractions.Cluster;

namespace Scissorhands.Coordinator.Cluster;

/// <summary>Hands workers' messages to the grains of their pool and run; acknowledged when they have taken effect.</summary>
internal sealed class WorkerReportConsumer(IGrainFactory grains) : IConsumer<WorkerBeat>, IConsumer<WorkerCall>, IConsumer<WorkerProgress>
{
    public Task Consume(ConsumeContext<WorkerBeat> context) => grains.GetGrain<IPoolGrain>(context.Message.Pool).BeatAsync(context.Message);

    public Task Consume(ConsumeContext<WorkerCall> context) => grains.GetGrain<IRunGrain>(context.Message.RunId).CallAsync(context.Message);

    public Task Consume(ConsumeContext<WorkerProgress> context) => grains.GetGrain<IRunGrain>(context.Message.RunId).ProgressAsync(context.Message);
}
