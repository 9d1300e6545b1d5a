using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Wire;
using Scissorhands.Planning;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Worker.Stages.Repair;

/// <summary>
/// Adds up a step's leaves over all workers: for everyone, or, where the state is sharded, for the owner of each range. The
/// gradient is rounded to the run's wire format; the changes of the buffers and the step's totals, which follow it in the
/// vector, stay float32: they are few, they are no gradient whose errors later steps could make up for, and the flag to stop
/// must arrive whole.
/// </summary>
internal sealed class GradientExchange : IDisposable
{
    private readonly StageContext _context;
    private readonly RepairVectors _vectors;
    private readonly WireFormat _format;
    private readonly bool _whole;
    private readonly LeafFold _tail;
    private int _leaves;
    private int _index;

    /// <summary>Prepares.</summary>
    /// <param name="context">The stage's context.</param>
    /// <param name="state">The vectors a step works in, and what quantisation has lost.</param>
    public GradientExchange(StageContext context, RepairState state)
    {
        _context = context;
        _vectors = state.Vectors;
        var configuration = context.Inputs.Configuration;
        _format = configuration.Wire.Format switch
        {
            "f32" => WireFormat.Fp32,
            "bf16" => WireFormat.Bf16,
            "int8" => WireFormat.Int8,
            var other => throw new InputException($"configuration key 'wire.format' is {other}, which this program does not know"),
        };

        // In one piece where all of it is added up alike and goes to all.
        _whole = _format == WireFormat.Fp32 && !_vectors.IsSharded;
        _tail = new LeafFold(_vectors.Exchange.Length - _vectors.Moving.Count);
        Residuals = state.Residuals is { } store ? new LeafResiduals(context.Group, store, context.CancellationToken) : null;
    }

    /// <summary>What quantisation has lost so far; null in formats that keep nothing of it.</summary>
    public LeafResiduals? Residuals { get; }

    /// <summary>Where the step's time goes.</summary>
    public StepClock Clock { get; } = new();

    /// <summary>Begins a step. All ranks come to it.</summary>
    /// <param name="step">The step's cut.</param>
    /// <param name="index">Step of the whole stage, from 0.</param>
    /// <param name="held">Leaves this worker holds.</param>
    public void Begin(RepairStepCut step, int index, int held)
    {
        (_leaves, _index) = (step.Slices.Count, index);
        Residuals?.HandOver(_leaves, index);
        _vectors.Fold.Begin(_leaves, held, _format);
        _tail.Begin(_leaves, held);
    }

    /// <summary>Adds the leaf that lies in the exchanged vector.</summary>
    /// <param name="leaf">Its index.</param>
    public void Add(int leaf)
    {
        var all = _vectors.Exchange.Memory;
        if (_whole)
        {
            _vectors.Fold.Add(leaf, all);
            return;
        }

        var gradient = all[.._vectors.Moving.Count];
        if (Residuals is not null)
        {
            BlockInt8.QuantizeWithResidual(gradient.Span, Residuals.Of(leaf));
        }

        _vectors.Fold.Add(leaf, gradient);
        _tail.Add(leaf, all[_vectors.Moving.Count..]);
    }

    /// <summary>
    /// Puts the sum of all workers' leaves into the exchanged vector; where the state is sharded, of the gradient only the
    /// part that is held here.
    /// </summary>
    public void Sum()
    {
        var group = _context.Group;
        var all = _vectors.Exchange.Memory;
        var key = new OperationKey("gradient", _index);
        if (_whole)
        {
            Clock.Wait(group.AllReduce(key, _leaves, _vectors.Fold.Roots, all), _context.CancellationToken);
            return;
        }

        var part = _vectors.Part;
        var gradient = _vectors.IsSharded
            ? group.ReduceScatter(key, _leaves, _vectors.Fold.Roots, _vectors.Moving.Count, all[part.Start..part.End], _format)
            : group.AllReduce(key, _leaves, _vectors.Fold.Roots, all[.._vectors.Moving.Count], _format);
        var tail = group.AllReduce(key with { Purpose = "gradient-tail" }, _leaves, _tail.Roots, all[_vectors.Moving.Count..]);
        Clock.Wait(gradient, _context.CancellationToken);
        Clock.Wait(tail, _context.CancellationToken);
    }

    /// <inheritdoc />
    public void Dispose() => _tail.Dispose();
}
