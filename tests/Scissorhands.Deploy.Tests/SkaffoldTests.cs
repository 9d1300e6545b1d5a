using System.Text.RegularExpressions;
using Scissorhands.Testing;
using YamlDotNet.RepresentationModel;

namespace Scissorhands.Deploy.Tests;

/// <summary>skaffold.yaml is of its schema, and what it names is there: files, values of the chart, images, services.</summary>
public sealed partial class SkaffoldTests
{
    private const string Python = "/usr/bin/python3";

    private static YamlMappingNode Root { get; } = ChartFiles.ReadYaml(Path.Combine(RepositoryFiles.Root, "skaffold.yaml"));

    [Fact]
    public async Task File_AsAWhole_IsOfItsSchema()
    {
        var schema = RepositoryFiles.FindShared("schemas", "skaffold-v4beta14.json");
        Assert.SkipWhen(schema is null, "skaffold's schema is not beside the repository");
        var (imports, _, _) = await Command.RunAsync(Python, ["-c", "import jsonschema, yaml"]);
        Assert.SkipUnless(imports == 0, "python3-jsonschema and python3-yaml are not installed");
        const string Program = """
            import json, sys, yaml, jsonschema
            def told(e):
                return f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]} {[told(c) for c in e.context or []]}"
            faults = [told(e) for e in jsonschema.Draft7Validator(json.load(open(sys.argv[1]))).iter_errors(yaml.safe_load(open(sys.argv[2])))]
            print("\n".join(faults))
            sys.exit(bool(faults))
            """;
        var (code, output, errors) = await Command.RunAsync(Python, ["-c", Program, schema, Path.Combine(RepositoryFiles.Root, "skaffold.yaml")]);
        Assert.True(code == 0, output + errors);
    }

    [Fact]
    public void Paths_All_AreThere()
    {
        var named = Scalars("dockerfile").Concat(Scalars("chartPath")).Concat(Scalars("context")).Concat(Values("valuesFiles").SelectMany(static list => ((YamlSequenceNode)list).Children).Select(static file => file.ToString()))
            .Concat(Patches().Where(static p => p.Path.EndsWith("/valuesFiles", StringComparison.Ordinal)).SelectMany(static p => ((YamlSequenceNode)p.Value).Children).Select(static file => file.ToString()))
            .Distinct(StringComparer.Ordinal).ToArray();
        Assert.True(named.Length >= 6, string.Join(' ', named));
        Assert.All(named, static path => Assert.True(Path.Exists(Path.Combine(RepositoryFiles.Root, path)), $"there is no {path}"));
    }

    [Fact]
    public void Images_Built_AreGivenToTheChartByTheirNames()
    {
        var images = Scalars("image").Distinct(StringComparer.Ordinal).ToArray();
        Assert.Equal(["scissorhands-coordinator", "scissorhands-worker-cpu", "scissorhands-worker-cuda"], images.Order(StringComparer.Ordinal));
        var given = Templates().ToArray();
        Assert.Equal(images.Select(static i => i.Replace('-', '_')).Order(StringComparer.Ordinal), given.Select(static g => Image().Match(g.Value).Groups[1].Value).Distinct().Order(StringComparer.Ordinal));
        foreach (var (key, value) in given)
        {
            // Where nothing is built, the chart names the image as skaffold does.
            Assert.Equal(Image().Match(value).Groups[1].Value.Replace('_', '-'), ValuesFile.At(key.Replace(".reference", ".repository", StringComparison.Ordinal)).ToString());
        }
    }

    [Fact]
    public void Values_Set_AreOfTheChart()
    {
        var set = Templates().Select(static t => t.Key).Concat(Patches().Where(static p => p.Path.EndsWith("/setValues", StringComparison.Ordinal)).SelectMany(static p => ((YamlMappingNode)p.Value).Children.Keys).Select(static k => k.ToString())).ToArray();
        Assert.NotEmpty(set);
        var known = ValuesFile.Leaves.ToHashSet(StringComparer.Ordinal);
        Assert.All(set, key => Assert.Contains(key.Replace("workerPools.default.", "workerDefaults.", StringComparison.Ordinal), known));
    }

    [Fact]
    public void Patches_All_ChangeWhatIsThere()
    {
        foreach (var (path, op, _) in Patches())
        {
            var parts = path.TrimStart('/').Split('/');
            var node = (YamlNode)Root;
            foreach (var part in op == "replace" ? parts : parts[..^1])
            {
                node = node is YamlSequenceNode list ? list[int.Parse(part, System.Globalization.CultureInfo.InvariantCulture)] : node[part];
            }
        }

        Assert.Equal(["dev", "gpu", "prod"], ((YamlSequenceNode)Root["profiles"]).Children.Select(static p => p["name"].ToString()));
    }

    [Fact]
    public async Task Ports_Forwarded_AreOfServicesOfTheChart()
    {
        var release = (YamlMappingNode)((YamlSequenceNode)Root["deploy"]["helm"]["releases"])[0];
        var (text, error) = await (await HelmRenderer.GetAsync()).RenderAsync(ValueSets.Of("laptop") with { Release = release["name"].ToString() }, Release.Newer);
        Assert.Empty(error);
        foreach (var forward in ((YamlSequenceNode)Root["portForward"]).Children)
        {
            var service = text.Split("\n---").Single(part => part.Contains("kind: Service\n", StringComparison.Ordinal) && part.Contains($"\n  name: {forward["resourceName"]}\n", StringComparison.Ordinal));
            Assert.Contains($"port: {forward["port"]}\n", service, StringComparison.Ordinal);
            Assert.Equal(release["namespace"], forward["namespace"]);
        }
    }

    private static IEnumerable<YamlNode> Values(string key) => Root.AllNodes.OfType<YamlMappingNode>().Where(map => map.Children.ContainsKey(key)).Select(map => map[key]);

    private static IEnumerable<string> Scalars(string key) => Values(key).OfType<YamlScalarNode>().Select(static value => value.Value!);

    private static IEnumerable<(string Path, string Op, YamlNode Value)> Patches() => Values("patches").SelectMany(static list => ((YamlSequenceNode)list).Children).Select(static patch => (patch["path"].ToString(), patch["op"].ToString(), patch["value"]));

    private static IEnumerable<(string Key, string Value)> Templates() => Values("setValueTemplates").Concat(Patches().Where(static p => p.Path.EndsWith("/setValueTemplates", StringComparison.Ordinal)).Select(static p => p.Value))
        .SelectMany(static map => ((YamlMappingNode)map).Children).Select(static c => (c.Key.ToString(), c.Value.ToString()))
        .Concat(Patches().Where(static p => p.Path.Contains("/setValueTemplates/", StringComparison.Ordinal)).Select(static p => (p.Path.Split('/')[^1], p.Value.ToString())));

    [GeneratedRegex(@"^\{\{\.IMAGE_FULLY_QUALIFIED_(\w+)\}\}$")]
    private static partial Regex Image();
}
