namespace Scissorhands.Architecture.Tests;

/// <summary>The checkout these tests were built from.</summary>
internal static class Repository
{
    public const string SolutionName = "Scissorhands.Distributed.sln";

    /// <summary>The folder that holds the solution.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>All projects under src and tests, by name.</summary>
    public static IReadOnlyDictionary<string, ProjectFile> Projects { get; } = new[] { "src", "tests" }
        .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Root, folder), "*.csproj", SearchOption.AllDirectories))
        .Select(ProjectFile.Read)
        .ToDictionary(project => project.Name, StringComparer.Ordinal);

    /// <summary>A project and all it reaches through project references.</summary>
    public static IReadOnlyCollection<ProjectFile> Closure(string name)
    {
        var reached = new Dictionary<string, ProjectFile>(StringComparer.Ordinal);
        var open = new Stack<string>([name]);
        while (open.TryPop(out var next))
        {
            if (reached.TryAdd(next, Projects[next]))
            {
                foreach (var reference in Projects[next].Projects)
                {
                    open.Push(reference);
                }
            }
        }

        return reached.Values;
    }

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, SolutionName)))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException($"no {SolutionName} above {AppContext.BaseDirectory}");
    }
}
