using System.Globalization;
using System.Text.RegularExpressions;
using Scissorhands.Cli.Tests.Cluster;
using Scissorhands.Drill.Cluster;
using Scissorhands.Drill.World;
using Scissorhands.Testing;

namespace Scissorhands.Cli.Tests.Runs;

/// <summary>
/// The README's commands, as they stand there, in the order in which they stand there, by a shell: from the demo's files to the
/// certificate of a deletion request. Only what builds is left out, and the address is of a port that is free.
/// </summary>
[Collection(AloneCollection.Name)]
public sealed partial class ReadmeTests(TinyWorld world)
{
    // The one command that runs these tests.
    private const string Tests = "tests/run";
    private const string Cluster = "tests/cluster";
    private const string Python = "/usr/bin/python3";
    private const string Address = "http://localhost:8080";

    // What dotnet run would build anew is built already.
    private static readonly string Built = $"dotnet() {{ [ \"${{*:1:6}}\" = 'run -c Release --project src/Scissorhands.Cli --' ] && '{Executable.Path}' \"${{@:7}}\"; }}";
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(6);
    private readonly Dictionary<string, string> _variables = new(StringComparer.Ordinal);
    private string _address = Address;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

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
        await File.WriteAllLinesAsync(Path.Combine(folder, "forget.txt"), Enumerable.Range(0, 5).Select(i => TinyData.Id("train", i)), Ct);

        var commands = Commands(await File.ReadAllTextAsync(Path.Combine(RepositoryFiles.Root, "README.md"), Ct));
        Assert.Equal([Python, "cat", "cmp", "curl", "dotnet", Cluster, Tests], commands.Select(static c => c.Split(' ', '\n')[0]).Distinct().Order(StringComparer.Ordinal));
        ChildProcess? cluster = null;
        await using var ending = new Ending(() => cluster);
        foreach (var command in commands.Where(static c => c != Tests))
        {
            if (command.StartsWith(Cluster, StringComparison.Ordinal))
            {
                cluster = await StartClusterAsync([.. command.Split(' ')[1..], "--root", folder]);
                continue;
            }

            if (command.StartsWith(Python, StringComparison.Ordinal) && await PythonProgram.RunAsync("pika", "", Ct) is null)
            {
                TestContext.Current.AddWarning("python3-pika is not installed: the README's request over RabbitMQ was not sent");
                continue;
            }

            await using var shell = new ChildProcess("/bin/bash", ["-c", $"{Built}\ncd '{folder}'\n{command.Replace(Address, _address, StringComparison.Ordinal)}"], _variables);
            await shell.Exited.WaitAsync(Limit, Ct);
            Assert.True(shell.ExitCode == 0, $"{command}\n{shell.Output}\n{cluster?.Output}");
        }

        Assert.True(File.Exists(Path.Combine(folder, "forgotten", "report.html")));
        Assert.True(File.Exists(Path.Combine(folder, "forgotten", "model.pt")));
    }

    private async Task<ChildProcess> StartClusterAsync(string[] arguments)
    {
        var port = Ports.Free(1)[0].ToString(CultureInfo.InvariantCulture);
        _address = "http://localhost:" + port;
        var program = Path.Combine(AppContext.BaseDirectory, "Scissorhands.Drill");
        var cluster = new ChildProcess(program, ["cluster", .. arguments, "--port", port], new Dictionary<string, string>(), ready: "Ctrl-C ends it");
        await cluster.Ready.WaitAsync(TimeSpan.FromMinutes(2), Ct);
        foreach (Match export in ExportLine().Matches(cluster.Output))
        {
            _variables[export.Groups[1].Value] = export.Groups[2].Value;
        }

        return cluster;
    }

    /// <summary>Lines, each with those that it goes on in: after a backslash, or up to the end of its own text.</summary>
    private static List<string> Commands(string text)
    {
        var commands = new List<string>();
        foreach (var block in ShellBlock().Matches(text).Select(static m => m.Groups[1].Value))
        {
            string? end = null;
            var goesOn = false;
            foreach (var line in block.Split('\n'))
            {
                if (end is not null || goesOn)
                {
                    commands[^1] += "\n" + line;
                }
                else if (line.Trim() is { Length: > 0 } command)
                {
                    commands.Add(command);
                }

                goesOn = end is null && line.EndsWith('\\');
                end = end is null ? Heredoc().Match(line) is { Success: true } begun ? begun.Groups[1].Value : null : line == end ? null : end;
            }
        }

        return commands;
    }

    [GeneratedRegex("```sh\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex ShellBlock();

    [GeneratedRegex("<<'(\\w+)'")]
    private static partial Regex Heredoc();

    [GeneratedRegex("export (\\w+)=(\\S+)")]
    private static partial Regex ExportLine();

    /// <summary>Interrupts the cluster as its user would, so that it takes its processes with it.</summary>
    private sealed class Ending(Func<ChildProcess?> cluster) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            if (cluster() is { } process)
            {
                process.Signal("INT");
                await process.Exited.WaitAsync(TimeSpan.FromMinutes(3));
                await process.DisposeAsync();
            }
        }
    }
}
