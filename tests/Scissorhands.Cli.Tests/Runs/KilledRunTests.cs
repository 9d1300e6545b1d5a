using Scissorhands.Drill.World;
namespace Scissorhands.Cli.Tests.Runs;

/// <summary>A process that dies at any moment leaves behind what --resume continues to the same bits.</summary>
public sealed class KilledRunTests(TinyWorld world)
{
    private const int Killed = 128 + 9;

    [Theory]
    [InlineData("progress", "evaluate original", 1, 2, 1)]
    [InlineData("progress", "sensitivity", 4, 1, 3)]
    [InlineData("checkpoint", "sensitivity", 0, 1, 2)]
    [InlineData("progress", "evaluate trimmed", 1, 3, 2)]
    [InlineData("progress", "repair", 1, 1, 4)]
    [InlineData("checkpoint", "repair", 0, 2, 3)]
    [InlineData("progress", "repair", 5, 2, 1)]
    [InlineData("progress", "repair", 7, 3, 2)]
    public async Task Resume_killedWithinStage_sameBytesAsUninterrupted(string @event, string stage, int done, int workers, int resumedWorkers)
    {
        var expected = await world.ExpectedAsync();
        var output = world.NewPath("killed");

        var killed = await KillAsync(output, workers, ProgressLine.Reaches(@event, stage, done));
        var resumed = await ResumeAsync(output, resumedWorkers);

        Assert.Equal(Killed, killed.ExitCode);
        Assert.True(resumed.ExitCode == 0, resumed.Describe());
        Assert.Equal(expected, Answer.In(output));
    }

    [Fact]
    public async Task Resume_killedNearTheEnd_sameBytesAsUninterrupted()
    {
        var expected = await world.ExpectedAsync();
        var output = world.NewPath("killed");

        // What remains is so short that the process may be done before the signal arrives; both must end well.
        var killed = await KillAsync(output, 2, ProgressLine.Reaches("progress", "evaluate repaired", 1));
        var resumed = await ResumeAsync(output, 1);

        Assert.True(killed.ExitCode is Killed or 0, killed.Describe());
        Assert.True(resumed.ExitCode == 0, resumed.Describe());
        Assert.Equal(expected, Answer.In(output));
        Assert.True(File.Exists(Path.Combine(output, "report.json")));
    }

    [Fact]
    public async Task Resume_killedTwice_sameBytesAsUninterrupted()
    {
        var expected = await world.ExpectedAsync();
        var output = world.NewPath("killed");

        var first = await KillAsync(output, 3, ProgressLine.Reaches("checkpoint", "sensitivity", 0));
        var second = await KillAsync(output, 1, ProgressLine.Reaches("progress", "repair", 4), "--resume");
        var resumed = await ResumeAsync(output, 2);

        Assert.Equal((Killed, Killed), (first.ExitCode, second.ExitCode));
        Assert.True(resumed.ExitCode == 0, resumed.Describe());
        Assert.Equal(expected, Answer.In(output));
    }

    private async Task<CliResult> KillAsync(string output, int workers, Func<string, bool> moment, params string[] more)
    {
        await using var process = CliProcess.Start([.. world.Arguments(output, workers), .. more]);
        if (await process.ReachAsync(moment))
        {
            process.Kill();
        }

        return await process.FinishAsync();
    }

    private Task<CliResult> ResumeAsync(string output, int workers) => CliProcess.RunAsync([.. world.Arguments(output, workers), "--resume"]);
}

/// <summary>The same at moments nobody chose.</summary>
public sealed class KilledAnywhereTests(TinyWorld world)
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Resume_killedAfterSomeLines_sameBytesAsUninterrupted(int seed)
    {
        var (expected, reference) = await world.ReferenceAsync();
        var random = new Random(seed);
        var output = world.NewPath("killed");
        CliResult result;

        // Killed again and again, each time with another number of workers, until a run gets through.
        var kills = 0;
        do
        {
            await using var process = CliProcess.Start([.. world.Arguments(output, random.Next(1, 5)), "--resume"]);
            var lines = kills < 2 ? random.Next(1, reference.Output.Count) : int.MaxValue;
            if (await process.ReachAsync(_ => --lines == 0))
            {
                process.Kill();
                kills++;
            }

            result = await process.FinishAsync();
            Assert.True(result.ExitCode is 0 or 137, result.Describe());
        }
        while (result.ExitCode != 0);

        Assert.True(kills > 0);
        Assert.Equal(expected, Answer.In(output));
    }
}

/// <summary>Ctrl-C stops at a durable point and says how to go on.</summary>
public sealed class InterruptedRunTests(TinyWorld world)
{
    [Theory]
    [InlineData("sensitivity", 4)]
    [InlineData("repair", 2)]
    public async Task Interrupt_withinStage_stopsResumably(string stage, int done)
    {
        var expected = await world.ExpectedAsync();
        var output = world.NewPath("interrupted");
        await using var process = CliProcess.Start(world.Arguments(output, 2));

        Assert.True(await process.ReachAsync(ProgressLine.Reaches("progress", stage, done)));
        process.Interrupt();
        var interrupted = await process.FinishAsync();

        Assert.True(interrupted.ExitCode == 130, interrupted.Describe());
        Assert.Contains("--resume", interrupted.Output[^1], StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(output, "model.safetensors")));

        var resumed = await CliProcess.RunAsync([.. world.Arguments(output, 3), "--resume"]);

        Assert.True(resumed.ExitCode == 0, resumed.Describe());
        Assert.Equal(expected, Answer.In(output));
    }
}
