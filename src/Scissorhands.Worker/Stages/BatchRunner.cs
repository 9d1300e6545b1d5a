using Scissorhands.Core.Tasks;
using Scissorhands.Data.Samples;
using TorchSharp;

namespace Scissorhands.Worker.Stages;

/// <summary>Takes prepared batches from a stream to the device.</summary>
public static class BatchRunner
{
    /// <summary>The next batch on the device.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="task">The task.</param>
    /// <param name="device">Where to.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>The batch; the caller disposes it.</returns>
    /// <exception cref="InvalidOperationException">The stream has ended: more batches were taken than were asked for.</exception>
    public static TensorBatch Take(IBatchStream stream, ILearningTask task, torch.Device device, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(task);
        using var host = stream.Next(cancellationToken) ?? throw new InvalidOperationException("The batch stream has ended early");
        return task.ToTensors(host, device);
    }
}
