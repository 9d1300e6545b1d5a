using Scissorhands.Drill.World;
using System.Globalization;
using Scissorhands.Data.Safetensors;
using Scissorhands.Worker.Run;

namespace Scissorhands.Cli.Tests.Runs;

/// <summary>A wire format is another result, and the same one for any number of workers.</summary>
public sealed class WireFormatAnswerTests(TinyWorld world)
{
    [Theory]
    [InlineData("bf16", 2)]
    [InlineData("bf16", 3)]
    [InlineData("bf16", 4)]
    [InlineData("int8", 2)]
    [InlineData("int8", 3)]
    [InlineData("int8", 4)]
    public async Task Run_anyNumberOfWorkers_sameBytesAsOne(string format, int workers)
    {
        var setting = $"wire.format={format}";
        var expected = await world.ExpectedAsync(settings: setting);

        var (answer, _) = await world.RunAsync(workers, settings: setting);

        Assert.Equal(expected, answer);
    }

    [Fact]
    public async Task Run_otherFormat_otherModelFromTheSameMask()
    {
        var f32 = await world.ExpectedAsync();
        var bf16 = await world.ExpectedAsync(settings: "wire.format=bf16");
        var int8 = await world.ExpectedAsync(settings: "wire.format=int8");

        Assert.Equal(3, new[] { f32.Model, bf16.Model, int8.Model }.Distinct().Count());
        Assert.Equal((f32.Mask, f32.Saliency), (bf16.Mask, bf16.Saliency));
        Assert.Equal((f32.Mask, f32.Saliency), (int8.Mask, int8.Saliency));
    }

    /// <summary>At a rate that moves no weight, the buffers are all that changes: they travel unrounded in every format.</summary>
    [Theory]
    [InlineData("bf16")]
    [InlineData("int8")]
    public async Task Run_weightsStandStill_sameModelAsInF32(string format)
    {
        const string Still = "repair.lr=1e-300";
        var expected = await world.ExpectedAsync(settings: Still);

        var (answer, _) = await world.RunAsync(2, settings: [Still, $"wire.format={format}"]);

        Assert.Equal(expected, answer);
    }

    /// <summary>Batches too small for all slices but the last of an epoch: the first leaf goes from worker to worker.</summary>
    [Theory]
    [InlineData("repair.batchSize=7")]
    [InlineData("repair.trainable=masked")]
    public async Task Run_threeWorkersInInt8_sameBytesAsOne(string setting)
    {
        string[] settings = ["wire.format=int8", setting];
        var expected = await world.ExpectedAsync(settings: settings);

        var (answer, _) = await world.RunAsync(3, settings: settings);

        Assert.Equal(expected, answer);
    }
}

/// <summary>What quantisation has lost is part of a checkpoint.</summary>
public sealed class WireFormatResumedTests(TinyWorld world)
{
    private const int Slices = 4;

    [Theory]
    [InlineData("bf16", 2, 3)]
    [InlineData("int8", 2, 3)]
    [InlineData("int8", 1, 4)]
    [InlineData("int8", 3, 1)]
    public async Task Resume_withAnotherNumberOfWorkers_sameBytesAsUninterrupted(string format, int workers, int resumedWorkers)
    {
        var setting = $"wire.format={format}";
        var expected = await world.ExpectedAsync(settings: setting);
        var output = "";
        for (var attempts = 1; ; attempts++)
        {
            output = world.NewPath("interrupted");
            await using var process = CliProcess.Start(world.Arguments(output, workers, settings: [setting]));

            Assert.True(await process.ReachAsync(ProgressLine.Reaches("progress", "repair", 2)));
            process.Interrupt();
            var interrupted = await process.FinishAsync();
            if (interrupted.ExitCode == 0 && attempts < 5)
            {
                // A run of a second may be over before it hears the signal.
                continue;
            }

            Assert.True(interrupted.ExitCode == 130, interrupted.Describe());
            break;
        }

        Assert.False(File.Exists(Path.Combine(output, "model.safetensors")));
        AssertResiduals(output, format == "int8" ? Slices : 0);

        var resumed = await CliProcess.RunAsync([.. world.Arguments(output, resumedWorkers, settings: [setting]), "--resume"]);

        Assert.True(resumed.ExitCode == 0, resumed.Describe());
        Assert.Equal(expected, Answer.In(output));
    }

    /// <summary>Something is lost of every leaf, or nothing is kept of any.</summary>
    private static void AssertResiduals(string output, int leaves)
    {
        var path = Directory.EnumerateFiles(new RunFolder(output).WorkPath, "repair-*.safetensors").Order(StringComparer.Ordinal).Last();
        using var file = SafetensorsFile.Open(path);
        Assert.Equal(leaves.ToString(CultureInfo.InvariantCulture), file.Metadata["residuals"]);
        for (var leaf = 0; leaf < leaves; leaf++)
        {
            var entry = file.Find($"residual.{leaf}");
            var bytes = new byte[entry.Length];
            file.ReadInto(entry, bytes);
            Assert.Contains(bytes, static b => b != 0);
        }
    }
}
