namespace Scissorhands.Core.Tests.Golden;

/// <summary>Finds the golden vectors beside the repository; tests that need them skip where they are absent.</summary>
internal static class GoldenFolder
{
    public static string Find()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Scissorhands.Distributed.sln")))
        {
            folder = folder.Parent;
        }

        var golden = folder?.Parent is null ? null : Path.Combine(folder.Parent.FullName, "shared", "golden");
        if (golden is null || !Directory.Exists(golden))
        {
            Assert.Skip("the golden vectors (../shared/golden) are not beside the repository");
        }

        return golden;
    }
}
