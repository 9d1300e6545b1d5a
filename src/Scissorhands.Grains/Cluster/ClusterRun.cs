using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Grains.Runs;
using Scissorhands.Grains.Store;
using Scissorhands.Planning;

namespace Scissorhands.Grains.Cluster;

/// <summary>
/// The decisions of a run on a cluster: generations of workers around a <see cref="RunMachine"/>. A plain object, fed with
/// what happens and asked for what follows; its grain makes that durable and sends it. One that is read from the store
/// begins without a generation: what the former one knew in memory is gone, and its workers are fenced.
/// </summary>
internal sealed class ClusterRun
{
    private readonly RunOrder _order;
    private readonly TimeProvider _time;
    private readonly LivenessOptions _options;
    private readonly List<WorkerProgress?> _progress = [];
    private readonly RepairTrace _trace;
    private Gang? _gang;
    private IReadOnlyList<GangMember>? _next;
    private long _stageStarted;
    private string? _cause;

    public ClusterRun(string runId, RunOrder order, RunStatus status, string? reason, ClusterRunState state, TimeProvider time, LivenessOptions options)
    {
        RunId = runId;
        _order = order;
        _time = time;
        _options = options;
        (Status, Reason, State) = (status, reason, state);
        _trace = new RepairTrace(state.Watched);
    }

    public string RunId { get; }

    public RunStatus Status { get; private set; }

    public string? Reason { get; private set; }

    /// <summary>What is to be stored, but for the trace.</summary>
    public ClusterRunState State { get; private set; }

    /// <summary>What is to be stored.</summary>
    public ClusterRunState Durable => State with { Watched = _trace.Current };

    /// <summary>How the repair has gone so far; no part of any decision.</summary>
    public RunTrace Trace => _trace.Current ?? new RunTrace();

    public string Pool => _order.Pool;

    public bool IsOpen => Status is RunStatus.Queued or RunStatus.Running;

    /// <summary>The stage; null before the plan is known.</summary>
    public RunStage? Stage => _gang?.Machine?.State.Stage ?? State.Run?.Stage;

    /// <summary>Workers at work, by rank; empty where a generation is wanted.</summary>
    public IReadOnlyList<string> Members => _gang is null || !IsOpen ? [] : [.. _gang.Members.Select(static m => m.WorkerId)];

    /// <summary>Workers this run holds or is about to hold.</summary>
    public IReadOnlyList<string> Claimed => [.. Members.Concat(_next?.Select(static m => m.WorkerId) ?? []).Distinct(StringComparer.Ordinal)];

    public IReadOnlyList<WorkerProgress> Progress => [.. _progress.OfType<WorkerProgress>()];

    /// <summary>Sensitivity leases: not handed out, handed out and not durable, durable; zeros before the plan is known.</summary>
    public (int Open, int Out, int Done) Leases => _gang?.Machine?.Leases ?? (State.Run is { } run ? (run.Blocks - run.CommittedBlocks, 0, run.CommittedBlocks) : (0, 0, 0));

    /// <summary>The slowest rank's computing time of a step over the median of the ranks; null where fewer than two have told.</summary>
    public double? Skew
    {
        get
        {
            double[] times = [.. Progress.Select(static p => p.Times?.Compute).OfType<double>().Order()];
            var median = times.Length < 2 ? 0 : (times[(times.Length - 1) / 2] + times[times.Length / 2]) / 2;
            return median > 0 ? times[^1] / median : null;
        }
    }

    /// <summary>Opens a run again that has failed or was cancelled.</summary>
    public Decision Reopen()
    {
        var decision = new Decision { Store = true, NeedChanged = true };
        // Not running: another run may work on its model by now.
        (Status, Reason) = (RunStatus.Queued, null);
        State = State with { Attempts = 0, BadInput = false, BadKey = null, EndedAt = null };
        decision.Events.Add(Event("reopened"));
        return decision;
    }

    /// <summary>Gives the run its workers: at once where none are at work, otherwise when those have yielded.</summary>
    public Decision Form(IReadOnlyList<GangMember> members)
    {
        var decision = new Decision();
        if (!IsOpen || members.Count == 0)
        {
            return decision;
        }

        if (_gang is null)
        {
            Begin(members, decision);
            return decision;
        }

        _next = members;
        _cause ??= "joined";
        AskToYield(decision);
        return decision;
    }

    /// <summary>The workers' generation is to end at its next durable point.</summary>
    public Decision Yield()
    {
        var decision = new Decision();
        if (_gang is not null)
        {
            _cause = "left";
            AskToYield(decision);
        }

        return decision;
    }

    /// <summary>Workers are gone.</summary>
    public Decision Lose(IReadOnlyList<string> workerIds, string reason)
    {
        var decision = new Decision();
        if (_next is not null)
        {
            GangMember[] left = [.. _next.Where(m => !workerIds.Contains(m.WorkerId, StringComparer.Ordinal))];
            _next = left.Length == 0 ? null : left;
        }

        if (IsOpen && _gang is not null && _gang.Members.Any(m => workerIds.Contains(m.WorkerId, StringComparer.Ordinal)))
        {
            _cause = "lost";
            End(reason, decision);
        }

        return decision;
    }

    /// <summary>Commands that may have been lost, and deadlines that have passed.</summary>
    public Decision Tick()
    {
        var decision = new Decision();
        if (IsOpen && _gang is { } gang)
        {
            decision.Commands.AddRange(gang.Unready().Select(rank => Assignment(gang, rank)));
            if (gang.YieldAskedAt is { } asked)
            {
                if (_time.GetElapsedTime(asked) > _options.YieldTimeout)
                {
                    End($"its workers did not come to a durable point within {_options.YieldTimeout}", decision);
                }
                else
                {
                    SendYield(gang, decision);
                }
            }
        }

        return decision;
    }

    public Decision Cancel(string reason)
    {
        var decision = new Decision();
        if (IsOpen)
        {
            Close(RunStatus.Canceled, reason, decision);
            decision.Events.Add(Event("cancelled", new { reason }));
        }

        return decision;
    }

    public void Note(WorkerProgress progress)
    {
        if (_gang is { } gang && progress.Generation == State.Generation && progress.Rank >= 0 && progress.Rank < gang.Members.Count)
        {
            _progress[progress.Rank] = progress;
            _trace.Note(progress, gang.Members[progress.Rank].WorkerId);
        }
    }

    /// <summary>Takes a worker's question in.</summary>
    public Decision Handle(WorkerCall call)
    {
        var decision = new Decision();
        if (_gang is not { } gang || call.Generation != State.Generation || call.Rank < 0 || call.Rank >= gang.Members.Count || gang.Members[call.Rank].WorkerId != call.WorkerId)
        {
            decision.Commands.Add(Fence(call.WorkerId, call.Generation, call.Number));
            return decision;
        }

        if (gang.Repeats(call, out var again))
        {
            if (again is not null)
            {
                decision.Commands.Add(again);
            }

            return decision;
        }

        switch (call.Kind)
        {
            case WorkerCallKind.Ready:
                Ready(gang, call, decision);
                break;
            case WorkerCallKind.Next:
                gang.Wait(call);
                AnswerWaiting(gang, decision);
                break;
            case WorkerCallKind.Lease:
                Answer(gang, call, JsonSerializer.Serialize(gang.RunningMachine.Lease(), RunStateJson.Options), decision);
                break;
            case WorkerCallKind.Report:
                Report(gang, call, decision);
                break;
            default:
                throw new InvalidOperationException($"Run {RunId}: a worker asks {call.Kind}, which this coordinator does not know");
        }

        return decision;
    }

    private void Begin(IReadOnlyList<GangMember> members, Decision decision)
    {
        decision.Formed = State.Generation == 0 ? "first" : _cause ?? "restarted";
        _cause = null;
        State = State with { Generation = State.Generation + 1, Members = [.. members.Select(static m => m.WorkerId)] };
        (Status, Reason) = (RunStatus.Running, null);
        _gang = new Gang(members, Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)));
        _next = null;
        _progress.Clear();
        _progress.AddRange(new WorkerProgress?[members.Count]);
        decision.Store = decision.NeedChanged = true;
        decision.Commands.AddRange(Enumerable.Range(0, members.Count).Select(rank => Assignment(_gang, rank)));
        decision.Events.Add(Event("generation", new { generation = State.Generation, workers = members.Count }));
    }

    private GangAssigned Assignment(Gang gang, int rank) => new()
    {
        WorkerId = gang.Members[rank].WorkerId,
        RunId = RunId,
        Generation = State.Generation,
        Rank = rank,
        DataQueues = [.. gang.Members.Select(static m => m.DataQueue)],
        Key = gang.Key,
        Order = _order,
        PlanHash = State.Run?.PlanHash,
        Trace = State.Trace,
    };

    private void Ready(Gang gang, WorkerCall call, Decision decision)
    {
        var plan = JsonSerializer.Deserialize<RunPlan>(call.Body, RunStateJson.Options) ?? throw new JsonException("the plan is empty");
        if (State.Plan is null)
        {
            // The first that is ready makes the plan; the others must come to the same.
            var configuration = JsonNode.Parse(_order.Configuration)!;
            var window = Math.Max(1, (int)configuration["checkpoint"]!["everySteps"]! / (int)configuration["sensitivity"]!["blockBatches"]!);
            State = State with
            {
                Plan = call.Body,
                Run = new RunState
                {
                    RunId = RunId,
                    PlanHash = plan.Hash(),
                    StartedAt = _time.GetUtcNow(),
                    Blocks = plan.SensitivityBlocks,
                    WindowBlocks = window,
                },
            };
            decision.Store = true;
        }
        else if (plan.Hash() != State.Run!.PlanHash)
        {
            var stored = JsonSerializer.Deserialize<RunPlan>(State.Plan, RunStateJson.Options)!;
            Fail($"worker {call.WorkerId} sees {plan.DifferenceFrom(stored)} than the workers that planned the run; all workers must see the same files and hold the same program", input: true, decision);
            return;
        }

        gang.Wait(call);
        if (gang.WaitingRanks == gang.Members.Count)
        {
            if (!State.PlanAnnounced)
            {
                // Not before the first rank has taken the output folder: whoever submitted the run stops waiting then.
                State = State with { PlanAnnounced = true };
                decision.Store = true;
                decision.Events.Add(Event("planned", new { plan = plan.Hash(), parameters = plan.Parameters, forget = plan.ForgetCount, retain = plan.RetainCount }));
            }

            gang.Start(new RunMachine(State.Run! with { Generation = State.Generation - 1 }, gang.Members.Count));
            _stageStarted = _time.GetTimestamp();
            foreach (var ready in gang.TakeWaiting())
            {
                Answer(gang, ready, State.Run!.PlanHash, decision);
            }
        }
    }

    private void Report(Gang gang, WorkerCall call, Decision decision)
    {
        var report = JsonSerializer.Deserialize<WorkerReport>(call.Body, RunStateJson.Options) ?? throw new JsonException("the report is empty");
        switch (report)
        {
            case WorkerFailed { Cause: FailureCause.Input } failed:
                Fail(failed.Reason, input: true, decision, failed.Key);
                return;
            case WorkerFailed failed when failed.Cause == FailureCause.Lasting || State.Attempts + 1 >= _options.MaxAttempts:
                Fail(failed.Reason, input: false, decision);
                return;
            case WorkerFailed failed:
                State = State with { Attempts = State.Attempts + 1 };
                decision.Store = true;
                decision.Events.Add(Event("retry", new { stage = StageNames.Of(failed.Stage), rank = failed.Rank, reason = failed.Reason, attempt = State.Attempts }));
                Answer(gang, call, "", decision);
                _cause = "broken";
                End(failed.Reason, decision);
                return;
            case WorkerUnfit unfit:
                State = State with
                {
                    LeastWorkers = new Dictionary<string, int>(State.LeastWorkers, StringComparer.Ordinal) { [call.WorkerId] = unfit.LeastWorkers == 0 ? int.MaxValue : unfit.LeastWorkers },
                };
                Answer(gang, call, "", decision);
                _cause = "broken";
                End(unfit.Reason, decision);
                return;
            case GenerationBroken broken:
                Answer(gang, call, "", decision);
                _cause ??= "broken";
                End(broken.Reason, decision);
                return;
            case Yielded:
                Answer(gang, call, "", decision);
                gang.Yielded.Add(call.Rank);
                if (gang.Yielded.Count == gang.Members.Count)
                {
                    End("its workers have yielded", decision);
                }

                return;
        }

        var machine = gang.RunningMachine;
        var before = machine.State.Stage;
        if (machine.Apply(report))
        {
            var now = _time.GetTimestamp();
            machine.AddSeconds(before, _time.GetElapsedTime(_stageStarted, now).TotalSeconds);
            _stageStarted = now;
            if (before == RunStage.Publish && machine.State.Stage == RunStage.Report)
            {
                machine.Finish(_time.GetUtcNow());
            }

            if (machine.State.Stage != before)
            {
                decision.StageDone = (before, machine.State.Seconds.GetValueOrDefault(before));
            }

            State = State with { Run = machine.State, Attempts = 0 };
            decision.Store = true;
            decision.Events.Add(report is CheckpointWritten written
                ? Event("checkpoint", new { stage = StageNames.Of(written.Stage), progress = written.Progress })
                : Event("stage-done", new { stage = StageNames.Of(before) }));
        }

        Answer(gang, call, "", decision);
        if (machine.IsCompleted)
        {
            AnswerWaiting(gang, decision);
            (Status, Reason) = (RunStatus.Completed, null);
            State = State with { EndedAt = _time.GetUtcNow() };
            decision.Store = decision.NeedChanged = true;
            decision.Events.Add(Event("completed"));
        }
        else if (machine.State.Stage != before)
        {
            AnswerWaiting(gang, decision);
        }
    }

    private static void AnswerWaiting(Gang gang, Decision decision)
    {
        foreach (var call in gang.Waiting.Where(call => !gang.RunningMachine.IsWaiting(call.Rank)).ToArray())
        {
            gang.Waiting.Remove(call);
            Answer(gang, call, JsonSerializer.Serialize(gang.RunningMachine.AssignmentFor(call.Rank), RunStateJson.Options), decision);
        }
    }

    private static void Answer(Gang gang, WorkerCall call, string body, Decision decision)
    {
        var answer = new WorkerAnswer { WorkerId = call.WorkerId, RunId = call.RunId, Generation = call.Generation, Number = call.Number, Body = body };
        gang.Answered(call, answer);
        decision.Commands.Add(answer);
    }

    private WorkerAnswer Fence(string workerId, long generation, long number) =>
        new() { WorkerId = workerId, RunId = RunId, Generation = generation, Number = number, Fenced = true };

    private void AskToYield(Decision decision)
    {
        var gang = _gang!;
        if (gang.Machine is null)
        {
            // Nothing has begun that a durable point could save.
            End("its workers change", decision);
            return;
        }

        if (gang.YieldAskedAt is null)
        {
            gang.YieldAskedAt = _time.GetTimestamp();
            gang.Machine.RequestStop();
            SendYield(gang, decision);
        }
    }

    private void SendYield(Gang gang, Decision decision) => decision.Commands.AddRange(gang.Members
        .Where((_, rank) => !gang.Yielded.Contains(rank))
        .Select(member => new YieldAsked { WorkerId = member.WorkerId, RunId = RunId, Generation = State.Generation }));

    /// <summary>The generation is over. The workers learn of it by the next one, or by the fence.</summary>
    private void End(string reason, Decision decision)
    {
        _gang = null;
        decision.NeedChanged = true;
        decision.Events.Add(Event("generation-over", new { generation = State.Generation, reason }));
        decision.Store = true;
        if (_next is { } next)
        {
            Begin(next, decision);
        }
        else
        {
            Reason = reason;
        }
    }

    private void Fail(string reason, bool input, Decision decision, string? key = null)
    {
        Close(RunStatus.Failed, reason, decision);
        State = State with { BadInput = input, BadKey = key, Run = State.Run is null ? null : State.Run with { Failure = reason } };
        decision.Events.Add(Event("failed", new { reason, input }));
    }

    private void Close(RunStatus status, string reason, Decision decision)
    {
        if (_gang is { } gang)
        {
            decision.Commands.AddRange(gang.Members.Select(member => new GenerationOver { WorkerId = member.WorkerId, RunId = RunId, Generation = State.Generation, Reason = reason }));
        }

        (_gang, _next) = (null, null);
        (Status, Reason) = (status, reason);
        State = State with { EndedAt = _time.GetUtcNow() };
        decision.Store = decision.NeedChanged = true;
    }

    private NewEvent Event(string name, object? fields = null) =>
        new(_time.GetUtcNow(), name, fields is null ? null : JsonSerializer.Serialize(fields));
}
