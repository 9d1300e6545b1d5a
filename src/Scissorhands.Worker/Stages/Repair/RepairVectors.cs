using Scissorhands.Core.Repair;
using Scissorhands.Core.Replica;
using Scissorhands.Core.TensorMemory;
using Scissorhands.Core.Trim;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Worker.Stages.Repair;

/// <summary>
/// What a repair holds that is as large as the model: the gradient being exchanged, the momentum, M memory gradients and
/// ceil(log2 of leaves held) partial sums; besides, two residuals a leaf held where gradients are quantised. Allocated once
/// a run; the number of steps and samples changes nothing.
/// </summary>
internal sealed class RepairVectors : IDisposable
{
    private readonly ModelReplica _replica;
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
        Fold = new LeafFold(_replica.HostGradient.Length);
        Optimizer = new MomentumSgd(_replica, Moving, configuration.Repair.Momentum, configuration.Repair.WeightDecay);
        Projection = new ProjectedGradient(configuration.Projection, Moving.Translate(TrimScope.Projected(configuration.Projection, _replica.Parameters)), Moving.Count);
    }

    /// <summary>The parameters that move.</summary>
    public MovingSet Moving { get; }

    /// <summary>Gradient over the moving set, change of the float buffers, totals: what a step's all-reduce carries.</summary>
    public HostVector Exchange { get; }

    /// <summary>The update rule and its momentum.</summary>
    public MomentumSgd Optimizer { get; }

    /// <summary>The epoch's memory gradients.</summary>
    public ProjectedGradient Projection { get; }

    /// <summary>The partial sums of the leaves held.</summary>
    public LeafFold Fold { get; }

    /// <summary>The step's totals within <see cref="Exchange"/>.</summary>
    public Span<float> Totals => Exchange.Span[^StepTotals.Length..];

    /// <summary>The float buffers' change within <see cref="Exchange"/>.</summary>
    public Span<float> BufferChange => Exchange.Span.Slice(Moving.Count, _replica.FloatBufferCount);

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
