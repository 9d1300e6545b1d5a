using Scissorhands.Hosting.Operations;

namespace Scissorhands.Worker.Cluster;

/// <summary>How a worker is.</summary>
internal sealed class WorkerHealth(ClusterWorker worker) : IProcessHealth
{
    public string? NotStarted => worker.Connected.IsCompleted ? null : "starting: waits for the broker";

    public string? NotReady => NotStarted ?? worker.NotReady;

    // Its own loop has ended: nobody hears of it any more.
    public string? NotAlive => worker.ExecuteTask is { IsFaulted: true } ? "the worker has failed" : null;
}
