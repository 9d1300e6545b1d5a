using Scissorhands.Drill.World;
using System.Text.RegularExpressions;

namespace Scissorhands.Cli.Tests.Runs;

/// <summary>The README's commands, as they stand there, in the order in which they stand there.</summary>
public sealed partial class ReadmeTests(TinyWorld world)
{
    private const string Program = "dotnet run -c Release --project src/Scissorhands.Cli -- ";

    // The one command that runs these tests.
    private const string Tests = "tests/run";

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

        var commands = Commands(await File.ReadAllTextAsync(Path.Combine(RepositoryFiles.Root, "README.md"), TestContext.Current.CancellationToken));
        Assert.Equal([Tests], commands.Where(c => !c.StartsWith(Program, StringComparison.Ordinal)));
        foreach (var command in commands.Where(c => c != Tests))
        {
            var words = Word().Matches(command[Program.Length..]).Select(m => m.Groups[1].Success ? m.Groups[1].Value : m.Value);
            var result = await CliProcess.RunAsync(words, folder, TimeSpan.FromMinutes(6));
            Assert.True(result.ExitCode == 0, $"{command}\n{result.Describe()}");
        }

        Assert.True(File.Exists(Path.Combine(folder, "forgotten", "report.html")));
        Assert.True(File.Exists(Path.Combine(folder, "forgotten", "model.pt")));
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

    [GeneratedRegex(" +")]
    private static partial Regex Spaces();

    [GeneratedRegex("'([^']*)'|[^ ]+")]
    private static partial Regex Word();
}
