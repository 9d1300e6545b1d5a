using Scissorhands.Drill.Faults;

namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>Broker, databases and an undisturbed run, shared by all cases.</summary>
public sealed class DrillFixture : IAsyncLifetime
{
    public DrillGround Ground { get; } = new();

    public async ValueTask InitializeAsync() => await Ground.StartAsync();

    public async ValueTask DisposeAsync() => await Ground.DisposeAsync();
}

/// <summary>A sample of the drill: every fault, each in the stage where it hurts; the whole of it is <c>tests/drill</c>.</summary>
public sealed class DrillTests(DrillFixture fixture) : IClassFixture<DrillFixture>
{
    public static TheoryData<string, DrillStage, int> Cases { get; } = new()
    {
        { "kill-worker", DrillStage.Sensitivity, 1 },
        { "kill-first-worker", DrillStage.Repair, 2 },
        { "kill-all-workers", DrillStage.Repair, 3 },
        { "stop-worker", DrillStage.Repair, 4 },
        { "deafen-worker", DrillStage.Repair, 19 },
        { "end-worker", DrillStage.Sensitivity, 5 },
        { "end-worker", DrillStage.Repair, 6 },
        { "add-workers", DrillStage.Repair, 7 },
        { "kill-coordinator", DrillStage.Plan, 20 },
        { "kill-coordinator", DrillStage.Evaluate, 8 },
        { "kill-coordinator", DrillStage.Repair, 9 },
        { "kill-one-of-two-coordinators", DrillStage.Plan, 21 },
        { "kill-one-of-two-coordinators", DrillStage.Repair, 10 },
        { "kill-both-coordinators", DrillStage.Repair, 18 },
        { "restart-broker", DrillStage.Repair, 11 },
        { "flush-and-restart-redis", DrillStage.Sensitivity, 12 },
        { "restart-postgres", DrillStage.Repair, 13 },
        { "cut-network", DrillStage.Repair, 14 },
        { "shuffle-messages", DrillStage.Plan, 15 },
        { "fill-disk-and-free", DrillStage.Repair, 16 },
        { "fill-disk", DrillStage.Repair, 17 },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Run_struckByAFault_endsWithTheSameAnswer(string fault, DrillStage stage, int seed)
    {
        Assert.SkipWhen(fixture.Ground.Missing is not null, fixture.Ground.Missing ?? "");
        var outcome = await new DrillCase(FaultCatalogue.All.Single(f => f.Name == fault), stage, seed).RunAsync(fixture.Ground);

        Assert.SkipWhen(outcome.Verdict == DrillVerdict.Skipped, outcome.Detail);
        Assert.True(outcome.Verdict != DrillVerdict.Failed, outcome.Detail);
    }

    [Fact]
    public void Catalogue_everyFault_isInTheSample() =>
        Assert.Equal(FaultCatalogue.All.Select(static fault => fault.Name).Order(StringComparer.Ordinal), Cases.Select(static row => row.Data.Item1).Distinct().Order(StringComparer.Ordinal));
}
