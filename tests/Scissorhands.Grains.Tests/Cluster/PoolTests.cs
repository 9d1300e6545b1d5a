using CsCheck;
using Microsoft.Extensions.Time.Testing;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Grains.Cluster;

namespace Scissorhands.Grains.Tests.Cluster;

public sealed class PoolTests
{
    private static readonly LivenessOptions Options = new();
    private readonly FakeTimeProvider _time = new();
    private readonly Pool _pool;

    public PoolTests()
    {
        _pool = new Pool("pool", _time, Options);
        _time.Advance(Options.SettleTime);
    }

    [Fact]
    public void Deal_beforeItHasSettled_givesNobody()
    {
        var young = new Pool("pool", _time, Options);
        young.Beat(Beat("a"));
        young.Need(Need("run"));

        Assert.Empty(young.Deal());
    }

    [Fact]
    public void Deal_moreRunsThanWorkers_byDeadlineThenByAge()
    {
        Alive("a", "b", "c");
        _pool.Need(Need("young", submitted: 3));
        _pool.Need(Need("old", submitted: 1));
        _pool.Need(Need("urgent", submitted: 9, deadline: 1));
        _pool.Need(Need("less-urgent", submitted: 2, deadline: 2));

        Assert.Equal(["urgent", "less-urgent", "old"], _pool.Deal().Select(static d => d.RunId));
    }

    [Fact]
    public void Deal_twoRunsOfOneModel_oneAfterTheOther()
    {
        Alive("a", "b");
        _pool.Need(Need("first", submitted: 1, model: "m"));
        _pool.Need(Need("second", submitted: 2, model: "m"));
        Assert.Equal(["first"], _pool.Deal().Select(static d => d.RunId));
        Assert.Empty(_pool.Deal());

        _pool.Need(Need("first", model: "m") with { Open = false });

        Assert.Equal(["second"], _pool.Deal().Select(static d => d.RunId));
    }

    [Fact]
    public void Waits_afterAWhile_saysWhatEachRunWaitsFor()
    {
        Alive("a", "small");
        _pool.Need(Need("first", submitted: 1, model: "m"));
        _pool.Need(Need("second", submitted: 2, model: "m"));
        _pool.Need(Need("elsewhere", submitted: 2) with { BehindRun = "far" });
        _pool.Need(Need("cuda", submitted: 3) with { Device = "cuda" });
        _pool.Need(Need("large", submitted: 3) with { LeastWorkers = Never("a", "small") });
        _pool.Need(Need("other", submitted: 4) with { LeastWorkers = Never("small") });
        _pool.Need(Need("together", submitted: 5, workers: 4) with { LeastWorkers = new Dictionary<string, int> { ["a"] = 3, ["small"] = 3 } });
        Assert.Equal(["first"], _pool.Deal().Select(static d => d.RunId));
        Assert.Empty(_pool.Waits);

        _time.Advance(Options.SettleTime);
        Assert.Empty(_pool.Deal());

        Assert.Equal(
            new Dictionary<string, string>
            {
                ["second"] = "run first works on the same model",
                ["elsewhere"] = "run far has begun on the same model and is not done",
                ["cuda"] = "waits for workers: none of the 2 in pool pool computes on cuda",
                ["large"] = "waits for workers: none of the 2 in pool pool that compute on cpu can do it",
                ["other"] = "waits for workers: the 1 in pool pool that could do it are taken",
                ["together"] = "waits for workers: the 2 in pool pool that could do it among others are too few",
            },
            _pool.Waits);
        _pool.Need(Need("first", model: "m") with { Open = false });
        Assert.Equal(["second"], _pool.Deal().Select(static d => d.RunId));
        Assert.DoesNotContain("second", _pool.Waits.Keys);
    }

    [Fact]
    public void Waits_poolWithoutWorkers_saysSo()
    {
        _pool.Need(Need("run"));
        _time.Advance(Options.SettleTime);
        _pool.Deal();
        Assert.Equal("waits for workers: pool pool has none", Assert.Single(_pool.Waits).Value);

        Alive("a");
        Assert.Single(_pool.Deal());
        Assert.Empty(_pool.Waits);
    }

    [Fact]
    public void Deal_workersComeAndGoAtRandom_neverTwoRunsOfAModelOrAWorkerTwiceAndAllEnd() =>
        Gen.Int[0, int.MaxValue].Sample(static seed => new Crowd(seed).Hold(), iter: 300);

    [Fact]
    public void Deal_workerJoinsAndNobodyWaits_runGrows()
    {
        Alive("a");
        _pool.Need(Need("run", workers: 2));
        Assert.Equal(["a"], Members(_pool.Deal().Single().Members));

        Alive("b", "c");
        var grown = Assert.Single(_pool.Deal());
        Assert.Equal(["a", "b"], Members(grown.Members));
        Assert.Empty(_pool.Deal());
    }

    [Fact]
    public void Deal_someoneWaits_runDoesNotGrow()
    {
        Alive("a");
        _pool.Need(Need("first", submitted: 1, workers: 4, model: "m"));
        _pool.Deal();
        _pool.Need(Need("waiting", submitted: 2, workers: 4));
        Alive("b");

        // The free worker goes to the one that waits, although the first could use it.
        Assert.Equal(["waiting"], _pool.Deal().Select(static d => d.RunId));
    }

    [Fact]
    public void Deal_runWithoutItsWorkers_waitsForThoseThatHoldItsState()
    {
        Alive("a", "b");
        _pool.Need(Need("run", workers: 1) with { Generation = 4, Former = ["b"] });
        _time.Advance(TimeSpan.FromMilliseconds(1));

        // b has said nothing since: it may be the reason why the generation is over.
        Assert.Empty(_pool.Deal());
        Alive("b");
        Assert.Equal(["b"], Members(_pool.Deal().Single().Members));
    }

    [Fact]
    public void Deal_formerWorkerStaysSilent_othersAfterTheSettleTime()
    {
        Alive("a", "b");
        _pool.Need(Need("run", workers: 1) with { Generation = 4, Former = ["b"] });
        _time.Advance(Options.SettleTime);

        Assert.Equal(["a"], Members(_pool.Deal().Single().Members));
    }

    [Fact]
    public void Deal_unfitOrOfAnotherDeviceOrLeaving_getsNothing()
    {
        Alive("unfit");
        _pool.Beat(Beat("gpu") with { Device = "cuda" });
        _pool.Beat(Beat("leaving") with { Leaving = true });
        _pool.Beat(Beat("deaf") with { DataQueue = "" });
        _pool.Need(Need("run") with { LeastWorkers = Never("unfit") });

        Assert.Empty(_pool.Deal());
        Alive("fit");
        Assert.Equal(["fit"], Members(_pool.Deal().Single().Members));
    }

    [Fact]
    public void Lose_silentWorker_namesItsRun()
    {
        Alive("a", "b");
        _pool.Need(Need("run", workers: 1));
        var held = Members(_pool.Deal().Single().Members).Single();
        _time.Advance(Options.LostAfter);
        Alive("b");
        _time.Advance(TimeSpan.FromMilliseconds(1));

        Assert.Equal("a", held);
        Assert.Equal([("a", "run")], _pool.Lose());
        Assert.Empty(_pool.Lose());
    }

    [Fact]
    public void Beat_newLifeOfAHeldWorker_runLosesIt()
    {
        Alive("a");
        _pool.Need(Need("run"));
        _pool.Deal();

        Assert.Equal(("run", null), _pool.Beat(Beat("a", life: "second")));

        // What the former life still says does not bring it back.
        Assert.Equal((null, null), _pool.Beat(Beat("a")));
        Assert.Equal("second", QueueOf("a"));
    }

    [Fact]
    public void Beat_leavingWorker_itsRunIsTold()
    {
        Alive("a");
        _pool.Need(Need("run"));
        _pool.Deal();

        Assert.Equal((null, "run"), _pool.Beat(Beat("a") with { Leaving = true }));
    }

    [Fact]
    public void IsSuperseded_twoProcessesOfOneName_theOlderOneAfterAWhile()
    {
        Alive("a");
        _pool.Beat(Beat("a", life: "second"));
        Assert.False(_pool.IsSuperseded(Beat("a")));

        _time.Advance(Options.BeatInterval + TimeSpan.FromMilliseconds(1));

        Assert.True(_pool.IsSuperseded(Beat("a")));
        Assert.False(_pool.IsSuperseded(Beat("a", life: "second")));
    }

    /// <summary>It had stood still until it was taken for lost, and stirs when another has its name: its late sign of life is not a successor's.</summary>
    [Fact]
    public void IsSuperseded_oneThatWasLostAndStirs_isTheOlderOne()
    {
        Alive("a");
        _time.Advance(Options.LostAfter + TimeSpan.FromMilliseconds(1));
        Assert.Single(_pool.Lose());
        _pool.Beat(Beat("a", life: "second"));
        _pool.Beat(Beat("a"));
        _time.Advance(Options.BeatInterval + TimeSpan.FromMilliseconds(1));

        Assert.False(_pool.IsSuperseded(Beat("a", life: "second")));
        Assert.True(_pool.IsSuperseded(Beat("a")));
    }

    [Fact]
    public void Beat_ofOneWhoseSuccessorIsLost_countsAgain()
    {
        Alive("a");
        _pool.Beat(Beat("a", life: "second"));
        _pool.Beat(Beat("a"));
        _time.Advance(Options.LostAfter + TimeSpan.FromMilliseconds(1));
        Assert.Single(_pool.Lose());
        Assert.Empty(_pool.Views);

        _pool.Beat(Beat("a"));

        Assert.Single(_pool.Views);
        Assert.False(_pool.IsSuperseded(Beat("a")));
    }

    [Fact]
    public void Strayed_workerInNoGenerationForLong_isNamed()
    {
        Alive("a");
        _pool.Need(Need("run"));
        _pool.Deal();
        _pool.Need(Need("run") with { Members = ["a"], Generation = 1 });
        Alive("a");
        Assert.Empty(_pool.Strayed());

        _time.Advance((2 * Options.LostAfter) + TimeSpan.FromMilliseconds(1));

        Assert.Equal([("a", "run")], _pool.Strayed());
        _pool.Beat(Beat("a") with { RunId = "run", Generation = 1 });
        Assert.Empty(_pool.Strayed());
    }

    [Fact]
    public void Missing_workersOfARunThatThePoolNeverSaw_areNamed()
    {
        _pool.Need(Need("run") with { Members = ["a"], Generation = 1 });
        Assert.Empty(_pool.Missing());

        _time.Advance(Options.LostAfter);

        Assert.Equal([("a", "run")], _pool.Missing());
    }

    /// <summary>A worker that has said that it can hold its part only among several is given a run with enough others, or none.</summary>
    [Theory]
    [InlineData("w0:1 w1:1 w2:1", 2, "w0 w1")]
    [InlineData("w0:2", 4, "")]
    [InlineData("w0:2 w1:1", 4, "w0 w1")]
    [InlineData("w0:3 w1:1 w2:3", 4, "w0 w1 w2")]
    [InlineData("w0:3 w1:1 w2:3", 2, "w1")]
    [InlineData("w0:4 w1:2 w2:2", 4, "w1 w2")]
    [InlineData("w0:never w1:1", 4, "w1")]
    [InlineData("w0:never w1:2", 4, "")]
    public void Deal_WorkersThatCanOnlyTogether_AreDealtTogether(string workers, int most, string expected)
    {
        var least = workers.Split(' ').Select(static w => w.Split(':')).ToDictionary(static w => w[0], static w => w[1] == "never" ? int.MaxValue : int.Parse(w[1], null));
        _pool.Need(Need("run", workers: most) with { LeastWorkers = least });
        _time.Advance(TimeSpan.FromMilliseconds(1));
        foreach (var worker in least.Keys)
        {
            _pool.Beat(Beat(worker));
        }

        Assert.Equal(expected, Dealt());
    }

    /// <summary>A run grows by those that can at its new size.</summary>
    [Theory]
    [InlineData("w2:3", 4, "")]
    [InlineData("w2:3 w3:1", 4, "w0 w2 w3")]
    [InlineData("w2:1 w3:4", 4, "w0 w2")]
    public void Deal_RunAtWork_GrowsByThoseThatCan(string workers, int most, string expected)
    {
        var least = workers.Split(' ').Select(static w => w.Split(':')).ToDictionary(static w => w[0], static w => int.Parse(w[1], null));
        _pool.Beat(Beat("w0"));
        _pool.Need(Need("run", workers: most) with { LeastWorkers = least, Members = ["w0"], Generation = 1 });
        _time.Advance(TimeSpan.FromMilliseconds(1));
        foreach (var worker in least.Keys)
        {
            _pool.Beat(Beat(worker));
        }

        Assert.Equal(expected, Dealt());
    }

    private void Alive(params string[] workers)
    {
        foreach (var worker in workers)
        {
            _pool.Beat(Beat(worker));
        }
    }

    private static Dictionary<string, int> Never(params string[] workers) => workers.ToDictionary(static w => w, static _ => int.MaxValue);

    private string Dealt() => string.Join(' ', _pool.Deal().SelectMany(static d => Members(d.Members)).Order(StringComparer.Ordinal));

    private static WorkerBeat Beat(string worker, string life = "first") => new(worker, worker + life, "build", "pool", "cpu", 1, life, false, null, 0);

    private static RunNeed Need(string run, int submitted = 1, int? deadline = null, int workers = 1, string? model = null) => new(
        run, true, model ?? run, "cpu", workers, deadline is { } d ? Day(d) : null, Day(submitted), [], 0, []);

    private static DateTimeOffset Day(int day) => new(2026, 1, day, 0, 0, 0, TimeSpan.Zero);

    private static IEnumerable<string> Members(IReadOnlyList<GangMember> members) => members.Select(static m => m.WorkerId);

    private string QueueOf(string worker)
    {
        _pool.Need(Need("another") with { RunId = "another" });
        _pool.Need(Need("run") with { Open = false });
        return _pool.Deal().SelectMany(static d => d.Members).Single(m => m.WorkerId == worker).DataQueue;
    }

    /// <summary>Workers that come, fall silent, begin new lives and leave, and runs that come and end.</summary>
    private sealed class Crowd
    {
        private readonly Random _random;
        private readonly FakeTimeProvider _time = new();
        private readonly Pool _pool;
        private readonly Dictionary<string, int> _lives = [];
        private readonly Dictionary<string, RunNeed> _runs = [];
        private int _life;

        public Crowd(int seed)
        {
            _random = new Random(seed);
            _pool = new Pool("pool", _time, Options);
        }

        public void Hold()
        {
            for (var i = 0; i < 12; i++)
            {
                _runs[$"run{i}"] = Need($"run{i}", _random.Next(1, 20), _random.Next(2) == 0 ? null : _random.Next(1, 20), _random.Next(1, 4), $"model{_random.Next(5)}");
            }

            for (var i = 0; i < 300; i++)
            {
                Step(disturbed: true);
            }

            // Nothing more happens to the workers: every run must get its turn.
            for (var i = 0; i < 300 && _runs.Count > 0; i++)
            {
                _lives.TryAdd("last", 0);
                Step(disturbed: false);
            }

            Assert.Empty(_runs);
        }

        private void Step(bool disturbed)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            var worker = $"w{_random.Next(6)}";
            switch (disturbed ? _random.Next(6) : 5)
            {
                case 0:
                    _lives.TryAdd(worker, 0);
                    break;
                case 1:
                    _lives.Remove(worker);
                    break;
                case 2 when _lives.ContainsKey(worker):
                    _lives[worker] = ++_life;
                    break;
            }

            foreach (var (id, life) in _lives)
            {
                var run = _runs.Values.FirstOrDefault(need => need.Members.Contains(id));
                if (_pool.Beat(Beat(id, $"life{life}") with { RunId = run?.RunId, Generation = run?.Generation ?? 0 }).LostBy is { } lostBy)
                {
                    Break(lostBy);
                }
            }

            foreach (var (_, run) in _pool.Lose().Concat(_pool.Strayed().Select(static s => (s.WorkerId, (string?)s.RunId))).Concat(_pool.Missing().Select(static s => (s.WorkerId, (string?)s.RunId))).ToArray())
            {
                if (run is not null)
                {
                    Break(run);
                }
            }

            // Some runs come to their end.
            if (_random.Next(3) == 0 && _runs.Values.FirstOrDefault(static need => need.Members.Count > 0) is { } done)
            {
                _runs.Remove(done.RunId);
                _pool.Need(done with { Open = false });
            }

            foreach (var need in _runs.Values)
            {
                _pool.Need(need);
            }

            foreach (var (run, members) in _pool.Deal())
            {
                var need = _runs[run];
                Assert.InRange(members.Count, 1, need.Workers);
                Assert.All(members, member => Assert.True(_lives.ContainsKey(member.WorkerId) || disturbed));
                _runs[run] = need with { Members = [.. members.Select(static m => m.WorkerId)], Generation = need.Generation + 1 };
            }

            var held = _runs.Values.SelectMany(static need => need.Members).ToArray();
            Assert.Equal(held.Distinct(), held);
            var models = _runs.Values.Where(static need => need.Members.Count > 0).Select(static need => need.ModelKey).ToArray();
            Assert.Equal(models.Distinct(), models);
        }

        private void Break(string run)
        {
            if (_runs.TryGetValue(run, out var need))
            {
                _runs[run] = need with { Members = [], Former = need.Members };
                _pool.Need(_runs[run]);
            }
        }
    }
}
