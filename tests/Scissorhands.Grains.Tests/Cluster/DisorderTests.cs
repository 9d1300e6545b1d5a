using System.Globalization;
using System.Text.Json;
using CsCheck;
using Microsoft.Extensions.Time.Testing;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Grains.Cluster;
using Scissorhands.Grains.Store;

namespace Scissorhands.Grains.Tests.Cluster;

/// <summary>
/// A run with made-up workers whose messages are doubled, dropped, late and shuffled, whose workers come and go, and whose
/// coordinator dies before and after its writes: each lease goes into the durable sum exactly once, and the run ends in the
/// state of one that nothing disturbed.
/// </summary>
public sealed class DisorderTests
{
    private const int RepairSteps = 10;
    private const int StepsBetweenCheckpoints = 5;

    [Fact]
    public void Run_underDisorder_countsEachLeaseOnceAndEndsInTheSameState() =>
        Gen.Select(Gen.Int[0, int.MaxValue], Gen.Int[1, 5], Gen.Int[1, 60])
            .Sample(
                (seed, workers, blocks) => Assert.Equal(new Disorder(seed, 1, blocks).End(disturbances: 0), new Disorder(seed, workers, blocks).End(disturbances: 400)),
                iter: 500);

    private sealed class Disorder
    {
        private readonly Random _random;
        private readonly FakeTimeProvider _time = new();
        private readonly RunRig _rig;
        private readonly MadeUpWorker[] _workers;
        private readonly List<object> _underWay = [];
        private readonly int _blocks;
        private readonly Dictionary<(long Generation, int To), List<int>?[]> _meetings = [];
        private readonly Dictionary<(long Generation, int To), HashSet<int>> _reported = [];
        private readonly Dictionary<string, IReadOnlyList<int>> _files = [];
        private ClusterRun _run;
        private ClusterRun _stored;

        public Disorder(int seed, int workers, int blocks)
        {
            _random = new Random(seed);
            _blocks = blocks;
            _rig = new RunRig(_time, blocks);
            _run = _rig.Open();
            _stored = _rig.Restart(_run);
            _workers = [.. Enumerable.Range(0, workers).Select(i => new MadeUpWorker($"w{i}", this))];
        }

        /// <summary>The state that the run ends in, without what may differ: generations, names of checkpoints, times.</summary>
        public string End(int disturbances)
        {
            for (var i = 0; i < disturbances; i++)
            {
                Disturb();
            }

            for (var round = 0; round < 2_000; round++)
            {
                if (_run.Status == RunStatus.Completed)
                {
                    var end = _run.State.Run!;
                    return RunStateJson.Write(end with { Generation = 0, SensitivityCheckpoint = null, Seconds = new Dictionary<RunStage, double>(), StartedAt = null, FinishedAt = null });
                }

                if (_run.Members.Count == 0)
                {
                    Apply(_run.Form(RunRig.Members([.. _workers.Select(static w => w.Id)])));
                }

                _time.Advance(TimeSpan.FromSeconds(1));
                Apply(_run.Tick());
                foreach (var worker in _workers)
                {
                    worker.Repeat();
                }

                while (_underWay.Count > 0)
                {
                    DeliverOne(keep: false);
                }
            }

            throw new InvalidOperationException($"The run has not ended: {_run.Status}, stage {_run.Stage}, generation {_run.State.Generation}, {_run.State.Run?.CommittedBlocks} of {_blocks} leases");
        }

        public void Send(object message) => _underWay.Add(message);

        public string PlanJson => JsonSerializer.Serialize(_rig.OwnPlan, RunStateJson.Options);

        /// <summary>A rank is at the end of a window; when all are, their sums become durable and all say so.</summary>
        public void Meet(StageAssignment stage, int from, int to, List<int> blocks, IReadOnlyList<int> durable)
        {
            if (!_meetings.TryGetValue((stage.Generation, to), out var meeting))
            {
                _meetings[(stage.Generation, to)] = meeting = new List<int>?[stage.Size];
            }

            meeting[stage.Rank] = blocks;
            if (!Array.TrueForAll(meeting, static b => b is not null))
            {
                return;
            }

            Assert.Equal(Enumerable.Range(from, to - from), meeting.SelectMany(static b => b!).Order());
            var name = $"{stage.Generation}-{to}";
            _files[name] = [.. durable, .. meeting.SelectMany(static b => b!).Order()];
            foreach (var worker in _workers.Where(w => w.Waits(stage.Generation, to)))
            {
                worker.Met(name, _files[name]);
            }
        }

        /// <summary>A rank's report of a window was taken; when those of all were, all ask for leases of the next.</summary>
        public void Reported(StageAssignment stage, int to)
        {
            if (!_reported.TryGetValue((stage.Generation, to), out var ranks))
            {
                _reported[(stage.Generation, to)] = ranks = [];
            }

            if (ranks.Add(stage.Rank) && ranks.Count == stage.Size)
            {
                foreach (var worker in _workers.Where(w => w.WaitsForReports(stage.Generation, to)))
                {
                    worker.GoOn();
                }
            }
        }

        public IReadOnlyList<int> File(string? name) => name is null ? [] : _files[name];

        public void Begins(StageAssignment stage)
        {
            if (stage.Stage == RunStage.Sensitivity)
            {
                Assert.Equal(Enumerable.Range(0, stage.CommittedBlocks), File(stage.Checkpoint));
            }
            else if (stage.Stage > RunStage.Sensitivity)
            {
                Assert.Equal(_blocks, stage.CommittedBlocks);
            }
        }

        private void Disturb()
        {
            _time.Advance(TimeSpan.FromMilliseconds(_random.Next(500)));
            var worker = _workers[_random.Next(_workers.Length)];
            switch (_random.Next(100))
            {
                case < 60:
                    DeliverOne(keep: false);
                    break;
                case < 68:
                    DeliverOne(keep: true);
                    break;
                case < 72 when _underWay.Count > 0:
                    _underWay.RemoveAt(_random.Next(_underWay.Count));
                    break;
                case < 84:
                    worker.Repeat();
                    break;
                case < 90:
                    Apply(_run.Tick());
                    break;
                case < 93:
                    worker.Die();
                    Apply(_run.Lose([worker.Id], "made up"));
                    break;
                case < 94:
                    _run = _rig.Restart(_stored);
                    break;
                default:
                    if (_run.Members.Count == 0 || _random.Next(4) == 0)
                    {
                        string[] chosen = [.. _workers.Where(_ => _random.Next(3) > 0).Select(static w => w.Id)];
                        Apply(_run.Form(RunRig.Members(chosen)));
                    }

                    break;
            }
        }

        private void DeliverOne(bool keep)
        {
            if (_underWay.Count == 0)
            {
                return;
            }

            var at = _random.Next(_underWay.Count);
            var message = _underWay[at];
            if (!keep)
            {
                _underWay.RemoveAt(at);
            }

            if (message is WorkerCall call)
            {
                Apply(_run.Handle(call), mayDie: keep);
            }
            else if (message is WorkerCommand command)
            {
                _workers.Single(w => w.Id == command.WorkerId).Hear(command);
            }
        }

        // As the grain does: written first, then sent; the process may die before either.
        private void Apply(Decision decision, bool mayDie = false)
        {
            if (mayDie && _random.Next(10) == 0)
            {
                _run = _rig.Restart(_stored);
                return;
            }

            if (decision.Store || decision.Events.Count > 0)
            {
                _stored = _rig.Restart(_run);
            }

            if (mayDie && _random.Next(10) == 0)
            {
                _run = _rig.Restart(_stored);
                return;
            }

            _underWay.AddRange(decision.Commands);
        }
    }

    private sealed class MadeUpWorker(string id, Disorder world)
    {
        private GangAssigned? _gang;
        private StageAssignment? _stage;
        private WorkerCall? _asked;
        private WorkerReport? _reported;
        private List<int> _blocks = [];
        private IReadOnlyList<int> _durable = [];
        private int _from;
        private int _steps;
        private int _meetsAt = -1;
        private int _reportedAt = -1;
        private bool _yield;
        private long _number;
        private long _highest;

        public string Id => id;

        public bool Waits(long generation, int to) => _gang?.Generation == generation && _meetsAt == to;

        public bool WaitsForReports(long generation, int to) => _gang?.Generation == generation && _reportedAt == to;

        public void Die() => (_gang, _stage, _asked, _reported, _meetsAt, _reportedAt) = (null, null, null, null, -1, -1);

        public void GoOn()
        {
            _reportedAt = -1;
            Ask(WorkerCallKind.Lease, "");
        }

        public void Repeat()
        {
            if (_asked is { } asked)
            {
                world.Send(asked);
            }
        }

        public void Hear(WorkerCommand command)
        {
            switch (command)
            {
                case GangAssigned assigned when assigned.Generation > _highest:
                    Die();
                    (_gang, _yield, _number, _highest) = (assigned, false, 0, assigned.Generation);
                    Ask(WorkerCallKind.Ready, world.PlanJson);
                    break;
                case WorkerAnswer answer when _gang?.Generation == answer.Generation && _asked?.Number == answer.Number:
                    if (answer.Fenced)
                    {
                        Die();
                    }
                    else
                    {
                        var kind = _asked.Kind;
                        _asked = null;
                        Advance(kind, answer.Body);
                    }

                    break;
                case YieldAsked asked when asked.Generation == _gang?.Generation:
                    _yield = true;
                    break;
                case GenerationOver over when over.Generation >= _gang?.Generation:
                    Die();
                    break;
            }
        }

        public void Met(string name, IReadOnlyList<int> durable)
        {
            (_from, _blocks, _durable) = (_meetsAt, [], durable);
            _meetsAt = -1;
            Report(new CheckpointWritten("run", _stage!.Generation, _stage.Rank, RunStage.Sensitivity, _from, name));
        }

        private void Advance(WorkerCallKind kind, string body)
        {
            switch (kind)
            {
                case WorkerCallKind.Ready:
                    Ask(WorkerCallKind.Next, "");
                    break;
                case WorkerCallKind.Next:
                    _stage = JsonSerializer.Deserialize<StageAssignment>(body, RunStateJson.Options)!;
                    world.Begins(_stage);
                    Work();
                    break;
                case WorkerCallKind.Lease:
                    Take(JsonSerializer.Deserialize<LeaseGrant>(body, RunStateJson.Options)!);
                    break;
                default:
                    switch (_reported)
                    {
                        case StageDone:
                            Ask(WorkerCallKind.Next, "");
                            break;
                        case CheckpointWritten { Stage: RunStage.Repair }:
                            Repair();
                            break;
                        case CheckpointWritten written:
                            _reportedAt = written.Progress;
                            world.Reported(_stage!, written.Progress);
                            break;
                        default:
                            Die();
                            break;
                    }

                    break;
            }
        }

        private void Work()
        {
            if (_stage!.Stage == RunStage.Completed)
            {
                Die();
            }
            else if (_stage.Stage == RunStage.Sensitivity)
            {
                (_from, _blocks, _durable) = (_stage.CommittedBlocks, [], world.File(_stage.Checkpoint));
                Ask(WorkerCallKind.Lease, "");
            }
            else if (_stage.Stage == RunStage.Repair)
            {
                _steps = _stage.Checkpoint is { } name ? int.Parse(name.AsSpan("repair-".Length), CultureInfo.InvariantCulture) : 0;
                Repair();
            }
            else
            {
                Finish();
            }
        }

        private void Repair()
        {
            if (_yield || _steps == RepairSteps || _stage!.Rank > 0)
            {
                Finish();
                return;
            }

            _steps += StepsBetweenCheckpoints;
            Report(new CheckpointWritten("run", _stage.Generation, 0, RunStage.Repair, _steps, string.Create(CultureInfo.InvariantCulture, $"repair-{_steps}")));
        }

        private void Finish()
        {
            if (_yield)
            {
                Report(new Yielded("run", _stage!.Generation, _stage.Rank, _stage.Stage));
            }
            else
            {
                // The selection is made of the sum: it shows whether that holds each lease once.
                Report(new StageDone("run", _stage!.Generation, _stage.Rank, _stage.Stage, _stage.Rank > 0 ? null : _stage.Stage == RunStage.Select ? string.Join(' ', _durable) : "{}"));
            }
        }

        private void Take(LeaseGrant grant)
        {
            switch (grant.Kind)
            {
                case LeaseKind.Block:
                    _blocks.Add(grant.Block);
                    Ask(WorkerCallKind.Lease, "");
                    break;
                case LeaseKind.Checkpoint:
                    _meetsAt = grant.Block;
                    world.Meet(_stage!, _from, grant.Block, _blocks, _durable);
                    break;
                case LeaseKind.Stop:
                    Report(new Yielded("run", _stage!.Generation, _stage.Rank, RunStage.Sensitivity));
                    break;
                default:
                    Report(new StageDone("run", _stage!.Generation, _stage.Rank, RunStage.Sensitivity, null));
                    break;
            }
        }

        private void Report(WorkerReport report)
        {
            _reported = report;
            Ask(WorkerCallKind.Report, JsonSerializer.Serialize(report, RunStateJson.Options));
        }

        private void Ask(WorkerCallKind kind, string body)
        {
            _asked = new WorkerCall(id, "run", _gang!.Generation, _gang.Rank, ++_number, kind, body);
            world.Send(_asked);
        }
    }
}
