using MassTransit;
using Microsoft.Extensions.Logging;
using Scissorhands.Abstractions.Cluster;

namespace Scissorhands.Coordinator.Cluster;

/// <summary>
/// Hands workers' messages to the grains of their pool and run; acknowledged when they have taken effect, or where a
/// coordinator or the store is lost at the moment: workers say again what had no effect, so that such messages need not fill
/// the queue of those that no coordinator can read.
/// </summary>
internal sealed partial class WorkerReportConsumer(IGrainFactory grains, ILogger<WorkerReportConsumer> logger) : IConsumer<WorkerBeat>, IConsumer<WorkerCall>, IConsumer<WorkerProgress>
{
    public Task Consume(ConsumeContext<WorkerBeat> context) => HandAsync(nameof(WorkerBeat), grains.GetGrain<IPoolGrain>(context.Message.Pool).BeatAsync(context.Message));

    public Task Consume(ConsumeContext<WorkerCall> context) => HandAsync(nameof(WorkerCall), grains.GetGrain<IRunGrain>(context.Message.RunId).CallAsync(context.Message));

    public Task Consume(ConsumeContext<WorkerProgress> context) => HandAsync(nameof(WorkerProgress), grains.GetGrain<IRunGrain>(context.Message.RunId).ProgressAsync(context.Message));

    private async Task HandAsync(string message, Task handled)
    {
        try
        {
            await handled;
        }
        catch (Exception e) when (Outage.Is(e))
        {
            LogWithoutEffect(message, e.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "A {Message} had no effect, its worker sends it again: {Reason}")]
    private partial void LogWithoutEffect(string message, string reason);
}
