using Scissorhands.Core.Repair;
using Scissorhands.Core.Replica;
using Scissorhands.Core.TensorMemory;
using Scissorhands.Core.Trim;
using Scissorhands.Planning.Configuration;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Worker.Stages.Repair;

/// <summary>
/// What a repair holds that is as large as the model: the gradient being exchanged, the momentum, M memory gradients and
/// ceil(log2 of leaves held) partial sums; besides, two residuals a leaf held where gradients are quantised. Where the state
/// is sharded, momentum and memory gradients are those of the owned range only. Allocated once a run, or where another
/// generation owns other ranges; the number of steps and samples changes nothing.
/// </summary>
internal sealed class RepairVectors : IDisposable
{
    private readonly ModelReplica _replica;
    private readonly RepairConfiguration _configuration;
    private readonly bool _ownsExchange;

    /// <summary>Allocates the vectors.</summary>
    /// <param name="context">The stage's context; the mask is known.</param>
    public RepairVectors(StageContext context)
    {
        _replica = context.Replica;
        var configuration = context.Inputs.Configuration;
        Moving = configuration.Repair.Trainable == "masked"
            ? MovingSet.Masked(context.Model.Mask, _replica.Device)
            : MovingSet.All(_replica.Parameters.Count);
        _ownsExchange = !Moving.IsAll;
        Exchange = Moving.IsAll ? _replica.HostGradient : new HostVector(Moving.Count + _replica.FloatBufferCount + StepTotals.Length);
        Fold = new LeafFold(Exchange.Length);
        _configuration = configuration.Repair;
        Part = Parts(context.Group.Size)[context.Group.Rank];
        Optimizer = NewOptimizer();
        Projection = new ProjectedGradient(configuration.Projection, Moving.Translate(TrimScope.Projected(configuration.Projection, _replica.Parameters)), Part);
    }

    /// <summary>The parameters that move.</summary>
    public MovingSet Moving { get; }

    /// <summary>Gradient over the moving set, change of the float buffers, totals: what a step's all-reduce carries.</summary>
    public HostVector Exchange { get; }

    /// <summary>Whether each worker keeps the state of its own range only.</summary>
    public bool IsSharded => _configuration.ShardState;

    /// <summary>The part of the moving set whose momentum and memory gradients are here; all of it unless the state is sharded.</summary>
    public IndexRange Part { get; private set; }

    /// <summary>The update rule and the part's momentum.</summary>
    public MomentumSgd Optimizer { get; private set; }

    /// <summary>The epoch's memory gradients, of the part.</summary>
    public ProjectedGradient Projection { get; }

    /// <summary>The partial sums of the leaves held.</summary>
    public LeafFold Fold { get; }

    /// <summary>The step's totals within <see cref="Exchange"/>.</summary>
    public Span<float> Totals => Exchange.Span[^StepTotals.Length..];

    /// <summary>The float buffers' change within <see cref="Exchange"/>.</summary>
    public Span<float> BufferChange => Exchange.Span.Slice(Moving.Count, _replica.FloatBufferCount);

    /// <summary>What each worker of a generation keeps.</summary>
    /// <param name="workers">Their number.</param>
    /// <returns>Parts of the moving set, by rank.</returns>
    public IReadOnlyList<IndexRange> Parts(int workers) => IsSharded
        ? RangeOwnership.All(Moving.Count, workers)
        : [.. Enumerable.Repeat(new IndexRange(0, Moving.Count), workers)];

    /// <summary>
    /// Takes up the part of a generation. Momentum and memories stay where the part does, and otherwise have to be restored.
    /// </summary>
    /// <param name="context">The stage's context in that generation.</param>
    public void Hold(StageContext context)
    {
        var part = Parts(context.Group.Size)[context.Group.Rank];
        if (part != Part)
        {
            Part = part;

            // Before the new one is allocated.
            Optimizer.Dispose();
            Optimizer = NewOptimizer();
        }

        Projection.Hold(part, IsSharded ? new BlockExchange(context.Group, Moving.Count, context.CancellationToken) : null);
    }

    /// <summary>Where only masked entries travel, takes them and what follows the gradient out of the full vector.</summary>
    public void Pack()
    {
        if (Moving.IsAll)
        {
            return;
        }

        var full = _replica.HostGradient.Span;
        Moving.Gather(full, Exchange.Span);
        full[_replica.Parameters.Count..].CopyTo(Exchange.Span[Moving.Count..]);
    }

    private MomentumSgd NewOptimizer() => new(_replica, Moving, _configuration.Momentum, _configuration.WeightDecay, Part);

    /// <inheritdoc />
    public void Dispose()
    {
        Fold.Dispose();
        Projection.Dispose();
        Optimizer.Dispose();
        Moving.Dispose();
        if (_ownsExchange)
        {
            Exchange.Release();
        }
    }
}
