using Scissorhands.Core.Repair;
using Scissorhands.Data.Samples;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Worker.Stages.Repair;

/// <summary>Takes an epoch's memory gradients: the forget batches' gradients on the model of the epoch's start.</summary>
internal sealed class EpochMemories
{
    private readonly StageContext _context;
    private readonly RepairVectors _vectors;
    private readonly MemoryGradient _gradient;

    /// <summary>Prepares.</summary>
    /// <param name="context">The stage's context.</param>
    /// <param name="vectors">Where the memories go.</param>
    public EpochMemories(StageContext context, RepairVectors vectors)
    {
        _context = context;
        _vectors = vectors;
        _gradient = new MemoryGradient(context.Replica, context.Inputs.Task);
    }

    /// <summary>Takes them, all or none, unless they are there: the state within an epoch has them along.</summary>
    /// <param name="epoch">Epoch, from 0.</param>
    public void Ensure(int epoch)
    {
        var projection = _vectors.Projection;
        if (projection.Memories.Count > 0)
        {
            return;
        }

        try
        {
            Take(epoch);
        }
        catch
        {
            projection.Clear();
            throw;
        }
    }

    private void Take(int epoch)
    {
        var projection = _vectors.Projection;
        var group = _context.Group;
        var cuts = _context.Inputs.Schedule.Memories(epoch);
        using var stream = _context.Inputs.Plain.Open(cuts.SelectMany(cut => cut.HeldBy(group.Rank, group.Size)).Select(held => new BatchRequest(held.Slice.Forget.ToArray(), null)));
        foreach (var cut in cuts)
        {
            var sum = Sum(cut, epoch, stream);
            var memory = projection.Add();
            sum.Span.CopyTo(memory);
            if (_context.Inputs.Configuration.Projection.Accumulate && projection.Memories.Count > 1)
            {
                // The public code never clears the gradient between memory batches.
                var previous = projection.Memories[^2];
                for (var i = 0; i < memory.Length; i++)
                {
                    memory[i] += previous[i];
                }
            }
        }
    }

    private Memory<float> Sum(RepairStepCut cut, int epoch, IBatchStream stream)
    {
        var replica = _context.Replica;
        var group = _context.Group;
        var gradient = replica.HostGradient.Memory[..replica.Parameters.Count];

        // Over the moving entries only, since no others are projected: what does not move need not travel.
        var sum = _vectors.Exchange.Memory[.._vectors.Moving.Count];
        var held = cut.HeldBy(group.Rank, group.Size);
        _vectors.Fold.Begin(cut.Slices.Count, held.Count);
        foreach (var (leaf, _) in held)
        {
            using var batch = BatchRunner.Take(stream, _context.Inputs.Task, replica.Device, _context.CancellationToken);
            _gradient.Compute(batch, cut.ForgetCount);
            if (!_vectors.Moving.IsAll)
            {
                _vectors.Moving.Gather(gradient.Span, sum.Span);
            }

            _vectors.Fold.Add(leaf, sum);
        }

        group.AllReduce(new OperationKey("memory", ((long)epoch << 16) + cut.Index), cut.Slices.Count, _vectors.Fold.Roots, sum).Wait(_context.CancellationToken);
        return sum;
    }
}
