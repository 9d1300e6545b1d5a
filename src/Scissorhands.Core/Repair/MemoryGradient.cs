using Scissorhands.Core.Replica;
using Scissorhands.Core.Tasks;
using TorchSharp;
using static TorchSharp.torch;

namespace Scissorhands.Core.Repair;

/// <summary>One leaf of a memory gradient: the gradient of minus the loss on forget samples, in eval mode, without augmentation.</summary>
public sealed class MemoryGradient
{
    private readonly ModelReplica _replica;
    private readonly ILearningTask _task;

    /// <summary>Creates the computation.</summary>
    /// <param name="replica">The model of the epoch's start.</param>
    /// <param name="task">The task.</param>
    public MemoryGradient(ModelReplica replica, ILearningTask task)
    {
        _replica = replica;
        _task = task;
    }

    /// <summary>Computes the leaf into the first n elements of <see cref="ModelReplica.HostGradient"/>.</summary>
    /// <param name="forget">The slice's samples.</param>
    /// <param name="count">Samples of the whole memory batch.</param>
    public void Compute(TensorBatch forget, int count)
    {
        ArgumentNullException.ThrowIfNull(forget);
        using var scope = torch.NewDisposeScope();
        _replica.SetTraining(false);
        _replica.ZeroGradient();

        // Held: the operator's own number could be collected while native code reads it.
        using var samples = (-count).ToScalar();
        var loss = _task.LossSum(_replica.Forward(forget.Input), forget).div(samples);
        loss.backward();
        _replica.GradientToHost();
    }
}
