using Scissorhands.Testing;
using YamlDotNet.RepresentationModel;

namespace Scissorhands.Deploy.Tests;

/// <summary>The files of the repository that are deployed with, and those beside it that check them.</summary>
internal static class ChartFiles
{
    public static string Chart { get; } = Path.Combine(RepositoryFiles.Root, "deploy", "helm", "scissorhands");

    public static string Golden { get; } = Path.Combine(RepositoryFiles.Root, "tests", "Scissorhands.Deploy.Tests", "Golden");

    /// <summary>Whether files that are compared with are to be written anew.</summary>
    public static bool IsUpdate { get; } = Environment.GetEnvironmentVariable("SCISSORHANDS_UPDATE_CHART") == "1";

    public static YamlMappingNode ReadYaml(string path) => ParseYaml(File.ReadAllText(path));

    public static YamlMappingNode ParseYaml(string text)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(text));
        return stream.Documents is [var document] ? (YamlMappingNode)document.RootNode : [];
    }
}
