using Scissorhands.Data.Samples;
using static TorchSharp.torch;

namespace Scissorhands.Core.Tasks;

/// <summary>A batch on the device. Dispose gives its tensors back.</summary>
/// <param name="Input">What the model is fed, [n, ...].</param>
/// <param name="Target">What the loss compares with, [n, ...].</param>
public sealed record TensorBatch(Tensor Input, Tensor Target) : IDisposable
{
    /// <summary>Samples.</summary>
    public int Count => (int)Input.shape[0];

    /// <inheritdoc />
    public void Dispose()
    {
        Input.Dispose();
        Target.Dispose();
    }
}

/// <summary>
/// What is being learned: batch, loss and metric. The method above it (sensitivity, repair, evaluation) knows no task.
/// </summary>
public interface ILearningTask
{
    /// <summary>The name in the configuration's <c>task</c>.</summary>
    string Name { get; }

    /// <summary>Copies a batch to the device, into memory owned by libtorch.</summary>
    /// <param name="batch">Batch in host memory.</param>
    /// <param name="device">Where to.</param>
    /// <returns>The batch; the caller disposes it.</returns>
    TensorBatch ToTensors(IHostBatch batch, Device device);

    /// <summary>The sum of the samples' losses, a scalar. Its mean over a batch is the L of the method.</summary>
    /// <param name="output">The model's output.</param>
    /// <param name="batch">The batch it came from.</param>
    /// <returns>0-dimensional tensor attached to the graph.</returns>
    Tensor LossSum(Tensor output, TensorBatch batch);

    /// <summary>
    /// One score a sample, [n] float32: its magnitude is the model's confidence in the right answer, in (0,1]; its sign is
    /// negative where the answer is wrong. Accuracy, confidence histograms and the membership attack are taken from it.
    /// </summary>
    /// <param name="output">The model's output, without a graph.</param>
    /// <param name="batch">The batch it came from.</param>
    /// <returns>The scores, on the device.</returns>
    Tensor Scores(Tensor output, TensorBatch batch);

    /// <summary>Checks a probe's output against the data.</summary>
    /// <param name="output">The model's output for some samples.</param>
    /// <param name="model">The model's file, to name in errors.</param>
    /// <param name="samples">The data.</param>
    /// <param name="source">What to name in errors: the data's pattern.</param>
    /// <exception cref="Planning.InputException">A label lies outside the classes: names the sample.</exception>
    void Check(Tensor output, string model, ISampleSet samples, string source);
}

/// <summary>The tasks by name.</summary>
public static class LearningTasks
{
    /// <summary>Finds a task.</summary>
    /// <param name="name">The configuration's <c>task</c>.</param>
    /// <returns>The task.</returns>
    /// <exception cref="Planning.InputException">No such task.</exception>
    public static ILearningTask Find(string name) => name switch
    {
        "classification" => new ClassificationTask(),
        _ => throw new Planning.InputException($"task: '{name}' is not a known task; known: classification"),
    };
}
