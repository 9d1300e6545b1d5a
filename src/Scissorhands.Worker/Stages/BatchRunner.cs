using Scissorhands.Core.Tasks;
using Scissorhands.Data.Samples;
using Scissorhands.Worker.Telemetry;

namespace Scissorhands.Worker.Stages;

/// <summary>Takes prepared batches from a stream to the device.</summary>
public static class BatchRunner
{
    /// <summary>The next batch on the device.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="context">The stage that takes it.</param>
    /// <returns>The batch; the caller disposes it.</returns>
    /// <exception cref="InvalidOperationException">The stream has ended: more batches were taken than were asked for.</exception>
    public static TensorBatch Take(IBatchStream stream, StageContext context)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(context);
        using var host = stream.Next(context.CancellationToken) ?? throw new InvalidOperationException("The batch stream has ended early");
        WorkerMeters.Samples(context.Assignment.Stage, host.Count);
        return context.Inputs.Task.ToTensors(host, context.Replica.Device);
    }
}
