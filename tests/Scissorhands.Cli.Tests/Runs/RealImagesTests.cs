using System.Globalization;
using System.Text.Json;
using Scissorhands.Testing;

namespace Scissorhands.Cli.Tests.Runs;

/// <summary>A trained network forgets photographs: one shard of CIFAR-10 and two epochs of repair, seen by PyTorch afterwards.</summary>
public sealed class RealImagesTests(TinyWorld world)
{
    private const string Accuracy =
        """
        torch.set_num_threads(1)
        model = torch.jit.load(sys.argv[1]).eval()
        images, labels = [], []
        with tarfile.open(sys.argv[2]) as shard:
            for member in shard:
                content = shard.extractfile(member).read()
                if member.name.endswith('.cls'):
                    labels.append(int(content))
                else:
                    images.append(torch.from_numpy(numpy.array(PIL.Image.open(io.BytesIO(content)).convert('RGB'))).permute(2, 0, 1))
        right = 0
        with torch.no_grad():
            for batch, label in zip(torch.stack(images).split(250), torch.tensor(labels).split(250)):
                right += int((model(batch.float() / 255).argmax(1) == label).sum())
        print(100 * right / len(labels))
        """;

    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(8);

    [Fact]
    public async Task Run_oneShardOfCifar10_forgetsAndReadsBack()
    {
        var test = Shared("data", "cifar10", "test-000000.tar");
        var output = world.NewPath("cifar10");
        string[] inputs =
        [
            "--data", Shared("data", "cifar10", "train-000000.tar"), "--test-data", test,
            "--forget", Shared("data", "cifar10", "forget-random-10pct.txt"), "--ignore-unknown",
            "--workers", "2", "--set", $"data.cache={world.NewPath("cifar10-cache")}",
        ];

        var run = await CliProcess.RunAsync(
            [
                "run", "--model", Shared("models", "cifar10-resnet18w16.pt"), "--retrained", Shared("models", "cifar10-resnet18w16-retrained.pt"), "--out", output,
                "--config", "paper-cifar10-10pct", "--set", "repair.slices=2", "--set", "repair.batchSize=64", "--set", "repair.epochs=2", .. inputs,
            ],
            limit: Limit);
        Assert.True(run.ExitCode == 0, run.Describe());

        using (var report = JsonDocument.Parse(await File.ReadAllBytesAsync(Path.Combine(output, "report.json"), TestContext.Current.CancellationToken)))
        {
            double Of(string model, string figure) => report.RootElement.GetProperty(model).GetProperty("percent").GetProperty(figure).GetDouble();

            // What the models' own page says of all images, give or take what one shard differs by.
            Assert.Equal(98.1, Of("before", "ra"), 0.5);
            Assert.Equal(85.7, Of("before", "ta"), 0.5);
            Assert.Equal(84.3, Of("retrained", "ta"), 0.5);
            Assert.True(Of("before", "ua") < 3, "the original knows what it is to forget");
            Assert.True(Of("afterTrim", "ua") > 50, "the trimmed model knows little");
            Assert.True(Of("afterRepair", "ua") > Of("before", "ua") + 5, "the repaired model has forgotten");
            Assert.True(Of("afterRepair", "ra") > Of("afterTrim", "ra") + 50, "the repaired model knows the rest");
        }

        var scrubbed = Path.Combine(output, "model.pt");
        var json = world.NewPath("figures.json");
        var evaluate = await CliProcess.RunAsync(["evaluate", "--model", scrubbed, "--json", json, .. inputs], limit: Limit);
        Assert.True(evaluate.ExitCode == 0, evaluate.Describe());
        using var figures = JsonDocument.Parse(await File.ReadAllBytesAsync(json, TestContext.Current.CancellationToken));
        var seen = await PythonProgram.RunAsync("io, sys, tarfile, numpy, torch, PIL.Image", Accuracy, TestContext.Current.CancellationToken, scrubbed, test);
        Assert.SkipUnless(seen is not null, "no PyTorch for Python here");
        Assert.Equal(double.Parse(seen, CultureInfo.InvariantCulture), figures.RootElement.GetProperty("ta").GetDouble(), 0.1);
    }

    private static string Shared(params string[] names)
    {
        var path = RepositoryFiles.FindShared(names);
        Assert.SkipUnless(path is not null, $"shared/{string.Join('/', names)} is not here");
        return path!;
    }
}
