using YamlDotNet.RepresentationModel;

namespace Scissorhands.Deploy.Tests;

/// <summary>Values that the chart is rendered with.</summary>
/// <param name="Name">What the tests call them.</param>
/// <param name="Yaml">What is laid over the files.</param>
internal sealed record ValueSet(string Name, string Yaml = "")
{
    public const string Namespace = "ml";

    /// <summary>Files of the chart that are laid over its defaults.</summary>
    public string[] Files { get; init; } = [];

    /// <summary>Name of the release.</summary>
    public string Release { get; init; } = "demo";

    /// <summary>APIs that the cluster knows besides Kubernetes' own.</summary>
    public string[] Apis { get; init; } = [];

    /// <summary>Text at every place of the values where one of the keys stands, in all layers.</summary>
    public IEnumerable<string> Named(params string[] keys)
    {
        string[] layers = [File.ReadAllText(Path.Combine(ChartFiles.Chart, "values.yaml")), .. Files.Select(static file => File.ReadAllText(Path.Combine(ChartFiles.Chart, file))), Yaml];
        return layers.SelectMany(layer => Find(ChartFiles.ParseYaml(layer), keys));
    }

    public override string ToString() => Name;

    private static IEnumerable<string> Find(YamlNode node, string[] keys) => node switch
    {
        YamlMappingNode map => map.Children.SelectMany(child => keys.Contains(((YamlScalarNode)child.Key).Value) ? Texts(child.Value) : Find(child.Value, keys)),
        YamlSequenceNode list => list.Children.SelectMany(child => Find(child, keys)),
        _ => [],
    };

    private static IEnumerable<string> Texts(YamlNode node) => node switch
    {
        YamlScalarNode { Value.Length: > 0 } text => [text.Value],
        YamlSequenceNode list => list.Children.SelectMany(Texts),
        _ => [],
    };
}
