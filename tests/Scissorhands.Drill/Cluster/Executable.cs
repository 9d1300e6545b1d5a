namespace Scissorhands.Drill.Cluster;

/// <summary>Where the built <c>scissorhands</c> lies.</summary>
public static class Executable
{
    private const string Name = "Scissorhands.Cli";

    /// <summary>Its path: beside this program, or where the build puts it.</summary>
    public static string Path { get; } = Find();

    private static string Find()
    {
        var beside = System.IO.Path.Combine(AppContext.BaseDirectory, Name);
        if (File.Exists(beside))
        {
            return beside;
        }

        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var built = System.IO.Path.Combine(folder.FullName, "artifacts", "bin", Name, "release", Name);
            if (File.Exists(built))
            {
                return built;
            }
        }

        throw new FileNotFoundException($"{Name} lies neither beside this program nor in artifacts; build src/{Name}");
    }
}
