using Scissorhands.Abstractions.Runs;
using Scissorhands.Core.Repair;
using Scissorhands.Core.Replica;
using Scissorhands.Core.TensorMemory;
using Scissorhands.Core.Trim;
using Scissorhands.Data.Samples;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning;
using Scissorhands.Planning.Cut;
using Scissorhands.Worker.Checkpoints;

namespace Scissorhands.Worker.Stages;

/// <summary>
/// Repairs the trimmed model. Every worker computes its slices of each step, the leaves are summed along the fixed tree,
/// and every worker then applies the same update to its replica.
/// </summary>
public sealed class RepairStage : IStageExecutor
{
    private readonly string _planHash;

    /// <summary>Creates the stage.</summary>
    /// <param name="planHash">Hash of the plan, written into checkpoints.</param>
    public RepairStage(string planHash)
    {
        _planHash = planHash;
    }

    /// <inheritdoc />
    public string? Execute(StageContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.Model.EnsureTrimmed();
        using var loop = new RepairLoop(context, _planHash);
        loop.Run();
        context.Model.MarkRepaired();
        return null;
    }

    private sealed class RepairLoop : IDisposable
    {
        private readonly StageContext _context;
        private readonly string _planHash;
        private readonly RepairSchedule _schedule;
        private readonly MovingSet _moving;
        private readonly HostVector _exchange;
        private readonly MomentumSgd _sgd;
        private readonly SliceGradient _slice;
        private readonly ProjectedGradient _projection;
        private readonly bool _ownsExchange;
        private string? _lastCheckpoint;

        public RepairLoop(StageContext context, string planHash)
        {
            _context = context;
            _planHash = planHash;
            _schedule = context.Inputs.Schedule;
            var replica = context.Replica;
            var configuration = context.Inputs.Configuration;
            _moving = configuration.Repair.Trainable == "masked"
                ? MovingSet.Masked(context.Model.Mask, replica.Device)
                : MovingSet.All(replica.Parameters.Count);
            _ownsExchange = !_moving.IsAll;
            _exchange = _moving.IsAll ? replica.HostGradient : new HostVector(_moving.Count + replica.FloatBufferCount + StepTotals.Length);
            _sgd = new MomentumSgd(replica, _moving, configuration.Repair.Momentum, configuration.Repair.WeightDecay);
            _slice = new SliceGradient(replica, context.Inputs.Task);
            _projection = new ProjectedGradient(configuration.Projection, _moving.Translate(TrimScope.Projected(configuration.Projection, replica.Parameters)), _moving.Count);
        }

        private int Tail => _moving.Count;

        public void Run()
        {
            var done = Restore();
            while (done < _schedule.TotalSteps)
            {
                var epoch = done / _schedule.StepsPerEpoch;
                if (_projection.Memories.Count == 0)
                {
                    TakeMemories(epoch);
                }

                done = RunEpoch(epoch, done);
                _projection.Clear();
            }

            // Every rank comes here with the same answer: no rank may meet the others alone.
            if (_lastCheckpoint != RepairCheckpoint.NameOf(done))
            {
                WriteCheckpoint(done);
            }
        }

        public void Dispose()
        {
            _projection.Dispose();
            _sgd.Dispose();
            _moving.Dispose();
            if (_ownsExchange)
            {
                _exchange.Release();
            }
        }

        private int Restore()
        {
            if (_context.Assignment.Checkpoint is not { } name)
            {
                return 0;
            }

            var checkpoint = RepairCheckpoint.Read(_context.Folder, name, _planHash);
            checkpoint.Weights.CopyTo(_context.Replica.HostWeights.Span);
            _context.Replica.WeightsToDevice();
            _context.Replica.RestoreBuffers(new BufferState(checkpoint.Buffers, checkpoint.Integers));
            _sgd.Restore(checkpoint.Momentum);
            foreach (var memory in checkpoint.Memories)
            {
                _projection.Add(memory);
            }

            _lastCheckpoint = name;
            return checkpoint.Steps;
        }

        private void TakeMemories(int epoch)
        {
            var inputs = _context.Inputs;
            var replica = _context.Replica;
            var n = replica.Parameters.Count;
            var gradient = new MemoryGradient(replica, inputs.Task);
            var cuts = _schedule.Memories(epoch);
            using var stream = inputs.Plain.Open(cuts.SelectMany(cut => Held(cut)).Select(held => new BatchRequest(held.Slice.Forget.ToArray(), null)));
            float[]? previous = null;
            foreach (var cut in cuts)
            {
                using var fold = new LeafFold(cut.Slices.Count);
                foreach (var (leaf, _) in Held(cut))
                {
                    using var batch = BatchRunner.Take(stream, inputs.Task, replica.Device, _context.CancellationToken);
                    gradient.Compute(batch, cut.ForgetCount);
                    fold.Add(leaf, replica.HostGradient.Memory[..n], Held(cut).Count);
                }

                var sum = replica.HostGradient.Memory[..n];
                _context.Group.AllReduce(new OperationKey("memory", ((long)epoch << 16) + cut.Index), cut.Slices.Count, fold.Roots, sum).Wait(_context.CancellationToken);
                var memory = new float[_moving.Count];
                _moving.Gather(sum.Span, memory);
                if (inputs.Configuration.Projection.Accumulate && previous is not null)
                {
                    // The public code never clears the gradient between memory batches.
                    for (var i = 0; i < memory.Length; i++)
                    {
                        memory[i] += previous[i];
                    }
                }

                _projection.Add(memory);
                previous = memory;
            }
        }

        private int RunEpoch(int epoch, int done)
        {
            var inputs = _context.Inputs;
            var first = done - (epoch * _schedule.StepsPerEpoch);
            using var stream = inputs.Augmented.Open(_schedule.Steps(epoch, first).SelectMany(Held).SelectMany(held => Requests(held.Slice, epoch)));
            foreach (var step in _schedule.Steps(epoch, first))
            {
                _context.CancellationToken.ThrowIfCancellationRequested();
                var stop = RunStep(step, done, stream);
                done++;
                if (stop || done % inputs.Configuration.Checkpoint.EverySteps == 0 || done == _schedule.TotalSteps)
                {
                    WriteCheckpoint(done);
                }

                if (stop)
                {
                    throw new OperationCanceledException(_context.StopRequested);
                }
            }

            return done;
        }

        private bool RunStep(RepairStepCut step, int index, IBatchStream stream)
        {
            var replica = _context.Replica;
            var configuration = _context.Inputs.Configuration;
            var start = replica.CaptureBuffers();
            long[]? integers = null;
            var held = Held(step);
            using var fold = new LeafFold(step.Slices.Count);
            var needsRestore = false;
            foreach (var (leaf, slice) in held)
            {
                if (needsRestore)
                {
                    replica.RestoreBuffers(start);
                }

                using var retain = slice.Retain.IsEmpty ? null : BatchRunner.Take(stream, _context.Inputs.Task, replica.Device, _context.CancellationToken);
                using var forget = slice.Forget.IsEmpty ? null : BatchRunner.Take(stream, _context.Inputs.Task, replica.Device, _context.CancellationToken);
                _slice.Compute(retain, forget, step.RetainCount, step.ForgetCount, configuration.Repair.Lambda, start, new ForwardKey("", step.Epoch, step.Index, leaf));
                if (leaf == 0)
                {
                    integers = replica.ReadIntegers();
                }

                replica.HostGradient.Span[^(StepTotals.Length - StepTotals.Stop)] = _context.StopRequested.IsCancellationRequested ? 1 : 0;
                Pack();
                fold.Add(leaf, _exchange.Memory, held.Count);
                needsRestore = true;
            }

            _context.Group.AllReduce(new OperationKey("gradient", index), step.Slices.Count, fold.Roots, _exchange.Memory).Wait(_context.CancellationToken);
            MoveBuffers(start, integers ?? start.Integers, step, index);
            var totals = _exchange.Span[^StepTotals.Length..];
            double retainLoss = totals[StepTotals.RetainLoss], forgetLoss = totals[StepTotals.ForgetLoss];
            double retainAccuracy = totals[StepTotals.RetainAccuracy], forgetAccuracy = totals[StepTotals.ForgetAccuracy];
            var stop = totals[StepTotals.Stop] > 0;
            if (!double.IsFinite(retainLoss) || !double.IsFinite(forgetLoss))
            {
                var last = _lastCheckpoint is null ? "there is no checkpoint yet" : $"the last checkpoint is {_lastCheckpoint}";
                throw new RunFailedException($"repair: the loss became {(double.IsFinite(retainLoss) ? forgetLoss : retainLoss)} at step {index} (epoch {step.Epoch}); {last}; a smaller repair.lr or repair.lambda may help");
            }

            var projected = step.IsJoint && step.Index % configuration.Projection.Every == 0 && _projection.Project(_exchange.Span[.._moving.Count]);
            var rate = _schedule.LearningRate(configuration.Repair, step.Epoch, step.Index);
            _sgd.Step(_exchange, rate);
            if (_context.IsFirst)
            {
                var assignment = _context.Assignment;
                _context.Report(new StepDone(
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
                    projected));
                _context.Progress(index + 1, _schedule.TotalSteps, "steps", retainLoss);
            }

            return stop;
        }

        /// <summary>Where only masked entries travel, takes them and the tail out of the full gradient.</summary>
        private void Pack()
        {
            if (_moving.IsAll)
            {
                return;
            }

            var full = _context.Replica.HostGradient.Span;
            _moving.Gather(full, _exchange.Span);
            full[_context.Replica.Parameters.Count..].CopyTo(_exchange.Span[Tail..]);
        }

        private void MoveBuffers(BufferState start, long[] integers, RepairStepCut step, int index)
        {
            var replica = _context.Replica;
            if (_context.Group.Size > 1 && integers.Length > 0)
            {
                // Integers (batch counters) are not averaged: those of slice 0 count, wherever it was computed.
                var holder = Enumerable.Range(0, _context.Group.Size).First(rank => new ReductionTree(step.Slices.Count).Deal(rank, _context.Group.Size) is { Start: 0, Count: > 0 });
                var bytes = new byte[integers.Length * sizeof(long)];
                Buffer.BlockCopy(integers, 0, bytes, 0, bytes.Length);
                _context.Group.Broadcast(new OperationKey("integers", index), holder, bytes).Wait(_context.CancellationToken);
                integers = new long[integers.Length];
                Buffer.BlockCopy(bytes, 0, integers, 0, bytes.Length);
            }

            var change = _exchange.Span.Slice(Tail, start.Floats.Length);
            for (var i = 0; i < start.Floats.Length; i++)
            {
                start.Floats[i] += change[i];
            }

            replica.RestoreBuffers(new BufferState(start.Floats, integers));
        }

        private void WriteCheckpoint(int done)
        {
            var replica = _context.Replica;
            CheckReplicasAgree(done);
            var previous = _lastCheckpoint;
            _lastCheckpoint = RepairCheckpoint.NameOf(done);
            if (!_context.IsFirst)
            {
                return;
            }

            var weights = replica.HostWeights.Span.ToArray();
            if (weights.AsSpan().ContainsAnyExceptInRange(float.MinValue, float.MaxValue))
            {
                throw new RunFailedException($"repair: a weight is not finite after step {done}; the last checkpoint is {previous ?? "none"}; a smaller repair.lr may help");
            }

            var buffers = replica.CaptureBuffers();
            var atEpochStart = _schedule.StepsPerEpoch == 0 || done % _schedule.StepsPerEpoch == 0;
            var checkpoint = new RepairCheckpoint(done, weights, buffers.Floats, buffers.Integers, _sgd.Capture(), atEpochStart ? [] : _projection.Memories);
            var name = checkpoint.Write(_context.Folder, _planHash);
            _context.Report(new CheckpointWritten(_context.Assignment.RunId, _context.Assignment.Generation, _context.Group.Rank, RunStage.Repair, done, name));
            RepairCheckpoint.DeleteOthers(_context.Folder, name, previous);
        }

        /// <summary>Replicas that have drifted apart must never become one model.</summary>
        private void CheckReplicasAgree(int done)
        {
            var size = _context.Group.Size;
            _context.Replica.WeightsToHost();
            if (size == 1)
            {
                return;
            }

            const int HashBytes = 32;
            var hashes = new byte[size * HashBytes];
            _context.Replica.StateHash().CopyTo(hashes, _context.Group.Rank * HashBytes);
            _context.Group.AllGather(new OperationKey("state-hash", done), [.. Enumerable.Range(0, size).Select(r => new IndexRange(r * HashBytes, (r + 1) * HashBytes))], hashes)
                .Wait(_context.CancellationToken);
            for (var rank = 1; rank < size; rank++)
            {
                if (!hashes.AsSpan(0, HashBytes).SequenceEqual(hashes.AsSpan(rank * HashBytes, HashBytes)))
                {
                    throw new RunFailedException($"repair: after step {done} the replicas of workers 0 and {rank} differ; this is a defect or faulty hardware, the last checkpoint is {_lastCheckpoint ?? "none"}");
                }
            }
        }

        private IReadOnlyList<(int Leaf, SliceSamples Slice)> Held(RepairStepCut step)
        {
            var leaves = new ReductionTree(step.Slices.Count).Deal(_context.Group.Rank, _context.Group.Size);
            return [.. Enumerable.Range(leaves.Start, leaves.Count).Select(leaf => (leaf, step.Slices[leaf]))];
        }

        private static IEnumerable<BatchRequest> Requests(SliceSamples slice, int epoch)
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
    }
}
