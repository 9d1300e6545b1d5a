namespace Scissorhands.Core.Tests.Models;

/// <summary>Where tests find what is not in the test assembly.</summary>
internal static class TestFolders
{
    private static string Root { get; } = FindRoot();

    /// <summary>A file of this project's sources.</summary>
    public static string Source(params string[] parts) => Path.Combine([Root, "tests", "Scissorhands.Core.Tests", .. parts]);

    /// <summary>A file of the folder of shared data beside the repository; skips the test where it is absent.</summary>
    public static string Shared(params string[] parts)
    {
        var path = Path.GetFullPath(Path.Combine([Root, "..", "shared", .. parts]));
        Assert.SkipUnless(File.Exists(path) || Directory.Exists(path), $"{path} is absent");
        return path;
    }

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Scissorhands.Distributed.sln")))
            {
                return folder.FullName;
            }
        }

        throw new DirectoryNotFoundException($"no folder above {AppContext.BaseDirectory} holds Scissorhands.Distributed.sln");
    }
}
