using System.Runtime.CompilerServices;
using YamlDotNet.RepresentationModel;

namespace Scissorhands.Deploy.Tests;

/// <summary>The files of the repository that are deployed with, and those beside it that check them.</summary>
internal static class RepositoryFiles
{
    public static string Root { get; } = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(OwnPath())!, "..", ".."));

    public static string Chart { get; } = Path.Combine(Root, "deploy", "helm", "scissorhands");

    public static string Golden { get; } = Path.Combine(Root, "tests", "Scissorhands.Deploy.Tests", "Golden");

    /// <summary>Whether files that are compared with are to be written anew.</summary>
    public static bool IsUpdate { get; } = Environment.GetEnvironmentVariable("SCISSORHANDS_UPDATE_CHART") == "1";

    /// <summary>A file or folder beside the repository; null where it is absent.</summary>
    public static string? FindShared(params string[] names)
    {
        var path = Path.Combine([Path.GetDirectoryName(Root)!, "shared", .. names]);
        return Path.Exists(path) ? path : null;
    }

    public static YamlMappingNode ReadYaml(string path) => ParseYaml(File.ReadAllText(path));

    public static YamlMappingNode ParseYaml(string text)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(text));
        return stream.Documents is [var document] ? (YamlMappingNode)document.RootNode : [];
    }

    private static string OwnPath([CallerFilePath] string path = "") => path;
}
