using Scissorhands.Drill.World;
using Scissorhands.Messaging.Control;
using Scissorhands.Testing;

namespace Scissorhands.Cli.Tests.Runs;

/// <summary>The broker of a test class.</summary>
public sealed class BrokerFixture : IAsyncLifetime
{
    public Broker Broker { get; } = new();

    public ValueTask InitializeAsync() => Broker.StartAsync();

    public ValueTask DisposeAsync() => Broker.DisposeAsync();
}

/// <summary>Workers that exchange over a broker come to the answer of workers that share memory.</summary>
public sealed class BrokerAnswerTests(TinyWorld world, BrokerFixture fixture) : IClassFixture<BrokerFixture>
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(2, "wire.authenticate=false")]
    [InlineData(3, "repair.trainable=masked")]
    [InlineData(3, "wire.format=bf16")]
    [InlineData(3, "wire.format=int8")]
    [InlineData(3, "repair.slices=8")]
    [InlineData(3, "sensitivity.blockBatches=1")]
    public async Task Run_overBroker_sameBytesAsInOneProcess(int workers, params string[] settings)
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        var output = world.NewPath("broker");

        // Whether frames are authenticated is no part of the answer.
        var expected = await world.ExpectedAsync(settings: [.. settings.Where(static s => !s.StartsWith("wire.authenticate", StringComparison.Ordinal))]);
        await using var process = CliProcess.Start(
            [.. world.Arguments(output, workers, settings: settings), "--broker"], environment: (ControlBus.BrokerVariable, fixture.Broker.Address.ToString()));
        var result = await process.FinishAsync();

        Assert.True(result.ExitCode == 0, result.Describe());
        Assert.Equal(expected, Answer.In(output));
    }

    [Fact]
    public async Task Run_killedOverBroker_resumedInOneProcess_sameBytes()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        var output = world.NewPath("broker-killed");
        await using (var process = CliProcess.Start([.. world.Arguments(output, 3), "--broker"], environment: (ControlBus.BrokerVariable, fixture.Broker.Address.ToString())))
        {
            Assert.True(await process.ReachAsync(static line => line.Contains("repair-0", StringComparison.Ordinal)));
            process.Kill();
        }

        var result = await CliProcess.RunAsync([.. world.Arguments(output, 2), "--resume"]);
        Assert.True(result.ExitCode == 0, result.Describe());
        Assert.Equal(await world.ExpectedAsync(), Answer.In(output));
    }

    [Theory]
    [InlineData("amqp://guest:secret@127.0.0.1:1/", 1, "127.0.0.1:1")]
    [InlineData("nonsense", 2, ControlBus.BrokerVariable)]
    public async Task Run_brokerThatIsNotThere_saysWhichAndNoPasswordAndLeavesNothing(string address, int exitCode, string expected)
    {
        var output = world.NewPath("no-broker");
        await using var process = CliProcess.Start([.. world.Arguments(output, 2), "--broker"], environment: (ControlBus.BrokerVariable, address));
        var result = await process.FinishAsync();

        Assert.Equal(exitCode, result.ExitCode);
        Assert.Contains(expected, string.Join('\n', result.Errors), StringComparison.Ordinal);
        Assert.DoesNotContain("secret", string.Join('\n', result.Errors), StringComparison.Ordinal);
        Assert.False(Path.Exists(output), $"{output} was made");
    }
}
