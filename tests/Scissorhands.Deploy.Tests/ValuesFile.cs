using System.Text.Json;
using System.Text.RegularExpressions;
using YamlDotNet.RepresentationModel;

namespace Scissorhands.Deploy.Tests;

/// <summary>The chart's values with the comments that describe them.</summary>
internal static partial class ValuesFile
{
    /// <summary>Every described value: its path, its default as JSON, and the description.</summary>
    public static IReadOnlyList<(string Path, string Default, string Description)> Described { get; } = Read();

    /// <summary>The values.</summary>
    public static YamlMappingNode Root { get; } = ChartFiles.ReadYaml(Path.Combine(ChartFiles.Chart, "values.yaml"));

    /// <summary>Paths of the values that hold no further ones.</summary>
    public static IEnumerable<string> Leaves => Leaf("", Root);

    /// <summary>What is at a path.</summary>
    public static YamlNode At(string path) => path.Split('.').Aggregate((YamlNode)ChartFiles.ReadYaml(Path.Combine(ChartFiles.Chart, "values.yaml")), static (node, key) => node[key]);

    private static (string, string, string)[] Read()
    {
        var found = new List<(string, string, string)>();
        var stack = new Stack<(int Indent, string Path)>();
        string? pending = null;
        foreach (var line in File.ReadLines(Path.Combine(ChartFiles.Chart, "values.yaml")))
        {
            if (Comment().Match(line) is { Success: true } comment)
            {
                Assert.True(pending is null, $"values.yaml: the description '{pending}' is of no value");
                pending = comment.Groups[1].Value;
            }
            else if (Key().Match(line) is { Success: true } key)
            {
                while (stack.TryPeek(out var above) && above.Indent >= key.Groups[1].Length)
                {
                    stack.Pop();
                }

                var path = stack.TryPeek(out var parent) ? $"{parent.Path}.{key.Groups[2].Value}" : key.Groups[2].Value;
                stack.Push((key.Groups[1].Length, path));
                if (pending is not null)
                {
                    found.Add((path, JsonSerializer.Serialize(Plain(At(path)), Json), pending));
                    pending = null;
                }
            }
        }

        return [.. found];
    }

    private static IEnumerable<string> Leaf(string path, YamlNode node) =>
        node is YamlMappingNode { Children.Count: > 0 } map ? map.Children.SelectMany(child => Leaf(path.Length == 0 ? child.Key.ToString() : $"{path}.{child.Key}", child.Value)) : [path];

    private static readonly JsonSerializerOptions Json = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static object? Plain(YamlNode node) => node switch
    {
        YamlMappingNode map => map.Children.ToDictionary(static c => c.Key.ToString(), static c => Plain(c.Value)),
        YamlSequenceNode list => list.Children.Select(Plain).ToArray(),
        YamlScalarNode { Style: YamlDotNet.Core.ScalarStyle.Plain } scalar => scalar.Value switch
        {
            "null" or "" or null => null,
            "true" => true,
            "false" => false,
            var text when decimal.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out var number) => number,
            var text => text,
        },
        YamlScalarNode scalar => scalar.Value,
        _ => null,
    };

    [GeneratedRegex("^ *# -- (.+)$")]
    private static partial Regex Comment();

    [GeneratedRegex("^( *)([A-Za-z][A-Za-z0-9]*):")]
    private static partial Regex Key();
}
