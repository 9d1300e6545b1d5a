namespace Scissorhands.Data.Samples;

/// <summary>Which samples make up a batch, and how they are augmented.</summary>
/// <param name="Ordinals">The samples, in batch order.</param>
/// <param name="AugmentationEpoch">Epoch that keys flips and crops; null for none.</param>
public sealed record BatchRequest(IReadOnlyList<int> Ordinals, int? AugmentationEpoch);

/// <summary>
/// A batch in host memory: float32 images, channels first, in [0,1] or normalised, and their classes. Dispose it to
/// give its buffers back for a later batch.
/// </summary>
public interface IHostBatch : IDisposable
{
    /// <summary>Samples.</summary>
    int Count { get; }

    /// <summary>Size of each image.</summary>
    ImageShape Shape { get; }

    /// <summary>Count * Shape.Elements values.</summary>
    ReadOnlySpan<float> Pixels { get; }

    /// <summary>Count class indices.</summary>
    ReadOnlySpan<long> Labels { get; }
}

/// <summary>
/// Batches one after the other, prepared ahead on pool threads while the compute thread works. Results do not depend on
/// the depth or on timing.
/// </summary>
public interface IBatchStream : IDisposable
{
    /// <summary>Blocks until the next batch is ready.</summary>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>The next batch in request order, or null after the last. The caller disposes it.</returns>
    IHostBatch? Next(CancellationToken cancellationToken);
}

/// <summary>Turns samples into batches.</summary>
public interface IBatchSource
{
    /// <summary>The samples.</summary>
    ISampleSet Samples { get; }

    /// <summary>Starts preparing batches.</summary>
    /// <param name="requests">The batches, in order; enumerated lazily.</param>
    /// <returns>The stream.</returns>
    IBatchStream Open(IEnumerable<BatchRequest> requests);
}
