using System.Globalization;
using Scissorhands.Testing;
using YamlDotNet.RepresentationModel;

namespace Scissorhands.Watch.Tests;

/// <summary>The files of the repository that are watched with, and the programs that read them.</summary>
internal static class WatchFiles
{
    public static string Alerts { get; } = Path.Combine(RepositoryFiles.Root, "deploy", "helm", "scissorhands", "files", "alerts.yaml");

    public static string[] Dashboards { get; } = Sorted(Path.Combine(RepositoryFiles.Root, "deploy", "helm", "scissorhands", "files", "dashboards"), "*.json");

    public static string[] AlertTests { get; } = Sorted(Path.Combine(RepositoryFiles.Root, "tests", "Scissorhands.Watch.Tests", "Alerts"), "*.yaml");

    public static string[] Runbooks { get; } = Sorted(Path.Combine(RepositoryFiles.Root, "docs", "runbooks"), "*.md");

    public static YamlMappingNode ReadYaml(string path)
    {
        using var reader = new StreamReader(path);
        var stream = new YamlStream();
        stream.Load(reader);
        return (YamlMappingNode)stream.Documents.Single().RootNode;
    }

    /// <summary>Runs promtool, which has to find nothing; skips where there is none.</summary>
    public static async Task PromtoolAsync(params string[] arguments)
    {
        const string Program = "/usr/bin/promtool";
        Assert.SkipUnless(File.Exists(Program), "promtool is not installed (apt-get install prometheus)");
        var (code, output) = await ChildProcess.RunAsync(Program, arguments);
        Assert.True(code == 0, string.Create(CultureInfo.InvariantCulture, $"promtool {string.Join(' ', arguments)} ended with {code}:\n{output}"));
    }

    private static string[] Sorted(string folder, string pattern) => [.. Directory.GetFiles(folder, pattern).Order(StringComparer.Ordinal)];
}
