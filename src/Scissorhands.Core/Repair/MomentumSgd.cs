using Scissorhands.Core.Native;
using Scissorhands.Core.Replica;
using Scissorhands.Core.TensorMemory;
using Scissorhands.Planning.Cut;
using TorchSharp;
using static TorchSharp.torch;

namespace Scissorhands.Core.Repair;

/// <summary>
/// SGD with momentum and weight decay over the moving set, as PyTorch defines it: g += wd * w; b = m * b + g; w -= lr * b.
/// Three passes over one flat vector instead of several calls a parameter.
/// </summary>
public sealed class MomentumSgd : IDisposable
{
    private readonly ModelReplica _replica;
    private readonly MovingSet _moving;
    private readonly IndexRange _part;
    private readonly Scalar _momentum;
    private readonly Scalar? _weightDecay;
    private readonly HostVector? _host;
    private readonly Tensor _velocity;

    /// <summary>Starts with zero momentum.</summary>
    /// <param name="replica">The model.</param>
    /// <param name="moving">What moves.</param>
    /// <param name="momentum">Factor m.</param>
    /// <param name="weightDecay">Factor wd.</param>
    /// <param name="part">The part of the moving set whose momentum is held and whose weights move; null for all of it.</param>
    public MomentumSgd(ModelReplica replica, MovingSet moving, double momentum, double weightDecay, IndexRange? part = null)
    {
        ArgumentNullException.ThrowIfNull(replica);
        ArgumentNullException.ThrowIfNull(moving);
        _replica = replica;
        _moving = moving;
        _part = part ?? new IndexRange(0, moving.Count);
        _momentum = momentum.ToScalar();
        _weightDecay = weightDecay == 0 ? null : weightDecay.ToScalar();
        _host = replica.Device.type == DeviceType.CPU ? new HostVector(_part.Count) : null;
        _velocity = _host?.Tensor ?? torch.zeros(_part.Count, ScalarType.Float32, replica.Device).DetachFromDisposeScope();
    }

    /// <summary>Applies one step.</summary>
    /// <param name="gradient">Gradient over the moving set, on the host; overwritten.</param>
    /// <param name="learningRate">Factor lr.</param>
    public void Step(HostVector gradient, double learningRate)
    {
        ArgumentNullException.ThrowIfNull(gradient);
        using var noGrad = torch.no_grad();
        using var scope = torch.NewDisposeScope();
        using var indices = _moving.IndexTensor?.narrow(0, _part.Start, _part.Count);
        var weights = indices is null ? _replica.Weights.narrow(0, _part.Start, _part.Count) : _replica.Weights.index_select(0, indices);
        using var rate = (-learningRate).ToScalar();
        var g = gradient.Tensor.narrow(0, _part.Start, _part.Count);
        if (_replica.Device.type != DeviceType.CPU)
        {
            g = g.to(_replica.Device);
        }

        if (_weightDecay is not null)
        {
            g.add_(weights, alpha: _weightDecay);
        }

        _velocity.mul_(_momentum).add_(g, alpha: HeldScalars.One);
        weights.add_(_velocity, alpha: rate);
        if (indices is not null)
        {
            _replica.Weights.index_copy_(0, indices, weights);
        }
    }

    /// <summary>The momentum, for a checkpoint.</summary>
    /// <returns>One value an element of the part, valid until the next step; on the CPU the momentum's own memory.</returns>
    public ReadOnlyMemory<float> Capture()
    {
        if (_host is not null)
        {
            return _host.Memory;
        }

        var values = new float[_part.Count];
        TensorBytes.CopyTo(_velocity, values);
        return values;
    }

    /// <summary>Restores the momentum of a checkpoint.</summary>
    /// <param name="read">Fills the span with the values of <see cref="Capture"/>.</param>
    public void Restore(Action<Span<float>> read)
    {
        ArgumentNullException.ThrowIfNull(read);
        if (_host is not null)
        {
            read(_host.Span);
            return;
        }

        var values = new float[_part.Count];
        read(values);
        TensorBytes.CopyFrom(values, _velocity);
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _velocity.Dispose();
        _momentum.Dispose();
        _weightDecay?.Dispose();
    }
}
