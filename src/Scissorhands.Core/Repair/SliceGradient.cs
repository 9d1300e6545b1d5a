using Scissorhands.Core.Native;
using Scissorhands.Core.Replica;
using Scissorhands.Core.Tasks;
using TorchSharp;
using static TorchSharp.torch;

namespace Scissorhands.Core.Repair;

/// <summary>
/// Computes one leaf of a repair step: gradient of sum(retain losses)/n_r - lambda * sum(forget losses)/n_f over the
/// slice's samples, the weighted change of the float buffers, and the step's totals.
/// </summary>
public sealed class SliceGradient
{
    private readonly ModelReplica _replica;
    private readonly ILearningTask _task;

    /// <summary>Creates the computation.</summary>
    /// <param name="replica">The model.</param>
    /// <param name="task">The task.</param>
    public SliceGradient(ModelReplica replica, ILearningTask task)
    {
        _replica = replica;
        _task = task;
    }

    /// <summary>
    /// Computes the leaf into <see cref="ModelReplica.HostGradient"/>. Retain samples run before forget samples. The
    /// buffers are left as this slice moved them; the caller restores them before the next slice.
    /// </summary>
    /// <param name="retain">The slice's retain samples; null for none.</param>
    /// <param name="forget">The slice's forget samples; null for none.</param>
    /// <param name="retainCount">n_r: retain samples of the whole step.</param>
    /// <param name="forgetCount">n_f: forget samples of the whole step.</param>
    /// <param name="lambda">Weight of the forget loss.</param>
    /// <param name="start">The buffers' values at the start of the step, which the model holds now.</param>
    /// <param name="key">Names the slice; the part is filled in.</param>
    public void Compute(TensorBatch? retain, TensorBatch? forget, int retainCount, int forgetCount, double lambda, BufferState start, ForwardKey key)
    {
        ArgumentNullException.ThrowIfNull(start);
        _replica.SetTraining(true);
        _replica.ZeroGradient();
        var totals = _replica.HostGradient.Span[^StepTotals.Length..];
        totals.Clear();
        if (retain is not null)
        {
            (totals[StepTotals.RetainLoss], totals[StepTotals.RetainAccuracy]) = Backward(retain, retainCount, 1, key with { Part = "retain" });
        }

        if (forget is not null)
        {
            (totals[StepTotals.ForgetLoss], totals[StepTotals.ForgetAccuracy]) = Backward(forget, forgetCount, -lambda, key with { Part = "forget" });
        }

        _replica.GradientToHost();
        _replica.BuffersToHost();

        // Changes are averaged instead of values, so a buffer that never changes keeps its bits under any weights.
        var share = (float)(((retain?.Count ?? 0) + (forget?.Count ?? 0)) / (double)(retainCount + forgetCount));
        var buffers = _replica.HostBuffers.Span;
        var change = _replica.HostGradient.Span.Slice(_replica.Parameters.Count, buffers.Length);
        for (var i = 0; i < buffers.Length; i++)
        {
            change[i] = (buffers[i] - start.Floats[i]) * share;
        }
    }

    private (float Loss, float Accuracy) Backward(TensorBatch batch, int count, double factor, ForwardKey key)
    {
        using var scope = torch.NewDisposeScope();
        var output = _replica.ForwardTraining(batch.Input, key);
        using var samples = count.ToScalar();
        using var weight = factor.ToScalar();
        var loss = _task.LossSum(output, batch).div(samples);
        (factor == 1 ? loss : loss.mul(weight)).backward();
        using var noGrad = torch.no_grad();
        var right = _task.Scores(output.detach(), batch).gt(HeldScalars.Zero).sum().item<long>();
        return (loss.item<float>(), right / (float)count);
    }
}
