using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using MassTransit;
using Scissorhands.Abstractions.Skeleton;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Control;
using Scissorhands.Messaging.Rabbit;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Integration.Worker;

/// <summary>The worker's one compute thread: takes assignments in order, computes, meets the others, reports.</summary>
public sealed class StepComputer : IConsumer<StepAssigned>
{
    private readonly State _state;

    /// <summary>Creates the consumer.</summary>
    /// <param name="state">The worker's state.</param>
    public StepComputer(State state)
    {
        _state = state;
    }

    /// <inheritdoc/>
    public Task Consume(ConsumeContext<StepAssigned> context)
    {
        // Taken at once: the delivery must not be held while the step computes. A newer generation ends the older one.
        _state.Assign(context.Message);
        return Task.CompletedTask;
    }

    /// <summary>What outlives a message.</summary>
    public sealed class State : IDisposable
    {
        private readonly RabbitDataLink _link;
        private readonly BlockingCollection<StepAssigned> _assigned = [];
        private readonly Lock _sync = new();
        private readonly Thread _thread;
        private ICollectiveGroup? _group;
        private (long Generation, int Attempt) _newest;

        /// <summary>Starts the compute thread.</summary>
        /// <param name="link">The way for tensors.</param>
        /// <param name="report">Sends a report.</param>
        public State(RabbitDataLink link, Func<StepReported, Task> report)
        {
            _link = link;
            _thread = new Thread(() =>
            {
                foreach (var assignment in _assigned.GetConsumingEnumerable())
                {
                    var done = Compute(assignment);
                    if (done is not null)
                    {
                        report(done).GetAwaiter().GetResult();
                    }
                }
            })
            {
                IsBackground = true,
                Name = "compute",
            };
            _thread.Start();
        }

        /// <inheritdoc/>
        public void Dispose()
        {
            _assigned.CompleteAdding();
            lock (_sync)
            {
                _group?.Abort(new OperationCanceledException("the worker stops"));
            }

            _thread.Join();
            _assigned.Dispose();
        }

        internal void Assign(StepAssigned assignment)
        {
            lock (_sync)
            {
                if ((assignment.Generation, assignment.Attempt).CompareTo(_newest) <= 0)
                {
                    return;
                }

                _newest = (assignment.Generation, assignment.Attempt);
                _group?.Abort(new OperationCanceledException($"generation {assignment.Generation} has begun"));
                _group = new RabbitCollectiveGroup(_link, assignment.RunId, assignment.Generation, assignment.Rank, assignment.DataQueues);
            }

            _assigned.Add(assignment);
        }

        private StepReported? Compute(StepAssigned assignment)
        {
            ICollectiveGroup group;
            lock (_sync)
            {
                if (assignment.Generation != _newest.Generation)
                {
                    return null;
                }

                group = _group!;
            }

            var report = new StepReported(assignment.RunId, assignment.Generation, assignment.Attempt, assignment.Step, assignment.Rank, "", null);
            try
            {
                var (slices, length, seed, _) = assignment.Work;
                using var fold = new TreeAccumulator(new ReductionTree(slices));
                for (var slice = assignment.FirstSlice; slice < assignment.EndSlice; slice++)
                {
                    fold.Add(new TreeNode(0, slice), ToyGradient.Slice(seed, slice, length));
                }

                var sum = new float[length];
                group.AllReduce(new OperationKey("gradient", assignment.Step), slices, fold.Roots, sum).Wait(CancellationToken.None);
                group.Barrier(new OperationKey("step", assignment.Step)).Wait(CancellationToken.None);
                return report with { ResultHash = Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes(sum.AsSpan()))) };
            }
            catch (CollectiveException e)
            {
                // The grain drops it where a newer generation is why.
                return report with { Failure = e.Message };
            }
        }
    }
}
