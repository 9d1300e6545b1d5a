using Scissorhands.Drill.World;
using Scissorhands.Cli.Tests.Runs;
using Scissorhands.Testing;

namespace Scissorhands.Cli.Tests.BadInput;

/// <summary>Bad input ends with exit code 2 and one line that names the culprit; nothing half-written stays.</summary>
public sealed class BadInputTests(TinyWorld world)
{
    private const int BadInput = 2;

    [Fact]
    public Task Run_modelMissing_named() => ExpectAsync(["--model", "/nowhere/model.pt"], "/nowhere/model.pt");

    [Theory]
    [InlineData("--model", "/nowhere/model.pt")]
    [InlineData("--data", "/nowhere/train.tar")]
    [InlineData("--test-data", "/nowhere/test-*.tar")]
    [InlineData("--forget", "/nowhere/forget.txt")]
    [InlineData("--forgotten", "/nowhere/forgotten.txt")]
    public async Task Run_fileMissing_namedWithItsOption(string option, string path) =>
        Assert.StartsWith($"{option} {path}: ", await ExpectAsync([option, path]), StringComparison.Ordinal);

    [Fact]
    public async Task Verify_certificateCutShort_saidWithThePlace()
    {
        var path = world.NewPath("cut.dsse.json");
        await File.WriteAllTextAsync(path, """{"payload":"eyJ""", TestContext.Current.CancellationToken);
        var result = await CliProcess.RunAsync(["verify", path]);

        Assert.Equal(BadInput, result.ExitCode);
        Assert.StartsWith($"{path}: not the JSON that is expected, line 1, byte 16; was the file cut short or changed? (", Assert.Single(result.Errors), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("missing.yaml", "--policy missing.yaml: no such file")]
    [InlineData("policy.yaml", "--policy policy.yaml: unknown key 'policy.maxWiat'; did you mean 'maxWait'?")]
    public async Task ModelsAdd_policyThatIsNotInOrder_namedWithItsOption(string file, string expected)
    {
        var folder = world.NewPath("policy");
        Directory.CreateDirectory(folder);
        await File.WriteAllTextAsync(Path.Combine(folder, "policy.yaml"), "maxWiat: 01:00:00\n", TestContext.Current.CancellationToken);
        var result = await CliProcess.RunAsync(["models", "add", "m", "--model", "m.pt", "--data-set", "d", "--data", "d", "--versions", "v", "--policy", file], folder);

        Assert.Equal(BadInput, result.ExitCode);
        Assert.Equal(expected, Assert.Single(result.Errors));
    }

    [Theory]
    [InlineData("{}", "trim.scope=[*layer9*]", "configuration: trim.scope: '*layer9*' matches no parameter of the model; its parameters are ")]
    [InlineData("presets: [{name: mild}, {name: strong, configuration: {projection: {scope: ['*layer9*']}}}]", "trim.scope=[*fc*]", "--policy policy.yaml: preset strong: projection.scope: '*layer9*' matches no parameter of the model; its parameters are ")]
    public async Task ModelsAdd_configurationThatDoesNotFitTheModel_saidBeforeAnythingIsAsked(string policy, string setting, string expected)
    {
        var folder = world.NewPath("unfit");
        Directory.CreateDirectory(folder);
        await File.WriteAllTextAsync(Path.Combine(folder, "policy.yaml"), policy, TestContext.Current.CancellationToken);
        var result = await CliProcess.RunAsync(["models", "add", "m", "--model", world.ModelPath, "--data-set", "d", "--data", "d", "--versions", "v", "--policy", "policy.yaml", "--set", setting], folder);

        Assert.Equal(BadInput, result.ExitCode);
        Assert.StartsWith(expected, Assert.Single(result.Errors), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("scissorhands [command]", "--help")]
    [InlineData("scissorhands models [<NAME>] add <NAME>", "models", "add", "--help")]
    public async Task Help_usage_namesTheProgram(string expected, params string[] arguments)
    {
        var result = await CliProcess.RunAsync(arguments);

        Assert.Equal(0, result.ExitCode);
        Assert.True(result.Output.Any(line => line.Contains(expected, StringComparison.Ordinal)), string.Join('\n', result.Output));
        Assert.Single((await CliProcess.RunAsync(["--version"])).Output);
    }

    [Fact]
    public async Task Run_modelIsText_named()
    {
        var model = world.NewPath("text.pt");
        await File.WriteAllTextAsync(model, "this is no model\n", TestContext.Current.CancellationToken);

        await ExpectAsync(["--model", model], model, "TorchScript");
    }

    [Fact]
    public async Task Run_modelTruncated_named()
    {
        var model = world.NewPath("truncated.safetensors");
        var bytes = await File.ReadAllBytesAsync(world.ModelPath, TestContext.Current.CancellationToken);
        await File.WriteAllBytesAsync(model, bytes[..^100], TestContext.Current.CancellationToken);

        await ExpectAsync(["--model", model], model);
    }

    [Fact]
    public async Task Run_modelHeaderCorrupt_named()
    {
        var model = world.NewPath("corrupt.safetensors");
        var bytes = await File.ReadAllBytesAsync(world.ModelPath, TestContext.Current.CancellationToken);
        bytes[9] ^= 0xff;
        await File.WriteAllBytesAsync(model, bytes, TestContext.Current.CancellationToken);

        await ExpectAsync(["--model", model], model);
    }

    [Fact]
    public async Task Run_shardTruncated_named()
    {
        var shard = world.NewPath("truncated.tar");
        var bytes = await File.ReadAllBytesAsync(world.TrainPath, TestContext.Current.CancellationToken);
        await File.WriteAllBytesAsync(shard, bytes[..((bytes.Length / 2) + 100)], TestContext.Current.CancellationToken);

        await ExpectAsync(["--data", shard], shard);
    }

    [Fact]
    public async Task Run_shardCorrupt_named()
    {
        var shard = world.NewPath("corrupt.tar");
        var bytes = await File.ReadAllBytesAsync(world.TrainPath, TestContext.Current.CancellationToken);

        // Within the checksum of the first header.
        bytes[150] ^= 0x0f;
        await File.WriteAllBytesAsync(shard, bytes, TestContext.Current.CancellationToken);

        await ExpectAsync(["--data", shard], shard);
    }

    [Fact]
    public async Task Run_imageUndecodable_keyNamed()
    {
        var shard = world.NewPath("undecodable.tar");
        var samples = Enumerable.Range(0, 12).Select(i => (
            TinyData.Id("train", i),
            i == 7 ? "no image at all"u8.ToArray() : TinyData.Png(TinyData.Pixels(i, 0, TinyWorld.Size), TinyWorld.Size),
            0));
        TinyData.WriteShard(shard, samples);

        await ExpectAsync(["--data", shard, "--forget", world.ForgetList(1)], "train-0-0007");
    }

    [Fact]
    public async Task Run_imagesOfDifferentSizes_settingNamed()
    {
        var shard = world.NewPath("sizes.tar");
        TinyData.WriteShard(shard, "train", 12, i => i < 6 ? 8 : 16, i => i % 3);

        await ExpectAsync(["--data", shard, "--forget", world.ForgetList(1)], shard, "data.imageSize");
    }

    [Fact]
    public async Task Run_testImagesOfOtherSize_settingNamed()
    {
        var shard = world.NewPath("large.tar");
        TinyData.WriteShard(shard, "test", 4, _ => 16, i => i % 3);

        await ExpectAsync(["--test-data", shard], shard, "16x16", "8x8", "data.imageSize");
    }

    [Fact]
    public async Task Run_labelOutsideClasses_sampleNamed()
    {
        var shard = world.NewPath("labels.tar");
        TinyData.WriteShard(shard, "train", 12, _ => TinyWorld.Size, i => i == 9 ? 3 : 0);

        await ExpectAsync(["--data", shard, "--forget", world.ForgetList(1)], "train-0-0009", "label 3", "3 classes");
    }

    [Fact]
    public async Task Run_unknownIds_countAndFirstFiveNamed()
    {
        var forget = world.NewPath("unknown.txt");
        await File.WriteAllLinesAsync(forget, [TinyData.Id("train", 1), .. Enumerable.Range(1, 7).Select(i => $"stranger-{i}")], TestContext.Current.CancellationToken);

        var line = await ExpectAsync(["--forget", forget], "7 of 8", "'stranger-1', 'stranger-2', 'stranger-3', 'stranger-4', 'stranger-5'", "--ignore-unknown");

        Assert.DoesNotContain("stranger-6", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_unknownIdsIgnored_sameAnswerAsWithoutThem()
    {
        var forget = world.NewPath("unknown.txt");
        var known = await File.ReadAllLinesAsync(world.ForgetList(3), TestContext.Current.CancellationToken);
        await File.WriteAllLinesAsync(forget, ["stranger-1", .. known, "stranger-2"], TestContext.Current.CancellationToken);
        var output = world.NewPath("run");

        var result = await CliProcess.RunAsync(Override(world.Arguments(output, 1), ["--forget", forget, "--ignore-unknown"]));

        Assert.True(result.ExitCode == 0, result.Describe());
        Assert.Equal(await world.ExpectedAsync(3), Answer.In(output));
    }

    [Fact]
    public async Task Run_forgetListEmpty_named()
    {
        var forget = world.NewPath("empty.txt");
        await File.WriteAllTextAsync(forget, "\n\n", TestContext.Current.CancellationToken);

        await ExpectAsync(["--forget", forget], forget, "empty");
    }

    [Fact]
    public async Task Run_forgetListCoversAll_named()
    {
        var forget = world.NewPath("all.txt");
        await File.WriteAllLinesAsync(forget, Enumerable.Range(0, TinyWorld.TrainSamples).Select(i => TinyData.Id("train", i)), TestContext.Current.CancellationToken);

        await ExpectAsync(["--forget", forget], forget, "covers all 90 samples");
    }

    [Fact]
    public Task Run_scopeMatchesNothing_globNamed() => ExpectAsync(["--set", "trim.scope=[*layer9*]"], "trim.scope", "*layer9*");

    [Fact]
    public Task Run_keyLikeNoOther_thoseOfTheSectionNamed() => ExpectAsync(["--set", "repair.foo=3"], "repair.foo", "section 'repair' has repair.epochs");

    [Fact]
    public Task Run_unknownKey_nearestNamed() => ExpectAsync(["--set", "repair.epoch=3"], "repair.epoch", "repair.epochs");

    [Theory]
    [InlineData("trim.fraction=0")]
    [InlineData("trim.fraction=1")]
    [InlineData("repair.slices=3")]
    [InlineData("repair.epochs=many")]
    public Task Run_valueOutOfRange_keyNamed(string setting) => ExpectAsync(["--set", setting], setting.Split('=')[0]);

    [Fact]
    public Task Run_unknownOption_named() => ExpectAsync(["--frget", "x"], "--frget");

    [Theory]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("1025")]
    public Task Run_workersOutOfRange_named(string workers) => ExpectAsync(["--workers", workers], "--workers", workers);

    [Fact]
    public Task Run_globMatchesNothing_named() => ExpectAsync(["--data", Path.Combine(world.Folder, "none-*.tar")], "none-*.tar");

    [Fact]
    public async Task Run_retrainedMissing_namedBeforeTheRun() => await ExpectAsync(["--retrained", "/nowhere/retrained.pt"], "/nowhere/retrained.pt");

    [Fact]
    public async Task Run_outputIsFile_named()
    {
        var output = world.NewPath("file");
        await File.WriteAllTextAsync(output, "a file", TestContext.Current.CancellationToken);

        var result = await CliProcess.RunAsync(world.Arguments(output, 1));

        ExpectOneLine(result, output);
        Assert.Equal("a file", await File.ReadAllTextAsync(output, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Run_outputReadOnly_named()
    {
        // Read-only whoever runs the tests, root included.
        const string output = "/proc/sys/run";

        var result = await CliProcess.RunAsync(world.Arguments(output, 1));

        ExpectOneLine(result, output);
    }

    [Fact]
    public async Task Run_torchScriptThatIsNoClassifier_named()
    {
        const string Program =
            """
            class Base(torch.nn.Module):
                def __init__(self):
                    super().__init__()
                    self.fc = torch.nn.Linear(192, 3)
            class Pair(Base):
                def forward(self, x):
                    return self.fc(x.flatten(1)), x
            class Named(Base):
                def forward(self, x):
                    return {'logits': self.fc(x.flatten(1))}
            class Answer(Base):
                def forward(self, x):
                    return self.fc(x.flatten(1)).argmax(1)
            class Two(Base):
                def forward(self, x, y):
                    return self.fc((x + y).flatten(1))
            class Detached(Base):
                def forward(self, x):
                    return self.fc(x.flatten(1)).detach()
            class Half(Base):
                def forward(self, x):
                    return self.fc(x.flatten(1))
            for kind in (Pair, Named, Answer, Two, Detached, Half):
                model = kind()
                torch.jit.script(model.half() if kind is Half else model).save(f'{sys.argv[1]}/{kind.__name__}.pt')
            """;
        var folder = world.NewPath("no-classifiers");
        Directory.CreateDirectory(folder);
        Assert.SkipUnless(await PythonProgram.RunAsync("sys, torch", Program, TestContext.Current.CancellationToken, folder) is not null, "no PyTorch for Python here");

        foreach (var (name, reason) in new[]
        {
            ("Pair", "one tensor of logits"),
            ("Named", "one tensor of logits"),
            ("Answer", "[n, classes]"),
            ("Two", "missing value for argument 'y'"),
            ("Detached", "gradient"),
            ("Half", "Float16"),
        })
        {
            var model = Path.Combine(folder, name + ".pt");
            await ExpectAsync(["--model", model], model, reason);
        }
    }

    [Fact]
    public Task Run_testDataIsTrainingData_named() => ExpectAsync(["--test-data", world.TrainPath], "--test-data", world.TrainPath);

    [Fact]
    public async Task Run_outputHoldsTheModel_leftAlone()
    {
        var output = world.NewPath("models");
        Directory.CreateDirectory(output);
        var model = Path.Combine(output, "model.safetensors");
        File.Copy(world.ModelPath, model);

        var line = await ExpectAsync(["--model", model, "--out", output, "--resume", "--ignore-unknown"], "model.safetensors");

        Assert.Contains(output, line, StringComparison.Ordinal);
        Assert.Equal(await File.ReadAllBytesAsync(world.ModelPath, TestContext.Current.CancellationToken), await File.ReadAllBytesAsync(model, TestContext.Current.CancellationToken));
        Assert.Equal([model], Directory.EnumerateFileSystemEntries(output));
    }

    [Fact]
    public async Task Run_retrainedIsNoModel_namedBeforeTheRun()
    {
        var path = world.NewPath("retrained.pt");
        await File.WriteAllTextAsync(path, "no model", TestContext.Current.CancellationToken);

        await ExpectAsync(["--retrained", path], path);
    }

    [Fact]
    public async Task Run_outputHoldsRun_leftAlone()
    {
        var output = world.NewPath("run");
        var first = await CliProcess.RunAsync(world.Arguments(output, 1));
        Assert.True(first.ExitCode == 0, first.Describe());
        var answer = Answer.In(output);

        var again = await CliProcess.RunAsync(world.Arguments(output, 1));
        var otherSeed = await CliProcess.RunAsync([.. world.Arguments(output, 1, settings: ["seed=7"]), "--resume"]);
        var otherForget = await CliProcess.RunAsync([.. world.Arguments(output, 1, forget: 7), "--resume"]);
        var complete = await CliProcess.RunAsync([.. world.Arguments(output, 2), "--resume"]);

        ExpectOneLine(again, output, "--resume");
        ExpectOneLine(otherSeed, output);
        ExpectOneLine(otherForget, output);
        Assert.True(complete.ExitCode == 0, complete.Describe());
        Assert.Equal(answer, Answer.In(output));
    }

    [Fact]
    public async Task Program_noVerb_exitCodeOfBadInput()
    {
        var result = await CliProcess.RunAsync(["swim"]);

        ExpectOneLine(result, "swim");
    }

    /// <summary>Runs with options that take the place of the world's own; gives back the one line.</summary>
    private async Task<string> ExpectAsync(string[] options, params string[] named)
    {
        var output = world.NewPath("bad");

        var result = await CliProcess.RunAsync(Override(world.Arguments(output, 1), options));

        var line = ExpectOneLine(result, named);
        if (Directory.Exists(output))
        {
            Assert.DoesNotContain(
                Directory.EnumerateFiles(output, "*", SearchOption.AllDirectories),
                file => file.EndsWith(".tmp", StringComparison.Ordinal) || Path.GetFileName(file).StartsWith("model.", StringComparison.Ordinal));
        }

        return line;
    }

    private static string ExpectOneLine(CliResult result, params string[] named)
    {
        Assert.True(result.ExitCode == BadInput, result.Describe());
        var line = Assert.Single(result.Errors);
        Assert.All(named, part => Assert.Contains(part, line, StringComparison.Ordinal));
        return line;
    }

    private static List<string> Override(IReadOnlyList<string> arguments, string[] options)
    {
        var changed = arguments.ToList();
        for (var i = 0; i < options.Length; i += 2)
        {
            var at = options[i] == "--set" ? -1 : changed.IndexOf(options[i]);
            if (at >= 0)
            {
                changed[at + 1] = options[i + 1];
            }
            else
            {
                changed.AddRange(options[i..Math.Min(i + 2, options.Length)]);
            }
        }

        return changed;
    }
}
