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
        _pool = new Pool(_time, Options);
        _time.Advance(Options.SettleTime);
    }

    [Fact]
    public void Deal_beforeItHasSettled_givesNobody()
    {
        var young = new Pool(_time, Options);
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
        _pool.Need(Need("run") with { Unfit = ["unfit"] });

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

    private void Alive(params string[] workers)
    {
        foreach (var worker in workers)
        {
            _pool.Beat(Beat(worker));
        }
    }

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
}
