using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning;
using Scissorhands.Planning.Cut;
using Scissorhands.Worker.Telemetry;

namespace Scissorhands.Worker.Stages.Repair;

/// <summary>Replicas that have drifted apart must never become one model.</summary>
internal static class ReplicaAgreement
{
    /// <summary>Compares a hash over all ranks, which come to it together.</summary>
    /// <param name="context">The stage's context.</param>
    /// <param name="key">The operation.</param>
    /// <param name="length">Bytes of the hash.</param>
    /// <param name="hash">Computes this rank's; not called where there is only one.</param>
    /// <param name="done">Steps done.</param>
    /// <param name="lastCheckpoint">Named where they differ, or null.</param>
    /// <exception cref="RunFailedException">They differ; it names the ranks.</exception>
    public static void Check(StageContext context, OperationKey key, int length, Func<byte[]> hash, int done, string? lastCheckpoint)
    {
        var group = context.Group;
        if (group.Size == 1)
        {
            return;
        }

        var hashes = new byte[group.Size * length];
        hash().CopyTo(hashes, group.Rank * length);
        group.AllGather(key, [.. Enumerable.Range(0, group.Size).Select(r => new IndexRange(r * length, (r + 1) * length))], hashes).Wait(context.CancellationToken);
        for (var rank = 1; rank < group.Size; rank++)
        {
            if (!hashes.AsSpan(0, length).SequenceEqual(hashes.AsSpan(rank * length, length)))
            {
                WorkerMeters.Drifted();
                throw new RunFailedException($"repair: after step {done} the replicas of workers 0 and {rank} differ; this is a defect or faulty hardware, the last checkpoint is {lastCheckpoint ?? "none"}");
            }
        }
    }
}
