using MassTransit;
using Scissorhands.Abstractions.Skeleton;
using Scissorhands.Messaging.Control;

namespace Scissorhands.Coordinator.Hosting;

/// <summary>Sends commands over the bus to each worker's queue.</summary>
internal sealed class WorkerCommands(IBus bus) : IWorkerCommands
{
    public async Task AssignAsync(StepAssigned assignment)
    {
        var endpoint = await bus.GetSendEndpoint(ControlBus.WorkerAddress(assignment.WorkerId));
        await endpoint.Send(assignment);
    }
}
