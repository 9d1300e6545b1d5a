using Scissorhands.Core.Native;
using Scissorhands.Core.Replica;
using Scissorhands.Core.TensorMemory;
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
    private readonly Scalar _momentum;
    private readonly Scalar? _weightDecay;
    private readonly HostVector? _host;
    private readonly Tensor _velocity;

    /// <summary>Starts with zero momentum.</summary>
    /// <param name="replica">The model.</param>
    /// <param name="moving">What moves.</param>
    /// <param name="momentum">Factor m.</param>
    /// <param name="weightDecay">Factor wd.</param>
    public MomentumSgd(ModelReplica replica, MovingSet moving, double momentum, double weightDecay)
    {
        ArgumentNullException.ThrowIfNull(replica);
        ArgumentNullException.ThrowIfNull(moving);
        _replica = replica;
        _moving = moving;
        _momentum = momentum.ToScalar();
        _weightDecay = weightDecay == 0 ? null : weightDecay.ToScalar();
        _host = replica.Device.type == DeviceType.CPU ? new HostVector(moving.Count) : null;
        _velocity = _host?.Tensor ?? torch.zeros(moving.Count, ScalarType.Float32, replica.Device).DetachFromDisposeScope();
    }

    /// <summary>Applies one step.</summary>
    /// <param name="gradient">Gradient over the moving set, on the host; overwritten.</param>
    /// <param name="learningRate">Factor lr.</param>
    public void Step(HostVector gradient, double learningRate)
    {
        ArgumentNullException.ThrowIfNull(gradient);
        using var noGrad = torch.no_grad();
        using var scope = torch.NewDisposeScope();
        var weights = _moving.IsAll ? _replica.Weights : _replica.Weights.index_select(0, _moving.IndexTensor!);
        using var rate = (-learningRate).ToScalar();
        var g = gradient.Tensor.narrow(0, 0, _moving.Count);
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
        if (!_moving.IsAll)
        {
            _replica.Weights.index_copy_(0, _moving.IndexTensor!, weights);
        }
    }

    /// <summary>The momentum, for a checkpoint.</summary>
    /// <returns>One value a moving element, valid until the next step; on the CPU the momentum's own memory.</returns>
    public ReadOnlyMemory<float> Capture()
    {
        if (_host is not null)
        {
            return _host.Memory;
        }

        var values = new float[_moving.Count];
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

        var values = new float[_moving.Count];
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
