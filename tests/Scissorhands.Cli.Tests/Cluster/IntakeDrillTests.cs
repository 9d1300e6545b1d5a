using Scissorhands.Drill.Intake;

namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>What was accepted is not lost; <c>tests/drill intake</c> holds the same with more requests and strikes.</summary>
public sealed class IntakeDrillTests
{
    [Fact]
    public async Task Requests_coordinatorBrokerAndDatabaseAreKilled_noneIsLostOrDoneTwice()
    {
        var missing = "";
        var options = new IntakeDrillOptions { Seed = 3 };
        var outcome = await new IntakeDrill(options).RunAsync(reason => missing = reason, TestContext.Current.CancellationToken);

        Assert.SkipWhen(outcome is null, missing);
        Assert.True(outcome.Faults.Count == 0, string.Join('\n', outcome.Faults));
        Assert.Equal(options.Strikes, outcome.Strikes.Count);
        Assert.True(outcome.Batches > 0);
        Assert.Equal(options.Requests, outcome.Completed + outcome.Held + outcome.Explained.Values.Sum());
        Assert.True(outcome.Completed > 0 && outcome.Held > 0);
    }
}
