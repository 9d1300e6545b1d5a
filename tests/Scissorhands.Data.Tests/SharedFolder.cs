namespace Scissorhands.Data.Tests;

/// <summary>Finds files beside the repository; tests that need them skip where they are absent.</summary>
internal static class SharedFolder
{
    public static string Find(string name)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Scissorhands.Distributed.sln")))
        {
            folder = folder.Parent;
        }

        var path = folder?.Parent is null ? null : Path.Combine(folder.Parent.FullName, "shared", name);
        if (path is null || !Path.Exists(path))
        {
            Assert.Skip($"../shared/{name} is not beside the repository");
        }

        return path;
    }
}
