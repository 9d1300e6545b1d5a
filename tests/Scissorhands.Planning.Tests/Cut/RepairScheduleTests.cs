using Scissorhands.Planning.Configuration;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Planning.Tests.Cut;

public sealed class RepairScheduleTests
{
    private static readonly int[] Forget = [.. Enumerable.Range(0, 21).Select(i => 3 * i)];
    private static readonly int[] Retain = [.. Enumerable.Range(0, 103).Except(Forget)];

    [Theory]
    [InlineData(16, 4)]
    [InlineData(5, 4)]
    [InlineData(1, 1)]
    [InlineData(500, 8)]
    public void Steps_ofAnEpoch_takeEveryRetainSampleOnce(int batchSize, int slices)
    {
        var schedule = Schedule(batchSize, slices);

        foreach (var epoch in (int[])[0, 1])
        {
            var steps = schedule.Steps(epoch).ToArray();
            Assert.Equal(schedule.StepsPerEpoch, steps.Length);
            Assert.Equal(Retain, steps.SelectMany(s => s.Slices).SelectMany(s => s.Retain.ToArray()).Order());
            var forget = steps.SelectMany(s => s.Slices).SelectMany(s => s.Forget.ToArray()).ToArray();
            Assert.Equal(forget.Length, forget.Distinct().Count());
            Assert.Empty(forget.Except(Forget));
            Assert.Equal(schedule.JointStepsPerEpoch, steps.Count(s => s.Slices.Any(c => c.Forget.Length > 0)));
        }
    }

    [Fact]
    public void Steps_epochs_shuffleAnew()
    {
        var schedule = Schedule(16, 4);

        Assert.NotEqual(First(schedule, 0), First(schedule, 1));
        Assert.Equal(First(schedule, 1), First(Schedule(16, 4), 1));
    }

    [Fact]
    public void Steps_fromTheMiddle_sameAsTheRestOfAll()
    {
        var schedule = Schedule(16, 4);

        Assert.Equal(schedule.Steps(1).Skip(2).Select(Samples), schedule.Steps(1, 2).Select(Samples));
    }

    [Fact]
    public void Steps_batchBelowTwoSamplesASlice_oneSlice()
    {
        var schedule = Schedule(4, 4);

        Assert.True(schedule.StepsPerEpoch >= Retain.Length / 4);
        Assert.All(schedule.Steps(0), step => Assert.Single(step.Slices));
    }

    private static int[] First(RepairSchedule schedule, int epoch) => Samples(schedule.Steps(epoch).First());

    private static int[] Samples(RepairStepCut step) => [.. step.Slices.SelectMany(s => (int[])[.. s.Retain.Span, -1, .. s.Forget.Span])];

    private static RepairSchedule Schedule(int batchSize, int slices) => new(
        new RunConfiguration { Repair = new() { BatchSize = batchSize, Slices = slices, Epochs = 2 } }, Retain, Forget);
}
