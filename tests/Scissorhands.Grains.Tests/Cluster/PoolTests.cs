using Scissorhands.Abstractions.Cluster;
using Scissorhands.Grains.Cluster;

namespace Scissorhands.Grains.Tests.Cluster;

public sealed class PoolTests
{
    private static readonly LivenessOptions Options = new();

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
        var time = new ManualTime();
        var pool = new Pool(time, Options);
        time.Pass(Options.SettleTime);
        var least = workers.Split(' ').Select(static w => w.Split(':')).ToDictionary(static w => w[0], static w => w[1] == "never" ? int.MaxValue : int.Parse(w[1], null));
        pool.Need(Need(most, least, []));
        time.Pass(TimeSpan.FromMilliseconds(1));
        foreach (var worker in least.Keys)
        {
            pool.Beat(Beat(worker));
        }

        Assert.Equal(expected, Dealt(pool));
    }

    /// <summary>A run grows by those that can at its new size.</summary>
    [Theory]
    [InlineData("w2:3", 4, "")]
    [InlineData("w2:3 w3:1", 4, "w0 w2 w3")]
    [InlineData("w2:1 w3:4", 4, "w0 w2")]
    public void Deal_RunAtWork_GrowsByThoseThatCan(string workers, int most, string expected)
    {
        var time = new ManualTime();
        var pool = new Pool(time, Options);
        time.Pass(Options.SettleTime);
        var least = workers.Split(' ').Select(static w => w.Split(':')).ToDictionary(static w => w[0], static w => int.Parse(w[1], null));
        pool.Beat(Beat("w0"));
        pool.Need(Need(most, least, ["w0"]));
        time.Pass(TimeSpan.FromMilliseconds(1));
        foreach (var worker in least.Keys)
        {
            pool.Beat(Beat(worker));
        }

        Assert.Equal(expected, Dealt(pool));
    }

    private static string Dealt(Pool pool) => string.Join(' ', pool.Deal().SelectMany(static d => d.Members).Select(static m => m.WorkerId).Order(StringComparer.Ordinal));

    private static WorkerBeat Beat(string worker) => new(worker, "life-" + worker, "build", "pool", "cpu", 0, "queue-" + worker, false, null, 0);

    private static RunNeed Need(int most, IReadOnlyDictionary<string, int> least, IReadOnlyList<string> members) =>
        new("run", true, "model", "cpu", most, null, DateTimeOffset.UnixEpoch, members, 1, [], least);

    private sealed class ManualTime : TimeProvider
    {
        private long _ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _ticks;

        public void Pass(TimeSpan time) => _ticks += time.Ticks;
    }
}
