using System.Runtime.InteropServices;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Core.Repair;
using Scissorhands.Core.Replica;
using Scissorhands.Data.Samples;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning;
using Scissorhands.Planning.Cut;
using Scissorhands.Worker.Telemetry;

namespace Scissorhands.Worker.Stages.Repair;

/// <summary>
/// One repair step: the slices held, one after the other, the all-reduce along the fixed tree, the projection, the update.
/// After the all-reduce every rank computes the same from the same. Where the state is sharded, each rank projects and
/// updates the range it owns, and the weights are brought together.
/// </summary>
internal sealed class RepairStep
{
    private readonly StageContext _context;
    private readonly RepairState _state;
    private readonly RepairVectors _vectors;
    private readonly GradientExchange _exchange;
    private readonly SliceGradient _slice;
    private readonly MovedWeights? _moved;

    /// <summary>Prepares.</summary>
    /// <param name="context">The stage's context.</param>
    /// <param name="state">What a step moves.</param>
    /// <param name="exchange">Adds leaves up over all workers.</param>
    public RepairStep(StageContext context, RepairState state, GradientExchange exchange)
    {
        _context = context;
        _state = state;
        _vectors = state.Vectors;
        _exchange = exchange;
        _slice = new SliceGradient(context.Replica, context.Inputs.Task);
        _moved = _vectors.IsSharded ? new MovedWeights(context, _vectors) : null;
    }

    /// <summary>What the stream of an epoch must be asked for, in the order in which steps take it.</summary>
    /// <param name="slice">A slice held.</param>
    /// <param name="epoch">The epoch, which augmentation follows.</param>
    /// <returns>The batches.</returns>
    public static IEnumerable<BatchRequest> Requests(SliceSamples slice, int epoch)
    {
        if (!slice.Retain.IsEmpty)
        {
            yield return new BatchRequest(slice.Retain.ToArray(), epoch);
        }

        if (!slice.Forget.IsEmpty)
        {
            yield return new BatchRequest(slice.Forget.ToArray(), epoch);
        }
    }

    /// <summary>
    /// Does a step, whole or not at all: where another worker is lost in its middle, this one is at the step before. Sharded
    /// state is lost where that happens while the moved weights are brought together: nobody has all of either step's.
    /// </summary>
    /// <param name="step">The step's cut.</param>
    /// <param name="index">Step of the whole stage, from 0.</param>
    /// <param name="lastCheckpoint">Named where the step fails, or null.</param>
    /// <param name="stream">The epoch's batches.</param>
    /// <returns>Whether any worker was asked to stop: all learn it in the same step.</returns>
    public bool Run(RepairStepCut step, int index, string? lastCheckpoint, IBatchStream stream)
    {
        var configuration = _context.Inputs.Configuration;
        _exchange.Clock.Begin();
        var start = _context.Replica.CaptureBuffers();
        long[] integers;
        bool projected;
        try
        {
            integers = ComputeSlices(step, index, start, stream) ?? start.Integers;
            _exchange.Clock.Computed();
            _exchange.Sum();
            integers = ShareIntegers(integers, step, index);
            _moved?.CheckReplicasAgree(index, lastCheckpoint);
            CheckLoss(step, index, lastCheckpoint);
            var part = _vectors.Part;
            projected = step.IsJoint && step.Index % configuration.Projection.Every == 0 && _vectors.Projection.Project(_vectors.Exchange.Span[part.Start..part.End]);
        }
        catch
        {
            _state.Rollback(start);
            throw;
        }

        MoveBuffers(start, integers);
        var totals = _vectors.Totals;
        double retainLoss = totals[StepTotals.RetainLoss], forgetLoss = totals[StepTotals.ForgetLoss];
        double retainAccuracy = totals[StepTotals.RetainAccuracy], forgetAccuracy = totals[StepTotals.ForgetAccuracy];
        var stop = totals[StepTotals.Stop] > 0;
        var rate = _context.Inputs.Schedule.LearningRate(configuration.Repair, step.Epoch, step.Index);
        if (_moved is null)
        {
            // No other worker is needed from here to the end of the step.
            _vectors.Optimizer.Step(_vectors.Exchange, rate);
        }
        else
        {
            _state.Lose();
            _vectors.Optimizer.Step(_vectors.Exchange, rate);
            _moved.Share(index, _exchange.Clock);
        }

        _state.Commit(index + 1);
        var assignment = _context.Assignment;
        var times = _exchange.Clock.End();
        WorkerMeters.Step(times, projected);
        if (_context.IsFirst)
        {
            var done = new StepDone(
                assignment.RunId,
                assignment.Generation,
                _context.Group.Rank,
                index,
                step.Epoch,
                retainLoss,
                step.IsJoint ? forgetLoss : null,
                retainAccuracy,
                step.IsJoint ? forgetAccuracy : null,
                rate,
                projected,
                times);
            WorkerMeters.Quality(done);
            _context.Report(done);
            _context.Progress(index + 1, _context.Inputs.Schedule.TotalSteps, "steps", retainLoss);
        }
        else
        {
            _context.Report(new RankTimes(assignment.RunId, assignment.Generation, _context.Group.Rank, index + 1, _context.Inputs.Schedule.TotalSteps, times));
        }

        return stop;
    }

    private void CheckLoss(RepairStepCut step, int index, string? lastCheckpoint)
    {
        var totals = _vectors.Totals;
        double retainLoss = totals[StepTotals.RetainLoss], forgetLoss = totals[StepTotals.ForgetLoss];
        if (!double.IsFinite(retainLoss) || !double.IsFinite(forgetLoss))
        {
            var last = lastCheckpoint is null ? "there is no checkpoint yet" : $"the last checkpoint is {lastCheckpoint}";
            throw new RunFailedException($"repair: the loss became {(double.IsFinite(retainLoss) ? forgetLoss : retainLoss)} at step {index} (epoch {step.Epoch}); {last}; a smaller repair.lr or repair.lambda may help");
        }
    }

    /// <summary>Folds the leaves held; returns the int64 buffers after slice 0, where this worker holds it.</summary>
    private long[]? ComputeSlices(RepairStepCut step, int index, BufferState start, IBatchStream stream)
    {
        var replica = _context.Replica;
        var held = step.HeldBy(_context.Group.Rank, _context.Group.Size);
        long[]? integers = null;
        _exchange.Begin(step, index, held.Count);
        var moved = false;
        foreach (var (leaf, slice) in held)
        {
            if (moved)
            {
                // Every slice starts from the buffers of the step's start, whoever computed the one before.
                replica.RestoreBuffers(start);
            }

            using var retain = slice.Retain.IsEmpty ? null : BatchRunner.Take(stream, _context);
            using var forget = slice.Forget.IsEmpty ? null : BatchRunner.Take(stream, _context);
            _slice.Compute(retain, forget, step.RetainCount, step.ForgetCount, _context.Inputs.Configuration.Repair.Lambda, start, new ForwardKey("", step.Epoch, step.Index, leaf));
            if (leaf == 0)
            {
                integers = replica.ReadIntegers();
            }

            replica.HostGradient.Span[^(StepTotals.Length - StepTotals.Stop)] = _context.StopRequested.IsCancellationRequested ? 1 : 0;
            _vectors.Pack();
            _exchange.Add(leaf);
            moved = true;
        }

        return integers;
    }

    /// <summary>Integers (batch counters) are not averaged: those of slice 0 count, wherever it was computed.</summary>
    private long[] ShareIntegers(long[] integers, RepairStepCut step, int index)
    {
        var group = _context.Group;
        if (group.Size == 1 || integers.Length == 0)
        {
            return integers;
        }

        var holder = Enumerable.Range(0, group.Size).First(rank => new ReductionTree(step.Slices.Count).Deal(rank, group.Size) is { Start: 0, Count: > 0 });
        var bytes = MemoryMarshal.AsBytes(integers.AsSpan()).ToArray();
        _exchange.Clock.Wait(group.Broadcast(new OperationKey("integers", index), holder, bytes), _context.CancellationToken);
        return MemoryMarshal.Cast<byte, long>(bytes).ToArray();
    }

    private void MoveBuffers(BufferState start, long[] integers)
    {
        var change = _vectors.BufferChange;
        for (var i = 0; i < start.Floats.Length; i++)
        {
            start.Floats[i] += change[i];
        }

        _context.Replica.RestoreBuffers(new BufferState(start.Floats, integers));
    }
}
