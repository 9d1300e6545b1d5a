using Microsoft.Extensions.Hosting;
using Scissorhands.Hosting.Operations;

namespace Scissorhands.Coordinator.Telemetry;

/// <summary>How a coordinator is. Store and broker do not count: without them it answers that they are away, which is more than nobody would.</summary>
internal sealed class CoordinatorHealth(IHostApplicationLifetime lifetime) : IProcessHealth
{
    public string? NotStarted => lifetime.ApplicationStarted.IsCancellationRequested ? null : "starting: waits for the store and the other coordinators";

    public string? NotReady => NotStarted ?? (lifetime.ApplicationStopping.IsCancellationRequested ? "ending" : null);

    public string? NotAlive => null;
}
