using System.Diagnostics;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Core.Sensitivity;
using Scissorhands.Data.Samples;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning;
using Scissorhands.Planning.Cut;
using Scissorhands.Worker.Checkpoints;
using Scissorhands.Worker.Telemetry;

namespace Scissorhands.Worker.Stages;

/// <summary>
/// Scores the forget set: takes leases, computes blocks, hands each to the owners of its ranges. At the end of each window
/// all workers meet and make their partial sums durable; only then do the window's blocks count.
/// </summary>
public sealed class SensitivityStage : IStageExecutor
{
    /// <inheritdoc />
    public string? Execute(StageContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var sum = Open(context);
        try
        {
            WorkOffLeases(context, sum);
            context.Model.OwnedSums = sum.Completion.WaitAsync(context.CancellationToken).GetAwaiter().GetResult().ToArray();
        }
        finally
        {
            sum.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }

        return null;
    }

    private static ILeasedSum Open(StageContext context)
    {
        var n = context.Replica.Parameters.Count;
        var restored = context.Assignment.Checkpoint is { } name
            ? SensitivityCheckpoint.Read(context.Checkpoints, name, n, context.Group.Rank, context.Group.Size, context.CancellationToken)
            : [];
        return context.Group.OpenLeasedSum(new OperationKey("sensitivity", 0), context.Inputs.SensitivityBlocks.Count, n, restored);
    }

    private static void WorkOffLeases(StageContext context, ILeasedSum sum)
    {
        using var block = new BlockSensitivity(context.Replica, context.Inputs.Task);
        int? durable = null;
        while (true)
        {
            var lease = context.Link.LeaseAsync(context.Assignment.Generation, context.CancellationToken).AsTask().GetAwaiter().GetResult();
            if (context.IsFirst && durable is { } blocks)
            {
                // Only now: that there is another lease shows that the coordinator took the reports as this generation's,
                // and that its state no longer names an older checkpoint.
                SensitivityCheckpoint.DeleteOlder(context.Checkpoints, blocks, context.CancellationToken);
                durable = null;
            }

            switch (lease.Kind)
            {
                case LeaseKind.Done:
                    return;
                case LeaseKind.Stop:
                    throw new OperationCanceledException(context.StopRequested);
                case LeaseKind.Checkpoint:
                    MakeDurable(context, sum, lease.Block);
                    durable = lease.Block;
                    break;
                default:
                    Compute(context, block, lease.Block);
                    sum.Contribute(lease.Block, block.Host.Memory).Wait(context.CancellationToken);
                    break;
            }
        }
    }

    private static void Compute(StageContext context, BlockSensitivity block, int index)
    {
        var inputs = context.Inputs;
        var range = inputs.SensitivityBlocks[index];
        var batches = Enumerable.Range(range.Start, range.Count).Select(i => inputs.SensitivityBatches[i]).ToArray();
        using var stream = inputs.Plain.Open(batches.Select(b => new BatchRequest([.. Enumerable.Range(b.Start, b.Count).Select(i => inputs.Forget[i])], null)));
        block.Begin();
        for (var i = 0; i < batches.Length; i++)
        {
            context.CancellationToken.ThrowIfCancellationRequested();
            using var batch = BatchRunner.Take(stream, context);
            var loss = block.Add(batch, range.Start + i);
            if (!float.IsFinite(loss))
            {
                throw new RunFailedException($"sensitivity: the loss of forget batch {range.Start + i} is {loss}; check data.mean, data.std and the model");
            }

            context.Progress(batches[i].End, inputs.SensitivityBatches[^1].End, "samples", loss);
        }

        block.Finish();
    }

    private static void MakeDurable(StageContext context, ILeasedSum sum, int blocks)
    {
        // Quiet first: no block of this window may still be on its way to an owner.
        context.Group.Barrier(new OperationKey("sensitivity-quiet", blocks)).Wait(context.CancellationToken);
        var name = SensitivityCheckpoint.NameOf(blocks, context.Group.Size);
        var began = Stopwatch.GetTimestamp();
        sum.Snapshot(partials =>
        {
            CheckHolds(partials, context.Inputs.SensitivityBlocks.Count, blocks);
            SensitivityCheckpoint.Write(context.Checkpoints, name, context.Group.Rank, context.Replica.Parameters.Count, partials, context.CancellationToken);
            return partials.Count;
        });
        WorkerMeters.Checkpointed(RunStage.Sensitivity, began);
        context.Report(new CheckpointWritten(context.Assignment.RunId, context.Assignment.Generation, context.Group.Rank, RunStage.Sensitivity, blocks, name));

        // No lease of the next window is asked for before the coordinator has heard of every range.
        context.Group.Barrier(new OperationKey("sensitivity-durable", blocks)).Wait(context.CancellationToken);
    }

    /// <summary>
    /// A checkpoint that held another set of blocks under this name would be counted as if it held these, and would take the
    /// place of one that does.
    /// </summary>
    internal static void CheckHolds(IReadOnlyList<SubtreeSum> partials, int leaves, int blocks)
    {
        var tree = new ReductionTree(leaves);
        var next = 0;
        foreach (var range in partials.Select(p => tree.LeavesOf(p.Node)).OrderBy(r => r.Start))
        {
            if (range.Start != next)
            {
                break;
            }

            next = range.End;
        }

        if (next != blocks || partials.Sum(p => (long)tree.LeavesOf(p.Node).Count) != blocks)
        {
            var held = string.Join(", ", partials.Select(p => tree.LeavesOf(p.Node)).OrderBy(r => r.Start).Select(r => $"[{r.Start}, {r.End})"));
            throw new RunFailedException($"sensitivity: the partial sums hold blocks {(held.Length == 0 ? "none" : held)} where the checkpoint is of [0, {blocks}); this is a defect");
        }
    }
}
