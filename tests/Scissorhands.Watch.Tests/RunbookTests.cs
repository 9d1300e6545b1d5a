using System.Text.RegularExpressions;
using Scissorhands.Testing;

namespace Scissorhands.Watch.Tests;

/// <summary>The pages for those who are called: each has the same parts, and names only commands and options that there are.</summary>
public sealed partial class RunbookTests
{
    private static readonly string[] Parts = ["## Meaning", "## Impact", "## Diagnosis", "## Remedy", "## Escalate"];

    // Where the verbs of the program are, its own and those of the roles.
    private static readonly string Sources = string.Concat(((string[])["Cli/Commands", "CommandLine", "Coordinator/Commands", "Worker/Commands"])
        .SelectMany(static folder => Directory.GetFiles(Path.Combine(RepositoryFiles.Root, "src", "Scissorhands." + folder), "*.cs")).Select(File.ReadAllText));

    public static TheoryData<string> Books => [.. WatchFiles.Runbooks.Select(Relative)];

    public static TheoryData<string> Pages => [.. WatchFiles.Runbooks.Concat(Directory.GetFiles(Path.Combine(RepositoryFiles.Root, "docs", "operations"), "*.md")).Select(Relative).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Books))]
    public void Page_OfAnAlert_HasItsParts(string page) =>
        Assert.Equal(Parts, File.ReadAllLines(Path.Combine(RepositoryFiles.Root, page)).Where(static line => line.StartsWith("## ", StringComparison.Ordinal)));

    [Theory]
    [MemberData(nameof(Pages))]
    public void Page_Commands_Exist(string page)
    {
        foreach (Match command in Command().Matches(File.ReadAllText(Path.Combine(RepositoryFiles.Root, page))))
        {
            var words = command.Groups[1].Value.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            foreach (var verb in words.TakeWhile(static word => Verb().IsMatch(word)).Take(words[0] is "requests" or "models" ? 2 : 1))
            {
                Assert.True(Sources.Contains($"\"{verb}\"", StringComparison.Ordinal), $"{page}: scissorhands {verb}: there is no such command");
            }

            foreach (var option in words.Where(static word => word.StartsWith("--", StringComparison.Ordinal)))
            {
                Assert.True(Sources.Contains($"\"{option}\"", StringComparison.Ordinal), $"{page}: {option}: there is no such option");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Page_Links_LeadSomewhere(string page)
    {
        var path = Path.Combine(RepositoryFiles.Root, page);
        foreach (Match link in Link().Matches(File.ReadAllText(path)))
        {
            var target = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, link.Groups[1].Value));
            Assert.True(File.Exists(target) || Directory.Exists(target), $"{page}: there is no {link.Groups[1].Value}");
        }
    }

    private static string Relative(string path) => Path.GetRelativePath(RepositoryFiles.Root, path);

    [GeneratedRegex(@"(?:`|^)scissorhands ([a-z][^`\n]*)", RegexOptions.Multiline)]
    private static partial Regex Command();

    [GeneratedRegex("^[a-z]+$")]
    private static partial Regex Verb();

    [GeneratedRegex(@"\]\((?!https?:)([^)#\s]+)")]
    private static partial Regex Link();
}
