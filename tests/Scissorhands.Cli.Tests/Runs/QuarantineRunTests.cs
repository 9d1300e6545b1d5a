using Scissorhands.Data.Quarantine;
using Scissorhands.Drill.World;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Cli.Tests.Runs;

/// <summary>Model, mask and saliency have the same bytes whichever rows of what is to be forgotten are still in the data.</summary>
public sealed class QuarantineRunTests(TinyWorld world)
{
    private const int Forget = 7;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Run_shardWithAllRowsSomeAndNone_givesTheBytesOfARunWithoutQuarantine()
    {
        var expected = await world.ExpectedAsync(Forget);
        var ids = await File.ReadAllLinesAsync(world.ForgetList(Forget), Ct);
        var quarantine = world.NewPath("quarantine.tar");
        Copy(world.TrainPath, quarantine, ids);
        foreach (var erased in (int[])[0, 3, Forget])
        {
            var data = world.NewPath("train-0.tar");
            Write(data, ids.Take(erased));
            Assert.Equal(expected, await RunAsync(data, world.ForgetList(Forget), "--quarantine", quarantine));
        }
    }

    /// <summary>Also with workers of which one opens the data when rows are there that another does not find.</summary>
    [Fact]
    public async Task Run_withheldRowsErasedOrNot_givesTheSameBytes()
    {
        var ids = await File.ReadAllLinesAsync(world.ForgetList(Forget), Ct);
        string[] others = [.. Enumerable.Range(0, TinyWorld.TrainSamples).Select(static i => TinyData.Id("train", i)).Except(ids).Take(5)];
        var (quarantine, withheld) = (world.NewPath("quarantine.tar"), world.NewPath("withheld.txt"));
        Copy(world.TrainPath, quarantine, ids);
        await File.WriteAllLinesAsync(withheld, others, Ct);
        var data = world.NewPath("train-0.tar");
        Write(data, [.. ids.Take(2), .. others.Take(3)]);

        var expected = await RunAsync(world.TrainPath, world.ForgetList(Forget), "--withheld", withheld);
        Assert.Equal(expected, await RunAsync(data, world.ForgetList(Forget), "--quarantine", quarantine, "--withheld", withheld));
        Assert.NotEqual(expected, await world.ExpectedAsync(Forget));
    }

    /// <summary>A folder of images, of which a class loses its only image and with it its folder.</summary>
    [Fact]
    public async Task Run_imageFolderWithAllImagesAndWithout_givesTheSameBytes()
    {
        var folder = world.NewPath("images");
        string[] classes = ["ant", "bee", "cow"];
        string Name(int i) => $"{classes[i == 41 ? 1 : i % 2 * 2]}/{i:D4}.png";
        foreach (var i in Enumerable.Range(0, TinyWorld.TrainSamples))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(folder, Name(i)))!);
            await File.WriteAllBytesAsync(Path.Combine(folder, Name(i)), TinyData.Png(TinyData.Pixels(i, i % 3, TinyWorld.Size), TinyWorld.Size), Ct);
        }

        string[] ids = [Name(12), Name(41), Name(3), Name(66)];
        var (list, quarantine) = (world.NewPath("forget.txt"), world.NewPath("quarantine.tar"));
        await File.WriteAllLinesAsync(list, ids, Ct);
        Copy(folder, quarantine, [.. ids.Order(StringComparer.Ordinal)]);
        var expected = await RunAsync(folder, list);
        Assert.Equal(expected, await RunAsync(folder, list, "--quarantine", quarantine));
        File.Delete(Path.Combine(folder, ids[0]));
        Directory.Delete(Path.Combine(folder, "bee"), recursive: true);
        Assert.Equal(expected, await RunAsync(folder, list, "--quarantine", quarantine));
        File.Delete(Path.Combine(folder, ids[2]));
        File.Delete(Path.Combine(folder, ids[3]));
        Assert.Equal(expected, await RunAsync(folder, list, "--quarantine", quarantine));
    }

    [Fact]
    public async Task Run_damagedQuarantine_endsWithOneLine()
    {
        var quarantine = world.NewPath("quarantine.tar");
        await File.WriteAllTextAsync(quarantine, "no tar", Ct);
        var result = await CliProcess.RunAsync(["run", .. world.Files.Inputs(Forget), "--out", world.NewPath("out"), "--quarantine", quarantine, .. world.Settings()]);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains($"--quarantine {quarantine}: the quarantine is damaged", Assert.Single(result.Errors), StringComparison.Ordinal);
    }

    private static void Write(string path, IEnumerable<string> without)
    {
        var left = without.ToHashSet(StringComparer.Ordinal);
        TinyData.WriteShard(path, Enumerable.Range(0, TinyWorld.TrainSamples).Where(i => !left.Contains(TinyData.Id("train", i)))
            .Select(static i => (TinyData.Id("train", i), TinyData.Png(TinyData.Pixels(i, i % TinyWorld.Classes, TinyWorld.Size), TinyWorld.Size), i % TinyWorld.Classes)));
    }

    private static void Copy(string data, string target, string[] ids)
    {
        using var stream = File.Create(target);
        SampleCopies.Open(data, new DataConfiguration { Cache = "none" }, [], new Dictionary<string, string>(), Ct).Write(stream, ids);
    }

    private async Task<Answer> RunAsync(string data, string forget, params string[] more)
    {
        var output = world.NewPath("run");
        var result = await CliProcess.RunAsync(
            ["run", "--model", world.ModelPath, "--data", data, "--test-data", world.TestPath, "--forget", forget, "--out", output, "--workers", "2", .. more, .. world.Settings()]);
        Assert.True(result.ExitCode == 0, result.Describe());
        return Answer.In(output);
    }
}
