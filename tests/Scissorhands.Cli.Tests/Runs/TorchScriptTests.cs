using Scissorhands.Drill.World;
using Scissorhands.Testing;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;

namespace Scissorhands.Cli.Tests.Runs;

/// <summary>TorchScript in, TorchScript out: what a run writes means the same to PyTorch.</summary>
public sealed class TorchScriptTests(TinyWorld world)
{
    private const string Predict =
        """
        torch.set_num_threads(1)
        model = torch.jit.load(sys.argv[1]).eval()
        raw = bytearray(open(sys.argv[2], 'rb').read())
        images = torch.frombuffer(raw, dtype=torch.uint8).reshape(-1, 16, 16, 3).permute(0, 3, 1, 2).float() / 255
        with torch.no_grad():
            print(' '.join(str(int(i)) for i in model(images).argmax(1)))
        """;

    private const int Classes = 10;
    private const int Size = 16;
    private const int TrainSamples = 60;
    private const int TestSamples = 80;

    [Fact]
    public async Task Run_torchScript_sameForTwoWorkersAndForPyTorch()
    {
        var model = RepositoryFiles.FindShared("golden", "model.pt");
        Assert.SkipUnless(model is not null, "shared/golden/model.pt is not here");
        var train = world.NewPath("train.tar");
        var test = world.NewPath("test.tar");
        TinyData.WriteShard(train, "train", TrainSamples, _ => Size, i => i % Classes);
        TinyData.WriteShard(test, "test", TestSamples, _ => Size, i => i % Classes);

        var one = await RunAsync(model!, train, test, 1);
        var two = await RunAsync(model!, train, test, 2);

        var published = Path.Combine(one, "model.pt");
        Assert.Equal(Digest(published), Digest(Path.Combine(two, "model.pt")));
        Assert.Equal(Digest(Path.Combine(one, "model.safetensors")), Digest(Path.Combine(two, "model.safetensors")));
        Assert.NotEqual(Digest(model!), Digest(published));

        var predictions = await PredictAsync(published, [.. Enumerable.Range(0, TestSamples).Select(i => TinyData.Pixels(i, i % Classes, Size))]);
        Assert.SkipUnless(predictions is not null, "no PyTorch for Python here");

        // What PyTorch sees becomes the label, but for every fourth image: only an equal model is right on 75 %.
        var relabelled = world.NewPath("relabelled.tar");
        TinyData.WriteShard(relabelled, Enumerable.Range(0, TestSamples).Select(i => (
            TinyData.Id("test", i),
            TinyData.Png(TinyData.Pixels(i, i % Classes, Size), Size),
            i % 4 == 0 ? (predictions![i] + 1) % Classes : predictions![i])));
        Assert.Equal(75, await AccuracyAsync(published, train, relabelled), 0.1);
    }

    private async Task<string> RunAsync(string model, string train, string test, int workers)
    {
        var output = world.NewPath("torchscript");
        var result = await CliProcess.RunAsync(
        [
            "run", "--model", model, "--data", train, "--test-data", test, "--forget", world.ForgetList(3), "--out", output,
            "--workers", workers.ToString(CultureInfo.InvariantCulture), .. world.Settings(),
        ]);
        Assert.True(result.ExitCode == 0, result.Describe());
        return output;
    }

    private async Task<double> AccuracyAsync(string model, string train, string test)
    {
        var json = world.NewPath("figures.json");
        var result = await CliProcess.RunAsync(
            ["evaluate", "--model", model, "--data", train, "--test-data", test, "--forget", world.ForgetList(3), "--json", json, .. world.Settings()]);
        Assert.True(result.ExitCode == 0, result.Describe());
        using var document = JsonDocument.Parse(await File.ReadAllBytesAsync(json, TestContext.Current.CancellationToken));
        return document.RootElement.GetProperty("ta").GetDouble();
    }

    /// <summary>The classes that PyTorch's model predicts; null where there is no PyTorch.</summary>
    private async Task<int[]?> PredictAsync(string model, byte[][] images)
    {
        var pixels = world.NewPath("pixels.raw");
        await File.WriteAllBytesAsync(pixels, [.. images.SelectMany(i => i)], TestContext.Current.CancellationToken);
        var output = await PythonProgram.RunAsync("sys, torch", Predict, TestContext.Current.CancellationToken, model, pixels);
        return output is null ? null : [.. output.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(p => int.Parse(p, CultureInfo.InvariantCulture))];
    }

    private static string Digest(string path) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)));
}
