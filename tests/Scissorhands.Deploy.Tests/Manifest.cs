using k8s;
using k8s.Models;
using YamlDotNet.RepresentationModel;

namespace Scissorhands.Deploy.Tests;

/// <summary>One object of the rendered chart.</summary>
internal sealed class Manifest
{
    private static readonly Dictionary<(string Api, string Kind), Type> Types = typeof(V1Pod).Assembly.GetExportedTypes()
        .Select(static type => (Type: type, Entity: (KubernetesEntityAttribute?)Attribute.GetCustomAttribute(type, typeof(KubernetesEntityAttribute))))
        .Where(static pair => pair.Entity is not null)
        .ToDictionary(static pair => (pair.Entity!.Group.Length > 0 ? $"{pair.Entity.Group}/{pair.Entity.ApiVersion}" : pair.Entity.ApiVersion, pair.Entity.Kind), static pair => pair.Type);

    /// <summary>Reads it, strictly where Kubernetes itself has its kind.</summary>
    /// <exception cref="YamlDotNet.Core.YamlException">A field is unknown, given twice or of the wrong type.</exception>
    public Manifest(string text)
    {
        Text = text;
        Root = ChartFiles.ParseYaml(text);
        Typed = Types.ContainsKey((Api, Kind)) ? KubernetesYaml.LoadAllFromString(text, null, true).Single() : null;
    }

    public string Text { get; }

    public YamlMappingNode Root { get; }

    /// <summary>As Kubernetes' client has it; null for kinds of operators.</summary>
    public object? Typed { get; }

    public string Api => Of("apiVersion")!;

    public string Kind => Of("kind")!;

    public string Name => Of("metadata", "name")!;

    public string? Namespace => Of("metadata", "namespace");

    /// <summary>The text at a place; null where there is none.</summary>
    public string? Of(params string[] path) => (At(path) as YamlScalarNode)?.Value;

    /// <summary>What is at a place; null where nothing is.</summary>
    public YamlNode? At(params string[] path) => path.Aggregate((YamlNode?)Root, static (node, key) => node is YamlMappingNode map && map.Children.TryGetValue(key, out var child) ? child : null);

    public override string ToString() => $"{Kind}/{Name}";
}
