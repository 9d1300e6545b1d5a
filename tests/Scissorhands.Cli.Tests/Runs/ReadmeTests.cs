using System.Globalization;
using System.Text.RegularExpressions;
using Scissorhands.Drill.World;
using Scissorhands.Testing;

namespace Scissorhands.Cli.Tests.Runs;

/// <summary>The README's commands, as they stand there, in the order in which they stand there.</summary>
public sealed partial class ReadmeTests(TinyWorld world)
{
    private const string Program = "dotnet run -c Release --project src/Scissorhands.Cli -- ";

    // The one command that runs these tests.
    private const string Tests = "tests/run";
    private const string Cluster = "tests/cluster";
    private const string Curl = "curl";
    private string _address = "";
    private string _intake = "";

    [Fact]
    public async Task Readme_everyCommand_succeeds()
    {
        var model = RepositoryFiles.FindShared("golden", "model.pt");
        Assert.SkipUnless(model is not null, "shared/golden/model.pt is not here");
        var folder = world.NewPath("readme");
        Directory.CreateDirectory(Path.Combine(folder, "data"));
        File.Copy(model!, Path.Combine(folder, "model.pt"));
        File.Copy(model!, Path.Combine(folder, "retrained.pt"));
        TinyData.WriteShard(Path.Combine(folder, "data", "train-0.tar"), "train", 60, _ => 16, i => i % 10);
        TinyData.WriteShard(Path.Combine(folder, "data", "test-0.tar"), "test", 30, _ => 16, i => i % 10);
        await File.WriteAllLinesAsync(Path.Combine(folder, "forget.txt"), Enumerable.Range(0, 5).Select(i => TinyData.Id("train", i)), TestContext.Current.CancellationToken);

        var text = await File.ReadAllTextAsync(Path.Combine(RepositoryFiles.Root, "README.md"), TestContext.Current.CancellationToken);
        var commands = Commands(text);
        Assert.Equal([Tests, Cluster, Curl], commands.Where(c => !c.StartsWith(Program, StringComparison.Ordinal)).Select(static c => c.Split(' ')[0]).Order(StringComparer.Ordinal).Reverse());

        // What is read here is made up, and so is the model's accuracy on it: no bound would hold.
        await File.WriteAllTextAsync(Path.Combine(folder, "policy.yaml"), "maxWait: \"00:00:00\"\ngate: {smallSets: accept, forgetAbove: 100, forgetBelow: 100, retainDrop: 100, testDrop: 100}\n", TestContext.Current.CancellationToken);
        ChildProcess? cluster = null;
        await using var ending = new Ending(() => cluster);
        foreach (var command in commands.Where(c => c != Tests))
        {
            if (command.StartsWith(Cluster, StringComparison.Ordinal))
            {
                cluster = await StartClusterAsync([.. command.Split(' ')[1..], "--root", folder]);
                continue;
            }

            if (command.StartsWith(Curl, StringComparison.Ordinal))
            {
                await using var curl = new ChildProcess("/bin/sh", ["-c", command.Replace("http://localhost:8080", _address, StringComparison.Ordinal)], new Dictionary<string, string>());
                await curl.Exited.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
                Assert.True(curl.ExitCode == 0, curl.Output);
                await ProduceAsync(text);
                continue;
            }

            var words = Word().Matches(command[Program.Length..]).Select(m => m.Groups[1].Success ? m.Groups[1].Value : m.Value);
            await using var process = CliProcess.Start(words, folder, TimeSpan.FromMinutes(6), ("SCISSORHANDS_COORDINATOR", _address));
            var result = await process.FinishAsync();
            Assert.True(result.ExitCode == 0, $"{command}\n{result.Describe()}");
        }

        Assert.True(File.Exists(Path.Combine(folder, "forgotten", "report.html")));
        Assert.True(File.Exists(Path.Combine(folder, "forgotten", "model.pt")));
    }

    private async Task<ChildProcess> StartClusterAsync(string[] arguments)
    {
        var port = Ports.Free(1)[0].ToString(CultureInfo.InvariantCulture);
        _address = "http://127.0.0.1:" + port;
        var program = Path.Combine(AppContext.BaseDirectory, "Scissorhands.Drill");
        var cluster = new ChildProcess(program, ["cluster", .. arguments, "--port", port], new Dictionary<string, string>(), ready: "Ctrl-C ends it");
        await cluster.Ready.WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
        _intake = IntakeLine().Match(cluster.Output).Groups[1].Value;
        return cluster;
    }

    /// <summary>The producer in Python, where pika is installed.</summary>
    private async Task ProduceAsync(string text)
    {
        var program = PythonBlock().Matches(text).Select(static m => m.Groups[1].Value).Single(static p => p.Contains("pika", StringComparison.Ordinal));
        await PythonProgram.RunAsync("pika, os, sys", $"os.environ['SCISSORHANDS_INTAKE'] = sys.argv[1]\n{program}", TestContext.Current.CancellationToken, _intake);
    }

    private static string[] Commands(string text) =>
    [
        .. ShellBlock().Matches(text)
            .SelectMany(m => m.Groups[1].Value.Replace("\\\n", " ", StringComparison.Ordinal).Split('\n'))
            .Select(line => Spaces().Replace(line, " ").Trim())
            .Where(line => line.Length > 0),
    ];

    [GeneratedRegex("```sh\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex ShellBlock();

    [GeneratedRegex("```python\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex PythonBlock();

    [GeneratedRegex("SCISSORHANDS_INTAKE=(\\S+)")]
    private static partial Regex IntakeLine();

    [GeneratedRegex(" +")]
    private static partial Regex Spaces();

    [GeneratedRegex("'([^']*)'|[^ ]+")]
    private static partial Regex Word();

    /// <summary>Interrupts the cluster as its user would, so that it takes its processes with it.</summary>
    private sealed class Ending(Func<ChildProcess?> cluster) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            if (cluster() is { } process)
            {
                await process.SignalAsync("INT");
                await process.Exited.WaitAsync(TimeSpan.FromMinutes(3));
                await process.DisposeAsync();
            }
        }
    }
}
