using MassTransit;
using Scissorhands.Abstractions.Cluster;

namespace Scissorhands.Worker.Cluster;

/// <summary>Hands the coordinator's commands to the worker.</summary>
internal sealed class WorkerCommandConsumer(ClusterWorker worker) :
    IConsumer<GangAssigned>, IConsumer<WorkerAnswer>, IConsumer<YieldAsked>, IConsumer<GenerationOver>, IConsumer<WorkerRefused>, IConsumer<WorkerEcho>
{
    public Task Consume(ConsumeContext<GangAssigned> context) => Take(context.Message);

    public Task Consume(ConsumeContext<WorkerAnswer> context) => Take(context.Message);

    public Task Consume(ConsumeContext<YieldAsked> context) => Take(context.Message);

    public Task Consume(ConsumeContext<GenerationOver> context) => Take(context.Message);

    public Task Consume(ConsumeContext<WorkerRefused> context) => Take(context.Message);

    public Task Consume(ConsumeContext<WorkerEcho> context) => Take(context.Message);

    private Task Take(WorkerCommand command)
    {
        worker.Take(command);
        return Task.CompletedTask;
    }
}
