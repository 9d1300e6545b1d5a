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
            var sum = projection.Add();
            Sum(cut, epoch, stream, sum);
            if (_context.Inputs.Configuration.Projection.Accumulate && projection.Memories.Count > 1)
            {
                // The public code never clears the gradient between memory batches.
                var previous = projection.Memories[^2];
                var memory = sum.Span;
                for (var i = 0; i < memory.Length; i++)
                {
                    memory[i] += previous[i];
                }
            }
        }
    }

    private void Sum(RepairStepCut cut, int epoch, IBatchStream stream, Memory<float> sum)
    {
        var replica = _context.Replica;
        var group = _context.Group;
        var gradient = replica.HostGradient.Memory[..replica.Parameters.Count];

        // Over the moving entries only, since no others are projected: what does not move need not travel.
        var leafGradient = _vectors.Exchange.Memory[.._vectors.Moving.Count];
        var held = cut.HeldBy(group.Rank, group.Size);
        _vectors.Fold.Begin(cut.Slices.Count, held.Count);
        foreach (var (leaf, _) in held)
        {
            using var batch = BatchRunner.Take(stream, _context);
            _gradient.Compute(batch, cut.ForgetCount);
            if (!_vectors.Moving.IsAll)
            {
                _vectors.Moving.Gather(gradient.Span, leafGradient.Span);
            }

            _vectors.Fold.Add(leaf, leafGradient);
        }

        var key = new OperationKey("memory", ((long)epoch << 16) + cut.Index);
        var operation = _vectors.IsSharded
            ? group.ReduceScatter(key, cut.Slices.Count, _vectors.Fold.Roots, _vectors.Moving.Count, sum)
            : group.AllReduce(key, cut.Slices.Count, _vectors.Fold.Roots, sum);
        operation.Wait(_context.CancellationToken);
    }
}
