using System.Text.Json;
using System.Text.RegularExpressions;

namespace Scissorhands.Architecture.Tests;

public sealed class RepositoryTests
{
    private static readonly string[] Folders = ["src", "tests", "build", "docs", "presets", ".ci"];
    private static readonly string[] Binary = [".safetensors", ".pt", ".pth", ".png", ".jpg", ".npy", ".bin", ".so", ".pyc"];
    private static readonly string[] Generated = ["bin", "obj", "artifacts", "__pycache__"];

    // Folders of one machine. Not after a word or a dot, which would be the middle of an address or a relative path.
    private static readonly Regex MachinePath = new(@"(?<![\w.$}])/(work|root|home)/", RegexOptions.CultureInvariant);

    public static TheoryData<string> AllProjects => [.. Repository.Projects.Keys];

    [Theory]
    [MemberData(nameof(AllProjects))]
    public void Solution_Project_IsPartOfIt(string name)
    {
        var solution = File.ReadAllText(Path.Combine(Repository.Root, Repository.SolutionName)).Replace('\\', '/');
        Assert.Contains($"\"{Repository.Projects[name].Path}\"", solution, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(AllProjects))]
    public void CodeMap_Project_IsNamed(string name)
    {
        var map = File.ReadAllText(Path.Combine(Repository.Root, "docs", "code-map.md"));
        Assert.Contains($"`{name}`", map, StringComparison.Ordinal);
    }

    [Fact]
    public void CodeMap_FoldersOfSources_AreNamed()
    {
        var map = File.ReadAllText(Path.Combine(Repository.Root, "docs", "code-map.md"));
        var folders = Directory.EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.cs", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(Repository.Root, Path.GetDirectoryName(file)!))
            .Where(folder => folder.Split('/') is { Length: > 2 } parts && !parts.Intersect(Generated).Any())
            .ToHashSet(StringComparer.Ordinal);

        var missing = new List<string>();
        foreach (var folder in folders)
        {
            // The folder's line stands under its project's, one step deeper than its parent's.
            var parts = folder.Split('/');
            var section = Regex.Match(map, $@"^- `{Regex.Escape(parts[1])}`.*?(?=^\S|\z)", RegexOptions.Multiline | RegexOptions.Singleline).Value;
            if (!section.Contains($"\n{new string(' ', 2 * (parts.Length - 2))}- `{parts[^1]}`:", StringComparison.Ordinal))
            {
                missing.Add(folder);
            }
        }

        Assert.Empty(missing);
    }

    [Fact]
    public void CodeMap_NamedProjects_Exist()
    {
        var map = File.ReadAllText(Path.Combine(Repository.Root, "docs", "code-map.md"));
        var named = Regex.Matches(map, @"^- `(Scissorhands\.[\w.]+)`", RegexOptions.Multiline).Select(match => match.Groups[1].Value).ToList();
        Assert.NotEmpty(named);
        Assert.Empty(named.Except(Repository.Projects.Keys));
    }

    [Fact]
    public void Files_SourcesAndDocs_HoldNoMachinePaths()
    {
        var found = new List<string>();
        foreach (var path in TextFiles())
        {
            var line = 0;
            foreach (var text in File.ReadLines(path))
            {
                line++;
                if (MachinePath.IsMatch(text))
                {
                    found.Add($"{Path.GetRelativePath(Repository.Root, path)}:{line}: {text.Trim()}");
                }
            }
        }

        Assert.Empty(found);
    }

    /// <summary>Packages for Node.js come from wherever a machine gets them, but with these bytes.</summary>
    /// <summary>What is null is written as "(null)", which tells a reader nothing: another message says what there is instead.</summary>
    [Fact]
    public void Logs_WhatTheyAreGiven_IsNeverMissing()
    {
        var logs = Directory.EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.cs", SearchOption.AllDirectories)
            .SelectMany(static path => Regex.Matches(File.ReadAllText(path), @"\[LoggerMessage\([^\n]*\)\]\s+(?:private|internal|public)(?: static)? partial void (\w+\([^)]*\))").Select(match => match.Groups[1].Value))
            .ToList();
        Assert.True(logs.Count > 30, $"{logs.Count} messages were found.");
        Assert.DoesNotContain(logs, static log => Regex.IsMatch(log, @"\b(?!Exception\b)[\w.<>\]]+\? \w+"));
    }

    [Fact]
    public void Files_LocksOfPackages_NameHashesAndNoRegistry()
    {
        var locks = TextFiles().Where(static path => Path.GetFileName(path) == "package-lock.json").ToList();
        Assert.NotEmpty(locks);
        foreach (var path in locks)
        {
            using var document = JsonDocument.Parse(File.ReadAllText(path));
            var packages = document.RootElement.GetProperty("packages").EnumerateObject().Where(static package => package.Name.Length > 0).ToList();
            Assert.NotEmpty(packages);
            Assert.DoesNotContain(packages, static package => package.Value.TryGetProperty("resolved", out _));
            Assert.All(packages, static package => Assert.StartsWith("sha512-", package.Value.GetProperty("integrity").GetString(), StringComparison.Ordinal));
        }
    }

    private static IEnumerable<string> TextFiles()
    {
        var deep = Folders.Select(folder => Path.Combine(Repository.Root, folder)).Where(Directory.Exists)
            .SelectMany(folder => Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories));
        return Directory.EnumerateFiles(Repository.Root).Where(path => Path.GetFileName(path) != ".git").Concat(deep)
            .Where(path => !Binary.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase))
            .Where(path => !Path.GetRelativePath(Repository.Root, path).Split(Path.DirectorySeparatorChar).Any(part => Generated.Contains(part)));
    }
}
