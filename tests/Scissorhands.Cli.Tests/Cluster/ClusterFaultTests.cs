using Scissorhands.Cli.Tests.Runs;
using Scissorhands.Testing;

namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>Whatever dies on the way, the answer is that of a run which nothing disturbed.</summary>
public sealed class ClusterFaultTests(TinyWorld world, BrokerFixture fixture) : IClassFixture<BrokerFixture>
{
    // Long enough for something to happen in its middle.
    private static readonly string[] Long = ["repair.epochs=6", "repair.lr=0.01"];

    [Theory]
    [InlineData("KILL", "checkpoint stage repair")]
    [InlineData("TERM", "checkpoint stage repair")]
    [InlineData("KILL", "checkpoint stage sensitivity")]
    public Task Worker_ends_othersGoOn(string signal, string moment) => DisturbAsync(3, moment, async cluster =>
    {
        await cluster.Worker("w1").SignalAsync(signal);
        await cluster.Worker("w1").Exited;
    });

    [Fact]
    public Task Workers_allKilled_newOnesGoOn() => DisturbAsync(2, "checkpoint stage repair", async cluster =>
    {
        await cluster.Worker("w0").SignalAsync("KILL");
        await cluster.Worker("w1").SignalAsync("KILL");
        await cluster.StartWorkerAsync("w2");
    });

    [Fact]
    public Task Worker_stoppedForLongerThanItsLease_isFencedAndComesBack() => DisturbAsync(3, "checkpoint stage repair", async cluster =>
    {
        await cluster.Worker("w0").SignalAsync("STOP");
        await cluster.Coordinator.SaysAsync("      Worker w0");
        await cluster.Worker("w0").SignalAsync("CONT");
    });

    [Fact]
    public Task Coordinator_killedAndRestarted_runGoesOn() => DisturbAsync(2, "checkpoint stage repair", async cluster =>
    {
        await cluster.Coordinator.SignalAsync("KILL");
        await cluster.Coordinator.Exited;
        await cluster.StartCoordinatorAsync();
    });

    [Fact]
    public Task Broker_restarted_runGoesOn() => DisturbAsync(2, "checkpoint stage repair", _ => fixture.Broker.RestartAsync());

    [Fact]
    public Task Workers_added_runTakesThemIn() => DisturbAsync(1, "checkpoint stage repair", async cluster =>
    {
        await cluster.StartWorkerAsync("w7");
        await cluster.Worker("w7").SaysAsync("worker w7");
    });

    [Fact]
    public async Task Coordinator_oneOfTwoKilled_otherGoesOn()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        await using var redis = new Redis();
        await redis.StartAsync();
        Assert.SkipWhen(redis.Missing is not null, redis.Missing ?? "");
        await using var postgres = new Postgres();
        await postgres.StartAsync();
        Assert.SkipWhen(postgres.Missing is not null, postgres.Missing ?? "");
        var expected = await world.ExpectedAsync(settings: Long);
        await using var cluster = await TinyCluster.StartAsync(fixture.Broker, 2, postgres.Address, redis.Address);
        var output = world.NewPath("one-of-two");
        await using var process = TinyCluster.SubmitTo(cluster.SecondAddress, world, output, 2, Long);
        Assert.True(await process.ReachAsync(static line => line.StartsWith("checkpoint stage repair", StringComparison.Ordinal)), (await process.FinishAsync()).Describe() + cluster.Describe());
        await cluster.Coordinator.SignalAsync("KILL");
        await redis.FlushAsync();
        await postgres.RestartAsync();
        var result = await process.FinishAsync();

        Assert.True(result.ExitCode == 0, result.Describe() + cluster.Describe());
        Assert.Equal(expected, TinyWorld.AnswerIn(output));
    }

    private async Task DisturbAsync(int workers, string moment, Func<TinyCluster, Task> disturb)
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        var expected = await world.ExpectedAsync(settings: Long);
        await using var cluster = await TinyCluster.StartAsync(fixture.Broker, workers);
        var output = world.NewPath("disturbed");
        await using var process = cluster.Submit(world, output, 4, Long);
        Assert.True(await process.ReachAsync(line => line.StartsWith(moment, StringComparison.Ordinal)), (await process.FinishAsync()).Describe() + cluster.Describe());
        await disturb(cluster);
        var result = await process.FinishAsync();

        Assert.True(result.ExitCode == 0, result.Describe() + cluster.Describe());
        Assert.Equal(expected, TinyWorld.AnswerIn(output));
    }
}
