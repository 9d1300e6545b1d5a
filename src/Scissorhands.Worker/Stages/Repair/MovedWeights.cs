using System.IO.Hashing;
using System.Runtime.InteropServices;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Worker.Stages.Repair;

/// <summary>Where the state is sharded, gives every worker the weights that their owners have moved.</summary>
internal sealed class MovedWeights
{
    private const int HashBytes = 16;

    private readonly StageContext _context;
    private readonly RepairVectors _vectors;

    /// <summary>Prepares.</summary>
    /// <param name="context">The stage's context.</param>
    /// <param name="vectors">What moves.</param>
    public MovedWeights(StageContext context, RepairVectors vectors)
    {
        _context = context;
        _vectors = vectors;
    }

    /// <summary>
    /// Compares the replicas before the owners' weights replace all others: afterwards a replica that had drifted apart, and
    /// whose gradient was another model's, could no longer be told.
    /// </summary>
    /// <param name="done">Steps done.</param>
    /// <param name="lastCheckpoint">Named where they differ, or null.</param>
    public void CheckReplicasAgree(int done, string? lastCheckpoint)
    {
        _context.Replica.WeightsToHost();
        ReplicaAgreement.Check(_context, new OperationKey("weights-hash", done), HashBytes, () => XxHash128.Hash(MemoryMarshal.AsBytes(_context.Replica.HostWeights.Span)), done, lastCheckpoint);
    }

    /// <summary>Exchanges them. All ranks come to it.</summary>
    /// <param name="step">The step that has moved them.</param>
    /// <param name="clock">Counts the time of the exchange.</param>
    public void Share(int step, StepClock clock)
    {
        if (_context.Group.Size == 1)
        {
            return;
        }

        var replica = _context.Replica;
        var moving = _vectors.Moving;
        replica.WeightsToHost();

        // The gradient has been used up: its memory is free where the moving weights do not lie together.
        var weights = moving.IsAll ? replica.HostWeights.Memory : _vectors.Exchange.Memory[..moving.Count];
        if (!moving.IsAll)
        {
            moving.Gather(replica.HostWeights.Span, weights.Span);
        }

        clock.Wait(_context.Group.AllGather(new OperationKey("moved-weights", step), RangeOwnership.All(moving.Count, _context.Group.Size), weights), _context.CancellationToken);
        if (!moving.IsAll)
        {
            moving.Scatter(weights.Span, replica.HostWeights.Span);
        }

        replica.WeightsToDevice();
    }
}
