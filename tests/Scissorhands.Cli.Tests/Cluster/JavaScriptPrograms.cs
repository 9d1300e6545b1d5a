using Scissorhands.Testing;

namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>The programs in the folder <c>JavaScript</c>, which use the CloudEvents SDK.</summary>
internal static class JavaScriptPrograms
{
    private static readonly string Folder = Path.Combine(RepositoryFiles.Root, "tests", "Scissorhands.Cli.Tests", "JavaScript");

    /// <summary>One of them, by its file's name.</summary>
    public static string PathOf(string name) => Path.Combine(Folder, name);

    /// <summary>What runs them; skips the test where it is not to be had.</summary>
    public static async Task<NodePrograms> StartAsync()
    {
        var node = await NodePrograms.OfAsync(Folder);
        Assert.SkipWhen(node.Missing is not null, node.Missing ?? "");
        return node;
    }
}
