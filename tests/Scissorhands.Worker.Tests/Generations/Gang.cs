using System.Collections.Concurrent;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning;
using Scissorhands.Worker.Run;

namespace Scissorhands.Worker.Tests.Generations;

/// <summary>The workers of a run, over its generations.</summary>
internal sealed class Gang : IDisposable
{
    private readonly RunFolder _folder;
    private readonly CancellationToken _cancellationToken = TestContext.Current.CancellationToken;
    private List<Member> _members = [];

    public Gang(RunInputs inputs, RunFolder folder)
    {
        Inputs = inputs;
        _folder = folder;
        Coordinator = new ScriptedCoordinator(inputs.SensitivityBlocks.Count);
    }

    public ScriptedCoordinator Coordinator { get; }

    /// <summary>What new workers work on.</summary>
    public RunInputs Inputs { get; set; }

    public bool IsCompleted => Coordinator.Stage == RunStage.Completed;

    /// <summary>Opens a generation of so many workers and works until it ends.</summary>
    /// <param name="size">Workers.</param>
    /// <param name="survivors">By new rank, the rank it had before; the others are new.</param>
    /// <param name="breaks">The rank that loses the generation, and where; null for none.</param>
    /// <returns>What each worker ended with, by rank; null where it completed.</returns>
    public Exception?[] Generation(int size, IReadOnlyList<int>? survivors = null, (int Rank, Break At)? breaks = null)
    {
        var before = _members;
        _members = [.. Enumerable.Range(0, size).Select(rank => survivors is not null && rank < survivors.Count ? before[survivors[rank]] : new Member(Inputs, _folder))];
        foreach (var lost in before.Except(_members))
        {
            lost.Dispose();
        }

        Coordinator.Begin(size);
        var groups = InProcessGroup.Create("run", Coordinator.Generation, size);
        var runs = _members.Select((member, rank) =>
        {
            var group = breaks is { } b && b.Rank == rank ? new BreakingGroup(groups[rank], b.At) : groups[rank];
            var link = Coordinator.LinkFor(rank);
            return member.Do(worker => worker.Run(link, group, CancellationToken.None, _cancellationToken));
        }).ToArray();
        Task.WhenAll(runs).ContinueWith(_ => { }, TaskScheduler.Default).Wait(_cancellationToken);
        foreach (var group in groups)
        {
            group.DisposeAsync().AsTask().Wait(_cancellationToken);
        }

        return [.. runs.Select(run => run.Exception?.InnerException)];
    }

    /// <summary>Does something to a worker's replica, on its thread.</summary>
    public void Do(int rank, Action<RunWorker> action) => _members[rank].Do(action).Wait(_cancellationToken);

    /// <summary>A worker, to be looked at by code that runs on its thread.</summary>
    public RunWorker Worker(int rank) => _members[rank].Worker;

    /// <summary>The steps that a generation did, in order.</summary>
    public int[] StepsOf(long generation) => [.. Coordinator.Reports.OfType<StepDone>().Where(s => s.Generation == generation).Select(s => s.Step)];

    /// <summary>Hashes of the published files.</summary>
    public string Answer()
    {
        Assert.True(IsCompleted, $"stage {Coordinator.Stage}");
        return Coordinator.Published!;
    }

    public void Dispose()
    {
        foreach (var member in _members)
        {
            member.Dispose();
        }
    }

    /// <summary>A worker and its compute thread.</summary>
    private sealed class Member : IDisposable
    {
        private readonly BlockingCollection<Action> _work = [];
        private readonly Task _thread;

        public Member(RunInputs inputs, RunFolder folder)
        {
            Worker = new RunWorker(inputs, folder, "plan");
            _thread = ComputeThread.Run("worker", () =>
            {
                foreach (var action in _work.GetConsumingEnumerable())
                {
                    action();
                }

                Worker.Dispose();
            });
        }

        public RunWorker Worker { get; }

        public Task Do(Action<RunWorker> action)
        {
            var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _work.Add(() =>
            {
                try
                {
                    action(Worker);
                    done.SetResult();
                }
                catch (Exception e)
                {
                    done.SetException(e);
                }
            });
            return done.Task;
        }

        public void Dispose()
        {
            _work.CompleteAdding();
            _thread.Wait();
            _work.Dispose();
        }
    }
}
