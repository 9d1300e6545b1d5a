using Scissorhands.Core.Repair;
using Scissorhands.Core.Replica;
using Scissorhands.Core.Tasks;
using Scissorhands.Data.Samples;
using Scissorhands.Planning;
using Scissorhands.Planning.Cut;
using Scissorhands.Planning.Randomness;

namespace Scissorhands.Core.Training;

/// <summary>
/// Trains a model from scratch with momentum SGD and a cosine schedule: what the demonstration and the tests begin with.
/// No part of the method; made of the repair's pieces, so its result is as reproducible.
/// </summary>
public sealed class PlainTraining
{
    private readonly ModelReplica _replica;
    private readonly ILearningTask _task;
    private readonly IBatchSource _source;

    /// <summary>Prepares a training.</summary>
    /// <param name="replica">The model with its initial weights.</param>
    /// <param name="task">The task.</param>
    /// <param name="source">The data.</param>
    public PlainTraining(ModelReplica replica, ILearningTask task, IBatchSource source)
    {
        _replica = replica;
        _task = task;
        _source = source;
    }

    /// <summary>Trains.</summary>
    /// <param name="ordinals">The training samples.</param>
    /// <param name="epochs">Passes over them.</param>
    /// <param name="batchSize">Samples of a step.</param>
    /// <param name="learningRate">Highest rate; falls to zero along a cosine.</param>
    /// <param name="weightDecay">Weight decay.</param>
    /// <param name="seed">Seed of the order.</param>
    /// <param name="epochDone">Told of each epoch: its number from 1, mean loss, share answered right.</param>
    /// <param name="cancellationToken">Ends the training between steps.</param>
    public void Run(
        IReadOnlyList<int> ordinals,
        int epochs,
        int batchSize,
        double learningRate,
        double weightDecay,
        long seed,
        Action<int, double, double> epochDone,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(ordinals);
        ArgumentNullException.ThrowIfNull(epochDone);
        using var moving = MovingSet.All(_replica.Parameters.Count);
        using var sgd = new MomentumSgd(_replica, moving, momentum: 0.9, weightDecay);
        var gradient = new SliceGradient(_replica, _task);
        var batches = BatchCut.Batches(ordinals.Count, batchSize, minimumLast: 2);
        for (var epoch = 0; epoch < epochs; epoch++)
        {
            var order = ordinals.ToArray();
            RandomStream.Create(seed, RandomPurpose.TrainShuffle, first: epoch).Shuffle<int>(order);
            double loss = 0, accuracy = 0;
            using var stream = _source.Open(batches.Select(b => new BatchRequest(order[b.Start..b.End], epoch)));
            for (var step = 0; step < batches.Count; step++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                using var host = stream.Next(cancellationToken)!;
                using var batch = _task.ToTensors(host, _replica.Device);
                gradient.Compute(batch, null, batch.Count, 0, 0, _replica.CaptureBuffers(), new ForwardKey("", epoch, step, 0));
                var totals = _replica.HostGradient.Span[^StepTotals.Length..];
                loss += totals[StepTotals.RetainLoss] / batches.Count;
                accuracy += totals[StepTotals.RetainAccuracy] / batches.Count;
                var progress = (((double)epoch * batches.Count) + step) / ((double)epochs * batches.Count);
                sgd.Step(_replica.HostGradient, learningRate * 0.5 * (1 + Math.Cos(Math.PI * progress)));
            }

            if (!double.IsFinite(loss))
            {
                throw new RunFailedException($"training: the loss became {loss} in epoch {epoch + 1}; a smaller learning rate may help");
            }

            epochDone(epoch + 1, loss, accuracy);
        }
    }
}
