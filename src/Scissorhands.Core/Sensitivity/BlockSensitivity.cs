using Scissorhands.Core.Native;
using Scissorhands.Core.Replica;
using Scissorhands.Core.Tasks;
using Scissorhands.Core.TensorMemory;
using TorchSharp;
using static TorchSharp.torch;

namespace Scissorhands.Core.Sensitivity;

/// <summary>
/// Connection sensitivity of a block of batches (SNIP, as the Scissorhands code applies it): the sum over the block's
/// batches of |gradient of the batch's mean loss|, added left to right. The saliency is |w * sum over all blocks|.
/// </summary>
public sealed class BlockSensitivity : IDisposable
{
    private readonly ModelReplica _replica;
    private readonly ILearningTask _task;
    private readonly BufferState _start;
    private readonly Tensor _sum;

    /// <summary>Prepares the accumulator: one vector of n elements.</summary>
    /// <param name="replica">The model; its weights stay as they are.</param>
    /// <param name="task">The task.</param>
    public BlockSensitivity(ModelReplica replica, ILearningTask task)
    {
        ArgumentNullException.ThrowIfNull(replica);
        _replica = replica;
        _task = task;
        _start = replica.CaptureBuffers();
        Host = new HostVector(replica.Parameters.Count);
        _sum = replica.Device.type == DeviceType.CPU
            ? Host.Tensor
            : torch.zeros(replica.Parameters.Count, ScalarType.Float32, replica.Device).DetachFromDisposeScope();
    }

    /// <summary>The block's sum after <see cref="Finish"/>: n elements, in flat order.</summary>
    public HostVector Host { get; }

    /// <summary>Begins a block.</summary>
    public void Begin()
    {
        using var scope = torch.NewDisposeScope();
        _sum.zero_();
    }

    /// <summary>Adds one batch.</summary>
    /// <param name="batch">The batch, whole, without augmentation.</param>
    /// <param name="index">Index of the batch in the whole forget set: names what is random in the pass.</param>
    /// <returns>The batch's mean loss.</returns>
    public float Add(TensorBatch batch, int index)
    {
        ArgumentNullException.ThrowIfNull(batch);
        using var scope = torch.NewDisposeScope();
        _replica.SetTraining(true);
        _replica.ZeroGradient();
        var output = _replica.ForwardTraining(batch.Input, new ForwardKey("sensitivity", 0, index, 0));
        using var samples = batch.Count.ToScalar();
        var loss = _task.LossSum(output, batch).div(samples);
        loss.backward();

        // Buffers move in train mode; every batch must see those of the original model.
        _replica.RestoreBuffers(_start);
        using (torch.no_grad())
        {
            _replica.Gradient.abs_();
            _sum.add_(_replica.Gradient, alpha: HeldScalars.One);
        }

        return loss.item<float>();
    }

    /// <summary>Brings the block's sum to <see cref="Host"/>.</summary>
    public void Finish()
    {
        if (_replica.Device.type != DeviceType.CPU)
        {
            TensorBytes.CopyTo(_sum, Host.Span);
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        if (!ReferenceEquals(_sum, Host.Tensor))
        {
            _sum.Dispose();
        }

        Host.Release();
    }
}
