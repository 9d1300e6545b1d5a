namespace Scissorhands.Testing;

/// <summary>Files of the repository, and of the folder of vectors and data beside it.</summary>
public static class RepositoryFiles
{
    public static string Root { get; } = FindRoot();

    /// <summary>A file of the folder beside the repository; null where it is absent.</summary>
    public static string? FindShared(params string[] names)
    {
        var path = Path.Combine([Path.GetDirectoryName(Root)!, "shared", .. names]);
        return File.Exists(path) ? path : null;
    }

    /// <summary>A folder in the folder beside the repository; null where it is absent.</summary>
    public static string? FindSharedFolder(params string[] names)
    {
        var path = Path.Combine([Path.GetDirectoryName(Root)!, "shared", .. names]);
        return Directory.Exists(path) ? path : null;
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

        throw new InvalidOperationException("The tests run outside of the repository");
    }
}
