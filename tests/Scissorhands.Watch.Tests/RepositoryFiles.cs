using System.Globalization;
using System.Runtime.CompilerServices;
using Scissorhands.Testing;
using YamlDotNet.RepresentationModel;

namespace Scissorhands.Watch.Tests;

/// <summary>The files of the repository that are watched with, and the programs that read them.</summary>
internal static class RepositoryFiles
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    public static string Root { get; } = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(OwnPath())!, "..", ".."));

    public static string Alerts { get; } = Path.Combine(Root, "deploy", "helm", "scissorhands", "files", "alerts.yaml");

    public static string[] Dashboards { get; } = Sorted(Path.Combine(Root, "deploy", "helm", "scissorhands", "files", "dashboards"), "*.json");

    public static string[] AlertTests { get; } = Sorted(Path.Combine(Root, "tests", "Scissorhands.Watch.Tests", "Alerts"), "*.yaml");

    public static string[] Runbooks { get; } = Sorted(Path.Combine(Root, "docs", "runbooks"), "*.md");

    /// <summary>A file of the folder beside the repository; null where it is absent.</summary>
    public static string? FindShared(params string[] names)
    {
        var path = Path.Combine([Path.GetDirectoryName(Root)!, "shared", .. names]);
        return File.Exists(path) ? path : null;
    }

    public static YamlMappingNode ReadYaml(string path)
    {
        using var reader = new StreamReader(path);
        var stream = new YamlStream();
        stream.Load(reader);
        return (YamlMappingNode)stream.Documents.Single().RootNode;
    }

    /// <summary>Runs a program to its end.</summary>
    /// <returns>Its exit code and what it printed.</returns>
    public static async Task<(int Code, string Output)> RunAsync(string program, params string[] arguments)
    {
        await using var process = new ChildProcess(program, arguments, new Dictionary<string, string>());
        await process.Exited.WaitAsync(Patience);
        return (process.ExitCode, process.Output);
    }

    /// <summary>Runs promtool, which has to find nothing; skips where there is none.</summary>
    public static async Task PromtoolAsync(params string[] arguments)
    {
        const string Program = "/usr/bin/promtool";
        Assert.SkipUnless(File.Exists(Program), "promtool is not installed (apt-get install prometheus)");
        var (code, output) = await RunAsync(Program, arguments);
        Assert.True(code == 0, string.Create(CultureInfo.InvariantCulture, $"promtool {string.Join(' ', arguments)} ended with {code}:\n{output}"));
    }

    private static string[] Sorted(string folder, string pattern) => [.. Directory.GetFiles(folder, pattern).Order(StringComparer.Ordinal)];

    private static string OwnPath([CallerFilePath] string path = "") => path;
}
