using Scissorhands.Core.Replica;
using Scissorhands.Core.Tasks;
using Scissorhands.Core.TensorMemory;
using TorchSharp;
using static TorchSharp.torch;

namespace Scissorhands.Core.Evaluation;

/// <summary>Scores samples in eval mode.</summary>
public sealed class SampleScorer
{
    private readonly ModelReplica _replica;
    private readonly ILearningTask _task;

    /// <summary>Creates the scorer.</summary>
    /// <param name="replica">The model.</param>
    /// <param name="task">The task.</param>
    public SampleScorer(ModelReplica replica, ILearningTask task)
    {
        _replica = replica;
        _task = task;
    }

    /// <summary>Scores a batch: see <see cref="ILearningTask.Scores"/>.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="scores">Receives one score a sample.</param>
    public void Score(TensorBatch batch, Span<float> scores)
    {
        ArgumentNullException.ThrowIfNull(batch);
        using var scope = torch.NewDisposeScope();
        using var noGrad = torch.no_grad();
        _replica.SetTraining(false);
        TensorBytes.CopyTo(_task.Scores(_replica.Forward(batch.Input), batch), scores);
    }
}
