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

    private static IEnumerable<string> TextFiles()
    {
        var deep = Folders.Select(folder => Path.Combine(Repository.Root, folder)).Where(Directory.Exists)
            .SelectMany(folder => Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories));
        return Directory.EnumerateFiles(Repository.Root).Where(path => Path.GetFileName(path) != ".git").Concat(deep)
            .Where(path => !Binary.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase))
            .Where(path => !Path.GetRelativePath(Repository.Root, path).Split(Path.DirectorySeparatorChar).Any(part => Generated.Contains(part)));
    }
}
