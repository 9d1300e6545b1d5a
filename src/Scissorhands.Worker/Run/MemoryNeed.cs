using System.Globalization;
using System.Numerics;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Worker.Run;

/// <summary>
/// The least that a worker must hold of a run, in bytes: what is as large as the model, and the buffers of the collectives.
/// Activations come on top and depend on the model; data lies in files that are mapped.
/// </summary>
internal static class MemoryNeed
{
    private const long CollectiveBytes = 64L << 20;

    /// <summary>Computes it.</summary>
    /// <param name="configuration">The run's configuration.</param>
    /// <param name="parameters">Parameters of the model.</param>
    /// <returns>Bytes.</returns>
    public static long Bytes(RunConfiguration configuration, long parameters) => (Vectors(configuration) * sizeof(float) * parameters) + CollectiveBytes;

    /// <summary>Says why a worker cannot do a run.</summary>
    /// <param name="workerId">The worker.</param>
    /// <param name="available">What it has, in bytes.</param>
    /// <param name="configuration">The run's configuration.</param>
    /// <param name="parameters">Parameters of the model.</param>
    /// <returns>One line with the numbers; null where the worker can.</returns>
    public static string? Refusal(string workerId, long available, RunConfiguration configuration, long parameters) =>
        Bytes(configuration, parameters) is var need && need <= available
            ? null
            : string.Create(CultureInfo.InvariantCulture, $"worker {workerId} has {Mebibytes(available)} MiB of memory, the run needs at least {Mebibytes(need)} MiB: {Vectors(configuration)} vectors of {parameters} float32 and 64 MiB of buffers; a larger worker, or fewer projection.memories, helps");

    /// <summary>Weights, gradient, momentum, memories, and the partial sums of the slices that one worker may hold.</summary>
    private static long Vectors(RunConfiguration configuration) =>
        3 + configuration.Projection.Memories + BitOperations.Log2((uint)configuration.Repair.Slices);

    private static long Mebibytes(long bytes) => (bytes + (1 << 20) - 1) >> 20;
}
