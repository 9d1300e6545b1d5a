using System.Globalization;
using System.Numerics;
using Scissorhands.Planning.Configuration;
using Scissorhands.Planning.Cut;

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
    /// <param name="workers">Workers of the generation, among whom sharded state is dealt.</param>
    /// <returns>Bytes.</returns>
    public static long Bytes(RunConfiguration configuration, int parameters, int workers) =>
        (((Whole(configuration) * (long)parameters) + (Kept(configuration) * (long)KeptElements(configuration, parameters, workers))) * sizeof(float)) + CollectiveBytes;

    /// <summary>Says why a worker cannot do a run.</summary>
    /// <param name="workerId">The worker.</param>
    /// <param name="available">What it has, in bytes.</param>
    /// <param name="configuration">The run's configuration.</param>
    /// <param name="parameters">Parameters of the model.</param>
    /// <param name="workers">Workers of the generation.</param>
    /// <returns>One line with the numbers; null where the worker can.</returns>
    public static string? Refusal(string workerId, long available, RunConfiguration configuration, int parameters, int workers)
    {
        var need = Bytes(configuration, parameters, workers);
        if (need <= available)
        {
            return null;
        }

        var vectors = configuration.Repair.ShardState
            ? string.Create(CultureInfo.InvariantCulture, $"{Whole(configuration)} vectors of {parameters} float32, {Kept(configuration)} of {KeptElements(configuration, parameters, workers)} (one of {workers} workers' share)")
            : string.Create(CultureInfo.InvariantCulture, $"{Whole(configuration) + Kept(configuration)} vectors of {parameters} float32");
        var remedy = configuration.Repair.ShardState ? "a larger worker, more workers" : "a larger worker, repair.shardState with several workers";
        return string.Create(CultureInfo.InvariantCulture, $"worker {workerId} has {Mebibytes(available)} MiB of memory, the run needs at least {Mebibytes(need)} MiB: {vectors} and 64 MiB of buffers; {remedy}, or fewer projection.memories, helps");
    }

    /// <summary>How many workers must share a run so that one can hold its part.</summary>
    /// <param name="available">What it has, in bytes.</param>
    /// <param name="configuration">The run's configuration.</param>
    /// <param name="parameters">Parameters of the model.</param>
    /// <param name="most">Workers that the run may have at most.</param>
    /// <returns>Their least number; 0 where it can in no case.</returns>
    public static int LeastWorkers(long available, RunConfiguration configuration, int parameters, int most) =>
        Enumerable.Range(1, Math.Min(most, RangeOwnership.Blocks(parameters))).FirstOrDefault(workers => Bytes(configuration, parameters, workers) <= available);

    /// <summary>Weights, gradient, and the partial sums of the slices that one worker may hold.</summary>
    private static int Whole(RunConfiguration configuration) => 2 + BitOperations.Log2((uint)configuration.Repair.Slices);

    /// <summary>Momentum and memories.</summary>
    private static int Kept(RunConfiguration configuration) => 1 + configuration.Projection.Memories;

    /// <summary>The largest range of a worker; of all parameters, since the mask is not known yet.</summary>
    private static int KeptElements(RunConfiguration configuration, int parameters, int workers) =>
        configuration.Repair.ShardState
            ? (int)Math.Min(parameters, ((long)RangeOwnership.Blocks(parameters) + workers - 1) / workers * RangeOwnership.BlockElements)
            : parameters;

    private static long Mebibytes(long bytes) => (bytes + (1 << 20) - 1) >> 20;
}
