namespace Scissorhands.Cli.Tests.Runs;

/// <summary>The result is a function of the inputs alone: the same bits for any number of workers.</summary>
public sealed class SameAnswerTests(TinyWorld world)
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Run_anyNumberOfWorkers_sameBytes(int workers)
    {
        var expected = await world.ExpectedAsync();

        var (answer, _) = await world.RunAsync(workers);

        Assert.Equal(expected, answer);
    }

    [Fact]
    public async Task Run_otherSeed_otherModel()
    {
        var one = await world.ExpectedAsync();

        var (other, _) = await world.RunAsync(2, settings: "seed=2");

        Assert.NotEqual(one.Model, other.Model);
    }
}

/// <summary>As many slices as there may be, dealt to workers that do not divide them.</summary>
public sealed class SlicesAnswerTests(TinyWorld world)
{
    [Theory]
    [InlineData("repair.slices=1")]
    [InlineData("repair.slices=2")]
    [InlineData("repair.slices=8")]
    [InlineData("repair.trainable=masked")]
    [InlineData("sensitivity.blockBatches=1")]
    public async Task Run_threeWorkers_sameBytesAsOne(string setting)
    {
        var expected = await world.ExpectedAsync(settings: setting);

        var (answer, _) = await world.RunAsync(3, settings: setting);

        Assert.Equal(expected, answer);
    }
}

/// <summary>Forget lists down to a single sample, less than there are slices, workers or batches.</summary>
public sealed class ForgetCountAnswerTests(TinyWorld world)
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(17)]
    public async Task Run_threeWorkersFewToForget_sameBytesAsOne(int forget)
    {
        var expected = await world.ExpectedAsync(forget);

        var (answer, _) = await world.RunAsync(3, forget);

        Assert.Equal(expected, answer);
    }
}
