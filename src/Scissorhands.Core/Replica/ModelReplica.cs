using System.Security.Cryptography;
using System.Runtime.InteropServices;
using Scissorhands.Core.TensorMemory;
using Scissorhands.Core.Models;
using Scissorhands.Planning;
using Scissorhands.Planning.Randomness;
using TorchSharp;
using static TorchSharp.torch;

namespace Scissorhands.Core.Replica;

/// <summary>
/// One worker's copy of the model, laid out flat: parameters, their gradients and the float buffers are views into one
/// vector each, so the method works on whole vectors and nothing is gathered or scattered per parameter. Belongs to the
/// compute thread that made it.
/// </summary>
public sealed class ModelReplica : IDisposable
{
    private readonly LoadedModel _model;
    private readonly long _seed;
    private readonly Tensor _weights;
    private readonly Tensor _gradient;
    private readonly Tensor _buffers;
    private readonly IReadOnlyList<Tensor> _integerBuffers;
    private readonly IReadOnlyList<nn.Module> _normalizationLayers;
    private readonly bool _onHost;
    private bool _drawsFromGenerator;

    /// <summary>Takes over a loaded model.</summary>
    /// <param name="model">The model; disposed with the replica.</param>
    /// <param name="device">Where it computes.</param>
    /// <param name="seed">The run's seed, for what is random in forward passes.</param>
    public ModelReplica(LoadedModel model, Device device, long seed)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(device);
        _model = model;
        _seed = seed;
        Device = device;
        _onHost = device.type == DeviceType.CPU;
        using var scope = torch.NewDisposeScope();
        using var noGrad = torch.no_grad();
        if (!_onHost)
        {
            _ = model.Module.to(device);
        }

        var parameters = model.Module.named_parameters().ToArray();
        foreach (var (name, parameter) in parameters)
        {
            if (parameter.dtype != ScalarType.Float32)
            {
                throw new InputException($"{model.Source}: parameter '{name}' is {parameter.dtype}; only float32 models are supported");
            }

            // An exported model may carry frozen parameters; sensitivity is defined over all of them.
            parameter.requires_grad = true;
        }

        Parameters = new ParameterTable(parameters.Select(p => (p.name, p.parameter.shape)));
        if (Parameters.Count == 0)
        {
            throw new InputException($"{model.Source}: the model has no parameters");
        }

        var buffers = model.Module.named_buffers().ToArray();
        foreach (var (name, buffer) in buffers)
        {
            if (buffer.dtype is not (ScalarType.Float32 or ScalarType.Int64))
            {
                throw new InputException($"{model.Source}: buffer '{name}' is {buffer.dtype}; only float32 and int64 buffers are supported");
            }
        }

        var floatBuffers = buffers.Where(b => b.buffer.dtype == ScalarType.Float32).ToArray();
        FloatBufferNames = floatBuffers.Select(b => b.name).ToArray();
        IntegerBufferNames = buffers.Where(b => b.buffer.dtype == ScalarType.Int64).Select(b => b.name).ToArray();
        _integerBuffers = buffers.Where(b => b.buffer.dtype == ScalarType.Int64).Select(b => b.buffer.DetachFromDisposeScope()).ToArray();
        FloatBufferCount = (int)floatBuffers.Sum(b => b.buffer.numel());

        HostWeights = new HostVector(Parameters.Count);
        HostGradient = new HostVector(Parameters.Count + FloatBufferCount + StepTotals.Length);
        HostBuffers = new HostVector(FloatBufferCount);
        if (_onHost)
        {
            _weights = HostWeights.Tensor;
            _gradient = HostGradient.Tensor.narrow(0, 0, Parameters.Count).DetachFromDisposeScope();
            _buffers = HostBuffers.Tensor;
        }
        else
        {
            _weights = torch.zeros(Parameters.Count, ScalarType.Float32, device).DetachFromDisposeScope();
            _gradient = torch.zeros(Parameters.Count, ScalarType.Float32, device).DetachFromDisposeScope();
            _buffers = torch.zeros(FloatBufferCount, ScalarType.Float32, device).DetachFromDisposeScope();
        }

        for (var i = 0; i < parameters.Length; i++)
        {
            var slot = Parameters.Slots[i];
            var parameter = parameters[i].parameter;
            var view = _weights.narrow(0, slot.Start, slot.Count).view(parameter.shape);
            view.copy_(parameter);
            parameter.set_(view);
            parameter.grad = _gradient.narrow(0, slot.Start, slot.Count).view(parameter.shape);
        }

        long offset = 0;
        foreach (var (_, buffer) in floatBuffers)
        {
            var view = _buffers.narrow(0, offset, buffer.numel()).view(buffer.shape);
            view.copy_(buffer);
            buffer.set_(view);
            offset += buffer.numel();
        }

        var statistics = buffers.Where(b => b.name.EndsWith("running_mean", StringComparison.Ordinal))
            .Select(b => b.name[..Math.Max(0, b.name.Length - ".running_mean".Length)]).ToHashSet(StringComparer.Ordinal);
        _normalizationLayers = model.Module.named_modules().Where(m => statistics.Contains(m.name)).Select(m => m.module).ToArray();
        FloatBufferShapes = floatBuffers.Select(b => b.buffer.shape).ToArray();
        IntegerBufferShapes = _integerBuffers.Select(b => b.shape).ToArray();
    }

    /// <summary>Where the replica computes.</summary>
    public Device Device { get; }

    /// <summary>The flat order.</summary>
    public ParameterTable Parameters { get; }

    /// <summary>Names of the float32 buffers (normalisation statistics), in flat buffer order.</summary>
    public IReadOnlyList<string> FloatBufferNames { get; }

    /// <summary>Shapes of the float32 buffers.</summary>
    public IReadOnlyList<long[]> FloatBufferShapes { get; }

    /// <summary>Names of the int64 buffers (batch counters).</summary>
    public IReadOnlyList<string> IntegerBufferNames { get; }

    /// <summary>Shapes of the int64 buffers.</summary>
    public IReadOnlyList<long[]> IntegerBufferShapes { get; }

    /// <summary>Elements of all float32 buffers.</summary>
    public int FloatBufferCount { get; }

    /// <summary>Elements of all int64 buffers.</summary>
    public int IntegerBufferCount => (int)_integerBuffers.Sum(b => b.numel());

    /// <summary>
    /// The gradient [n], followed by room for the float buffers and the step's totals: what a slice contributes to the
    /// all-reduce, in one piece. On the CPU the parameters' gradients are views of it.
    /// </summary>
    public HostVector HostGradient { get; }

    /// <summary>The float buffers; on the CPU the model's own memory.</summary>
    public HostVector HostBuffers { get; }

    /// <summary>The weights; on the CPU the model's own memory, elsewhere a copy made by <see cref="WeightsToHost"/>.</summary>
    public HostVector HostWeights { get; }

    /// <summary>The weights [n] on the device.</summary>
    public Tensor Weights => _weights;

    /// <summary>The gradient [n] on the device, to which every backward pass adds.</summary>
    public Tensor Gradient => _gradient;

    /// <summary>Whether a probe found the model to draw random numbers from libtorch's generator (TorchScript dropout).</summary>
    public bool DrawsFromGenerator => _drawsFromGenerator;

    /// <summary>Puts the model in train or eval mode.</summary>
    /// <param name="training">True for train mode.</param>
    public void SetTraining(bool training)
    {
        if (training)
        {
            _model.Module.train();
        }
        else
        {
            _model.Module.eval();
        }
    }

    /// <summary>
    /// Runs the model in train mode. A single sample runs the normalisation layers in eval mode: their batch statistics
    /// would be those of the one sample, and its features would vanish.
    /// </summary>
    /// <param name="input">[n, ...].</param>
    /// <param name="key">Names the pass for what is random in it.</param>
    /// <returns>The model's output.</returns>
    public Tensor ForwardTraining(Tensor input, ForwardKey key)
    {
        ArgumentNullException.ThrowIfNull(input);
        var single = input.shape[0] == 1;
        if (single)
        {
            foreach (var layer in _normalizationLayers)
            {
                layer.eval();
            }
        }

        try
        {
            _model.SetRandomContext(_seed, key);
            if (!_drawsFromGenerator)
            {
                return _model.Forward(input);
            }

            lock (ProcessGenerator.Gate)
            {
                var stream = RandomStream.Create(_seed, RandomPurpose.TorchGenerator, key.Part, key.Epoch, key.Step, key.Slice);
                using var generator = torch.manual_seed(((long)stream.Bits(0) << 31) ^ stream.Bits(1));
                return _model.Forward(input);
            }
        }
        finally
        {
            if (single)
            {
                foreach (var layer in _normalizationLayers)
                {
                    layer.train();
                }
            }
        }
    }

    /// <summary>Runs the model as it is set, without anything random: for eval mode.</summary>
    /// <param name="input">[n, ...].</param>
    /// <returns>The model's output.</returns>
    public Tensor Forward(Tensor input) => _model.Forward(input);

    private bool MovesGenerator(Tensor input)
    {
        using var before = torch.get_rng_state();
        using (_model.Forward(input))
        {
        }

        using var after = torch.get_rng_state();
        return !after.Equals(before);
    }

    // A device has a generator of its own, whose state cannot be read through the library: what it would change is compared.
    private bool DependsOnGenerator(Tensor input)
    {
        using var firstGenerator = torch.manual_seed(1);
        using var first = _model.Forward(input);
        using var secondGenerator = torch.manual_seed(2);
        using var second = _model.Forward(input);
        return !second.Equals(first);
    }

    /// <summary>
    /// Runs a train-mode pass to learn whether the model draws from libtorch's generator, then restores its buffers.
    /// </summary>
    /// <param name="input">Some samples, [n, ...].</param>
    /// <returns>The eval-mode output for the same samples.</returns>
    public Tensor Probe(Tensor input)
    {
        ArgumentNullException.ThrowIfNull(input);
        using var noGrad = torch.no_grad();
        var state = CaptureBuffers();
        SetTraining(true);
        lock (ProcessGenerator.Gate)
        {
            _model.SetRandomContext(_seed, new ForwardKey("probe", 0, 0, 0));
            _drawsFromGenerator = _onHost ? MovesGenerator(input) : DependsOnGenerator(input);
        }

        RestoreBuffers(state);
        SetTraining(false);
        return _model.Forward(input);
    }

    /// <summary>Whether the model's eval-mode output depends on its parameters in a way that has a gradient.</summary>
    /// <param name="input">Some samples, [n, ...].</param>
    /// <returns>Whether a backward pass is possible.</returns>
    public bool IsDifferentiable(Tensor input)
    {
        using var gradient = torch.enable_grad();
        using var output = _model.Forward(input);
        return output.requires_grad;
    }

    /// <summary>Sets the gradient to zero.</summary>
    public void ZeroGradient()
    {
        // Some in-place operations hand out a new wrapper of the same tensor: the scope disposes of it.
        using var scope = torch.NewDisposeScope();
        _gradient.zero_();
    }

    /// <summary>Brings the gradient to <see cref="HostGradient"/>; nothing to do on the CPU.</summary>
    public void GradientToHost()
    {
        if (!_onHost)
        {
            TensorBytes.CopyTo(_gradient, HostGradient.Span[..Parameters.Count]);
        }
    }

    /// <summary>Brings <see cref="HostGradient"/> to the device; nothing to do on the CPU.</summary>
    public void GradientToDevice()
    {
        if (!_onHost)
        {
            TensorBytes.CopyFrom(HostGradient.Span[..Parameters.Count], _gradient);
        }
    }

    /// <summary>Brings the weights to <see cref="HostWeights"/>; nothing to do on the CPU.</summary>
    public void WeightsToHost()
    {
        if (!_onHost)
        {
            TensorBytes.CopyTo(_weights, HostWeights.Span);
        }
    }

    /// <summary>Brings <see cref="HostWeights"/> to the device; nothing to do on the CPU.</summary>
    public void WeightsToDevice()
    {
        if (!_onHost)
        {
            TensorBytes.CopyFrom(HostWeights.Span, _weights);
        }
    }

    /// <summary>Copies the buffers' values.</summary>
    /// <returns>The values.</returns>
    public BufferState CaptureBuffers()
    {
        BuffersToHost();
        return new BufferState(HostBuffers.Span.ToArray(), ReadIntegers());
    }

    /// <summary>Copies the float buffers to <see cref="HostBuffers"/>; nothing to do on the CPU.</summary>
    public void BuffersToHost()
    {
        if (!_onHost)
        {
            TensorBytes.CopyTo(_buffers, HostBuffers.Span);
        }
    }

    /// <summary>Sets the buffers' values.</summary>
    /// <param name="state">Values of <see cref="CaptureBuffers"/>.</param>
    public void RestoreBuffers(BufferState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        state.Floats.CopyTo(HostBuffers.Span);
        if (!_onHost)
        {
            TensorBytes.CopyFrom(HostBuffers.Span, _buffers);
        }

        WriteIntegers(state.Integers);
    }

    /// <summary>Reads the int64 buffers in order.</summary>
    /// <returns>Their values, one after the other.</returns>
    public long[] ReadIntegers()
    {
        var values = new long[IntegerBufferCount];
        var position = 0;
        foreach (var buffer in _integerBuffers)
        {
            var count = (int)buffer.numel();
            if (_onHost)
            {
                MemoryMarshal.Cast<byte, long>(buffer.bytes).CopyTo(values.AsSpan(position));
            }
            else
            {
                using var host = buffer.cpu();
                MemoryMarshal.Cast<byte, long>(host.bytes).CopyTo(values.AsSpan(position));
            }

            position += count;
        }

        return values;
    }

    /// <summary>All parameters, then all buffers, by name: the state dict. The tensors are the model's own.</summary>
    /// <returns>The entries.</returns>
    public IReadOnlyList<StateEntry> State() => StateDict.Entries(_model.Module);

    /// <summary>SHA-256 over weights and buffers: replicas that agree have equal hashes.</summary>
    /// <returns>32 bytes.</returns>
    public byte[] StateHash()
    {
        WeightsToHost();
        BuffersToHost();
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(MemoryMarshal.AsBytes(HostWeights.Span));
        hash.AppendData(MemoryMarshal.AsBytes(HostBuffers.Span));
        hash.AppendData(MemoryMarshal.AsBytes(ReadIntegers().AsSpan()));
        return hash.GetHashAndReset();
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _model.Dispose();
        if (!_onHost)
        {
            _weights.Dispose();
            _buffers.Dispose();
        }

        _gradient.Dispose();
        foreach (var buffer in _integerBuffers)
        {
            buffer.Dispose();
        }

        HostWeights.Release();
        HostGradient.Release();
        HostBuffers.Release();
    }

    private void WriteIntegers(long[] values)
    {
        using var noGrad = torch.no_grad();
        var position = 0;
        foreach (var buffer in _integerBuffers)
        {
            var count = (int)buffer.numel();
            if (_onHost)
            {
                values.AsSpan(position, count).CopyTo(MemoryMarshal.Cast<byte, long>(buffer.bytes));
            }
            else
            {
                using var host = torch.tensor(values.AsSpan(position, count).ToArray()).view(buffer.shape);
                buffer.copy_(host);
            }

            position += count;
        }
    }
}
