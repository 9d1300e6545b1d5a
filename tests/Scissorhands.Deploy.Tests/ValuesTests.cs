using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Scissorhands.Testing;

namespace Scissorhands.Deploy.Tests;

/// <summary>Values, their schema and the chart's page say the same.</summary>
public sealed partial class ValuesTests
{
    private static readonly string Readme = Path.Combine(ChartFiles.Chart, "README.md");

    [Fact]
    public void Values_All_AreDescribed()
    {
        var described = ValuesFile.Described.Select(static v => v.Path).ToHashSet(StringComparer.Ordinal);
        Assert.All(ValuesFile.Leaves, leaf => Assert.Contains(described, path => leaf == path || leaf.StartsWith(path + ".", StringComparison.Ordinal)));
        Assert.All(ValuesFile.Described, static v => Assert.True(v.Description.Length >= 4 && !v.Description.EndsWith('.'), $"{v.Path}: {v.Description}"));
    }

    [Fact]
    public async Task Readme_TableOfValues_IsThatOfTheFile()
    {
        var token = TestContext.Current.CancellationToken;
        var text = await File.ReadAllTextAsync(Readme, token);
        var rows = ValuesFile.Described.Select(static v => $"| `{v.Path}` | `{v.Default.Replace("|", "\\|", StringComparison.Ordinal)}` | {v.Description.Replace("|", "\\|", StringComparison.Ordinal)} |\n");
        var expected = Table().Replace(text, match => match.Groups[1].Value + "| value | default | meaning |\n|---|---|---|\n" + string.Concat(rows) + match.Groups[2].Value);
        Assert.NotEqual(0, Table().Count(text));
        if (ChartFiles.IsUpdate)
        {
            await File.WriteAllTextAsync(Readme, expected, token);
            text = expected;
        }

        Assert.Equal(expected, text);
    }

    [Fact]
    public void Schema_Keys_AreThoseOfTheValues()
    {
        using var schema = JsonDocument.Parse(File.ReadAllText(Path.Combine(ChartFiles.Chart, "values.schema.json")));
        Assert.Equal("http://json-schema.org/draft-07/schema#", schema.RootElement.GetProperty("$schema").GetString());
        Compare(schema.RootElement, schema.RootElement, ValuesFile.Root, "");
        Closed(schema.RootElement, "values.schema.json");
    }

    [Theory]
    [InlineData("values.yaml")]
    [InlineData("values-laptop.yaml")]
    [InlineData("values-production.yaml")]
    public async Task Schema_FilesOfTheChart_AreTakenByIt(string file)
    {
        const string Python = "/usr/bin/python3";
        var (imports, _, _) = await Command.RunAsync(Python, ["-c", "import jsonschema, yaml"]);
        Assert.SkipUnless(imports == 0, "python3-jsonschema and python3-yaml are not installed");
        const string Program = """
            import json, sys, yaml, jsonschema
            schema = json.load(open(sys.argv[1]))
            jsonschema.Draft7Validator.check_schema(schema)
            jsonschema.Draft7Validator(schema).validate(yaml.safe_load(open(sys.argv[2])))
            """;
        var (code, _, errors) = await Command.RunAsync(Python, ["-c", Program, Path.Combine(ChartFiles.Chart, "values.schema.json"), Path.Combine(ChartFiles.Chart, file)]);
        Assert.True(code == 0, errors);
    }

    [Fact]
    public void Chart_Version_IsThatOfTheProgram()
    {
        var chart = ChartFiles.ReadYaml(Path.Combine(ChartFiles.Chart, "Chart.yaml"));
        var program = XDocument.Load(Path.Combine(RepositoryFiles.Root, "Directory.Build.props")).Descendants("Version").Single().Value;
        Assert.Equal(program, chart["appVersion"].ToString());
        Assert.Equal($">={Release.Oldest}-0", chart["kubeVersion"].ToString());
    }

    [Theory]
    [InlineData("deploy/helm/scissorhands/README.md")]
    [InlineData("docs/operations/install.md")]
    [InlineData("docs/operations/upgrade.md")]
    public void Pages_Values_AreThere(string page)
    {
        var text = Table().Replace(File.ReadAllText(Path.Combine(RepositoryFiles.Root, page)), "");
        var known = ValuesFile.Described.Select(static v => v.Path).Concat(ValuesFile.Leaves).ToHashSet(StringComparer.Ordinal);
        var roots = known.Select(static path => path.Split('.')[0]).Concat(known.Where(static path => path.StartsWith("workerDefaults.", StringComparison.Ordinal)).Select(static path => path.Split('.')[1])).ToHashSet(StringComparer.Ordinal);
        var named = Value().Matches(text).Select(static match => match.Groups[1].Value).Where(name => roots.Contains(name.Split('.')[0]) && !name.EndsWith(".pem", StringComparison.Ordinal)).ToArray();
        Assert.All(named, name => Assert.True(known.Any(path => path == name || path == "workerDefaults." + name || path.StartsWith(name + ".", StringComparison.Ordinal)), $"{page}: there is no value {name}"));
        Assert.True(named.Length > 0 || page.EndsWith("upgrade.md", StringComparison.Ordinal));
    }

    [Fact]
    public void Secrets_OfThePage_AreThoseOfTheValues()
    {
        var production = new ValueSet("production") { Files = ["values-production.yaml"] };
        var rows = SecretRow().Matches(File.ReadAllText(Path.Combine(RepositoryFiles.Root, "docs", "operations", "install.md"))).Select(static m => m.Groups).ToArray();
        Assert.Equal(
            production.Named("existingSecret").Where(static name => name.StartsWith("scissorhands-", StringComparison.Ordinal)).Distinct().Order(StringComparer.Ordinal),
            rows.Select(static row => row[1].Value).Order(StringComparer.Ordinal));
        var own = ChartFiles.ReadYaml(Path.Combine(ChartFiles.Chart, "values-production.yaml"));
        foreach (var row in rows)
        {
            var path = row[3].Value;
            var value = path.Split('.').Aggregate((YamlDotNet.RepresentationModel.YamlNode?)own, static (node, key) => node is YamlDotNet.RepresentationModel.YamlMappingNode map && map.Children.TryGetValue(key, out var child) ? child : null) ?? ValuesFile.At(path);
            Assert.Equal(row[1].Value, value.ToString());

            // Where the key is a value, it is the one that the page names.
            var key = path.Replace("existingSecret", "key", StringComparison.Ordinal);
            Assert.True(!ValuesFile.Leaves.Contains(key) || row[2].Value == $"`{ValuesFile.At(key)}`", $"{path}: its key is {(ValuesFile.Leaves.Contains(key) ? ValuesFile.At(key) : "")}, the page says {row[2].Value}");
        }
    }

    // Everything that the defaults have the schema describes, and nothing else.
    private static void Compare(JsonElement root, JsonElement schema, YamlDotNet.RepresentationModel.YamlNode value, string path)
    {
        if (schema.TryGetProperty("$ref", out var reference))
        {
            schema = root.GetProperty("definitions").GetProperty(reference.GetString()!["#/definitions/".Length..]);
        }

        if (!schema.TryGetProperty("properties", out var properties) || value is not YamlDotNet.RepresentationModel.YamlMappingNode map || path.EndsWith(".resources", StringComparison.Ordinal))
        {
            return;
        }

        // What parent charts hand down to all of theirs is not ours to describe.
        Assert.Equal(
            map.Children.Keys.Select(key => $"{path}.{key}").Order(StringComparer.Ordinal),
            properties.EnumerateObject().Select(property => $"{path}.{property.Name}").Where(static name => name != ".global").Order(StringComparer.Ordinal));
        foreach (var child in map.Children)
        {
            Compare(root, properties.GetProperty(child.Key.ToString()), child.Value, $"{path}.{child.Key}");
        }
    }

    // A slip in a key is an error, wherever keys are known.
    private static void Closed(JsonElement node, string path)
    {
        if (node.ValueKind == JsonValueKind.Object)
        {
            if (node.TryGetProperty("properties", out _) && !path.EndsWith(".if", StringComparison.Ordinal))
            {
                Assert.True(node.TryGetProperty("additionalProperties", out var others) && others.ValueKind == JsonValueKind.False, $"{path}: takes any key");
            }

            foreach (var property in node.EnumerateObject())
            {
                Closed(property.Value, $"{path}.{property.Name}");
            }
        }
        else if (node.ValueKind == JsonValueKind.Array)
        {
            foreach (var (index, item) in node.EnumerateArray().Index())
            {
                Closed(item, $"{path}[{index}]");
            }
        }
    }

    [GeneratedRegex(@"`([a-z][A-Za-z]*(?:\.[a-zA-Z]+)+)`")]
    private static partial Regex Value();

    [GeneratedRegex(@"^\| (scissorhands-[a-z-]+) \| (.+?) \| `([A-Za-z.]+)` \|", RegexOptions.Multiline)]
    private static partial Regex SecretRow();

    [GeneratedRegex(@"(<!-- values -->\n).*?(<!-- /values -->)", RegexOptions.Singleline)]
    private static partial Regex Table();
}
