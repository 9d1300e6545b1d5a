using System.Text.Json;
using System.Threading.Channels;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Planning;

namespace Scissorhands.Benchmarks.Coordinator;

/// <summary>What all simulated workers share.</summary>
/// <param name="Cluster">The coordinator.</param>
/// <param name="Plan">The plan that every run has.</param>
/// <param name="LeaseTime">What a lease takes on average.</param>
/// <param name="Ledger">What became durable.</param>
/// <param name="Times">How long decisions took.</param>
/// <param name="Time">The clock.</param>
/// <param name="DoubledShare">Share of questions that arrive twice, in [0,1].</param>
/// <param name="LostShare">Share of answers that are lost, in [0,1].</param>
internal sealed record SimulatedWorld(
    SimulatedCluster Cluster, RunPlan Plan, TimeSpan LeaseTime, LeaseLedger Ledger, DecisionTimes Times, TimeProvider Time, double DoubledShare, double LostShare);

/// <summary>A worker without arithmetic: says what a worker says and takes as long as it is told to.</summary>
internal sealed class SimulatedWorker(SimulatedWorld world, string id, int seed)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private readonly Random _random = new(seed);

    /// <summary>Lives until it is killed.</summary>
    public async Task LiveAsync(CancellationToken killed)
    {
        var life = Guid.NewGuid().ToString("N");
        var inbox = world.Cluster.Inbox(id);
        using var work = new Session();
        var beats = BeatAsync(life, work, killed);
        try
        {
            await foreach (var command in inbox.ReadAllAsync(killed))
            {
                switch (command)
                {
                    case GangAssigned assigned when assigned.Generation > work.Generation || assigned.RunId != work.RunId:
                        work.Begin(assigned, (answers, over) => WorkAsync(assigned, answers, over), killed);
                        break;
                    case WorkerAnswer answer when answer.RunId == work.RunId && answer.Generation == work.Generation:
                        if (answer.Fenced)
                        {
                            work.End();
                        }
                        else if (_random.NextDouble() >= world.LostShare)
                        {
                            work.Hear(answer);
                        }

                        break;
                    case GenerationOver over when over.RunId == work.RunId && over.Generation >= work.Generation:
                        work.End();
                        break;
                    case YieldAsked asked when asked.RunId == work.RunId && asked.Generation == work.Generation:
                        work.AskToYield();
                        break;
                }
            }
        }
        catch (OperationCanceledException) when (killed.IsCancellationRequested)
        {
            // Killed, as intended.
        }

        work.End();
        await beats;
    }

    private async Task BeatAsync(string life, Session work, CancellationToken killed)
    {
        try
        {
            await Task.Delay(world.Cluster.Liveness.BeatInterval * new Random(seed).NextDouble(), world.Time, killed);
            using var timer = new PeriodicTimer(world.Cluster.Liveness.BeatInterval, world.Time);
            do
            {
                var beat = new WorkerBeat(id, life, world.Cluster.Build, "default", "cpu", 1L << 40, life, false, work.RunId, work.Generation);
                await world.Cluster.Grains.GetGrain<IPoolGrain>("default").BeatAsync(beat);
            }
            while (await timer.WaitForNextTickAsync(killed));
        }
        catch (OperationCanceledException)
        {
            // Killed, as intended.
        }
    }

    private async Task WorkAsync(GangAssigned assigned, ChannelReader<WorkerAnswer> answers, Session.Signals over)
    {
        var number = 0L;
        await AskAsync(WorkerCallKind.Ready, JsonSerializer.Serialize(world.Plan, RunStateJson.Options), timed: false);
        while (true)
        {
            var body = await AskAsync(WorkerCallKind.Next, "", timed: false);
            var stage = JsonSerializer.Deserialize<StageAssignment>(body, RunStateJson.Options)!;
            if (stage.Stage == RunStage.Completed)
            {
                return;
            }

            if (stage.Stage == RunStage.Sensitivity)
            {
                world.Ledger.Resumed(stage.RunId, stage.CommittedBlocks);
                if (!await ScoreAsync(stage))
                {
                    return;
                }
            }
            else
            {
                if (stage is { Stage: RunStage.Select, Rank: 0 })
                {
                    world.Ledger.Selected(stage.RunId);
                }

                await TakeTimeAsync();
                if (over.Yield.IsCancellationRequested)
                {
                    await ReportAsync(new Yielded(stage.RunId, stage.Generation, stage.Rank, stage.Stage));
                    return;
                }
            }

            var result = stage is { Stage: RunStage.Publish, Rank: 0 } ? JsonSerializer.Serialize(new PublishOutcome(new Dictionary<string, string>()), RunStateJson.Options) : null;
            await ReportAsync(new StageDone(stage.RunId, stage.Generation, stage.Rank, stage.Stage, result));
        }

        async Task<bool> ScoreAsync(StageAssignment stage)
        {
            var from = stage.CommittedBlocks;
            var blocks = new List<int>();
            while (true)
            {
                var grant = JsonSerializer.Deserialize<LeaseGrant>(await AskAsync(WorkerCallKind.Lease, "", timed: true), RunStateJson.Options)!;
                switch (grant.Kind)
                {
                    case LeaseKind.Block:
                        await TakeTimeAsync();
                        blocks.Add(grant.Block);
                        break;
                    case LeaseKind.Checkpoint:
                        await world.Ledger.MakeDurableAsync(stage, from, grant.Block, [.. blocks], over.Over);
                        blocks.Clear();
                        from = grant.Block;
                        await ReportAsync(new CheckpointWritten(stage.RunId, stage.Generation, stage.Rank, RunStage.Sensitivity, grant.Block, $"{stage.Generation}-{grant.Block}"));
                        await world.Ledger.HaveReportedAsync(stage, grant.Block, over.Over);
                        break;
                    case LeaseKind.Stop:
                        await ReportAsync(new Yielded(stage.RunId, stage.Generation, stage.Rank, RunStage.Sensitivity));
                        return false;
                    default:
                        return true;
                }
            }
        }

        Task TakeTimeAsync() => Task.Delay(world.LeaseTime * (0.5 + _random.NextDouble()), world.Time, over.Over);

        Task<string> ReportAsync(WorkerReport report) => AskAsync(WorkerCallKind.Report, JsonSerializer.Serialize(report, RunStateJson.Options), timed: true);

        async Task<string> AskAsync(WorkerCallKind kind, string body, bool timed)
        {
            var call = new WorkerCall(id, assigned.RunId, assigned.Generation, assigned.Rank, ++number, kind, body);
            var asked = world.Time.GetTimestamp();
            while (true)
            {
                Deliver(call);
                if (_random.NextDouble() < world.DoubledShare)
                {
                    Deliver(call);
                }

                using var patience = CancellationTokenSource.CreateLinkedTokenSource(over.Over);
                patience.CancelAfter(Patience);
                try
                {
                    while (true)
                    {
                        var answer = await answers.ReadAsync(patience.Token);
                        if (answer.Number == number)
                        {
                            if (timed)
                            {
                                world.Times.Add(world.Time.GetElapsedTime(asked));
                            }

                            return answer.Body;
                        }
                    }
                }
                catch (OperationCanceledException) when (!over.Over.IsCancellationRequested)
                {
                    // Lost on its way: asked again under the same number. What a made-up loss costs is not the coordinator's time.
                    asked = world.Time.GetTimestamp();
                }
            }
        }
    }

    private void Deliver(WorkerCall call) => world.Cluster.Grains.GetGrain<IRunGrain>(call.RunId).CallAsync(call).Ignore();

    /// <summary>The generation a worker works in.</summary>
    internal sealed class Session : IDisposable
    {
        private CancellationTokenSource _over = new();
        private CancellationTokenSource _yield = new();
        private Channel<WorkerAnswer> _answers = Channel.CreateUnbounded<WorkerAnswer>();

        public string? RunId { get; private set; }

        public long Generation { get; private set; }

        public void Begin(GangAssigned assigned, Func<ChannelReader<WorkerAnswer>, Signals, Task> work, CancellationToken killed)
        {
            End();
            (RunId, Generation) = (assigned.RunId, assigned.Generation);
            _over = CancellationTokenSource.CreateLinkedTokenSource(killed);
            _yield = new CancellationTokenSource();
            _answers = Channel.CreateUnbounded<WorkerAnswer>();
            _ = FinishAsync(work(_answers.Reader, new Signals(_over.Token, _yield.Token)), assigned);
        }

        public void Hear(WorkerAnswer answer) => _answers.Writer.TryWrite(answer);

        public void AskToYield() => _yield.Cancel();

        public void End()
        {
            RunId = null;
            _over.Cancel();
        }

        public void Dispose()
        {
            _over.Dispose();
            _yield.Dispose();
        }

        private async Task FinishAsync(Task work, GangAssigned assigned)
        {
            try
            {
                await work;
            }
            catch (OperationCanceledException)
            {
                return;
            }

            if (RunId == assigned.RunId && Generation == assigned.Generation)
            {
                RunId = null;
            }
        }

        /// <summary>What a generation's work is told.</summary>
        public sealed record Signals(CancellationToken Over, CancellationToken Yield);
    }
}
