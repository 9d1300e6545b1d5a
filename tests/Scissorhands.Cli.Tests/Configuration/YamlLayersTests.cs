using System.Text.Json.Nodes;
using CsCheck;
using Scissorhands.CommandLine.Configuration;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Cli.Tests.Configuration;

public sealed class YamlLayersTests
{
    public static TheoryData<string> Presets => [.. YamlLayers.Presets()];

    [Theory]
    [MemberData(nameof(Presets))]
    public void Read_preset_bindsAndValidates(string preset)
    {
        var layer = YamlLayers.Read(preset);

        var configuration = ConfigurationBinder.Bind([layer], []);

        ConfigurationValidator.Validate(configuration);
        Assert.NotEmpty(configuration.Trim.Scope);
        Assert.Equal(1, configuration.Projection.Memories);
    }

    [Fact]
    public void Presets_beside_theProgram_areThePublishedNine()
    {
        Assert.Equal(
            [
                "paper-celeba", "paper-cifar10-10pct", "paper-cifar10-20pct", "paper-cifar10-50pct", "paper-cifar100-10pct",
                "paper-cifar100-20pct", "paper-cifar100-50pct", "paper-svhn-10pct", "paper-svhn-class",
            ],
            YamlLayers.Presets());
    }

    [Fact]
    public void Read_cifar10Preset_hasThePublishedNumbers()
    {
        var configuration = ConfigurationBinder.Bind([YamlLayers.Read("paper-cifar10-10pct")], []);

        Assert.Equal(0.03m, configuration.Trim.Fraction);
        Assert.Equal(["*layer3*", "*layer4*", "*fc*"], configuration.Trim.Scope);
        Assert.Equal(["*bn*"], configuration.Trim.Exclude);
        Assert.Equal(["*layer3*", "*layer4*", "*fc*"], configuration.Projection.Scope);
        Assert.Equal(0.05, configuration.Repair.Lambda);
        Assert.Equal(0.005, configuration.Repair.Lr);
        Assert.Equal(10, configuration.Repair.Epochs);
        Assert.Equal(256, configuration.Repair.BatchSize);
    }

    [Theory]
    [InlineData("1", "1")]
    [InlineData("+1", "1")]
    [InlineData("-07", "-7")]
    [InlineData("0x1F", "31")]
    [InlineData("0o17", "15")]
    [InlineData(".5", "0.5")]
    [InlineData("1.", "1")]
    [InlineData("1.50e+3", "1.50e+3")]
    [InlineData("0.1234567890123456789012345678", "0.1234567890123456789012345678")]
    [InlineData("true", "true")]
    [InlineData("FALSE", "false")]
    [InlineData("yes", "\"yes\"")]
    [InlineData("on", "\"on\"")]
    [InlineData("1_000", "\"1_000\"")]
    [InlineData("1:30", "\"1:30\"")]
    [InlineData("\"1\"", "\"1\"")]
    [InlineData("'true'", "\"true\"")]
    [InlineData("!!str 5", "\"5\"")]
    [InlineData("~", "null")]
    [InlineData("", "null")]
    [InlineData("[a, 1, \"2\"]", "[\"a\",1,\"2\"]")]
    [InlineData("{a: {b: 1}}", "{\"a\":{\"b\":1}}")]
    public void ParseYaml_scalars_areTypedByTheCoreSchema(string yaml, string json)
    {
        var tree = YamlLayers.ParseYaml("k: " + yaml, "f.yaml");

        Assert.Equal(json, tree["k"]?.ToJsonString() ?? "null");
    }

    [Theory]
    [InlineData("seed: 1\ntrim:\n  scope: [*layer3*]\n", "line 3", "quoted")]
    [InlineData("seed: 1\nseed: 2\n", "line 2", "seed")]
    [InlineData("a: &x 1\nb: *x\n", "line 2", "alias")]
    [InlineData("a: [1\nb: 2\n", "line ", "not valid YAML")]
    [InlineData("a: 1\n---\nb: 2\n", "line ", "second document")]
    [InlineData("a: .inf\n", "line 1", "finite")]
    [InlineData("a: !!binary aGk=\n", "line 1", "tag")]
    [InlineData("[a]: 1\n", "line 1", "key")]
    [InlineData("a: \"x\n", "line ", "not valid YAML")]
    public void ParseYaml_malformed_namesFileAndLine(string yaml, string line, string part)
    {
        var failure = Assert.Throws<InputException>(() => YamlLayers.ParseYaml(yaml, "conf.yaml"));

        Assert.StartsWith("conf.yaml, " + line, failure.Message, StringComparison.Ordinal);
        Assert.Contains(part, failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', failure.Message);
    }

    [Fact]
    public void ParseYaml_deepNesting_isRefused()
    {
        Assert.Throws<InputException>(() => YamlLayers.ParseYaml(new string('[', 5000), "f.yaml"));
    }

    [Fact]
    public void ParseYaml_anyText_isATreeOrAnInputException()
    {
        Gen.String[Gen.Char["ab: \n-[]{},*&!'\"#?|>%@0.1~"], 0, 40].Sample(
            text =>
            {
                try
                {
                    YamlLayers.ParseYaml(text, "f.yaml");
                }
                catch (InputException failure)
                {
                    Assert.DoesNotContain('\n', failure.Message);
                }
            },
            iter: 20_000);
    }

    [Fact]
    public void ParseYaml_onlyComments_isEmpty()
    {
        Assert.Empty(YamlLayers.ParseYaml("# nothing\n", "f.yaml").AsObject());
        Assert.Empty(YamlLayers.ParseYaml("", "f.yaml").AsObject());
    }

    [Fact]
    public void Read_neitherFileNorPreset_listsThePresets()
    {
        var failure = Assert.Throws<InputException>(() => YamlLayers.Read("paper-cifar10"));

        Assert.Contains("'paper-cifar10'", failure.Message, StringComparison.Ordinal);
        Assert.Contains("paper-cifar10-10pct", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_pathTraversal_isNoPreset()
    {
        Assert.Throws<InputException>(() => YamlLayers.Read("../presets/paper-celeba"));
    }

    [Fact]
    public void Read_jsonFile_isATree()
    {
        var path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".json");
        File.WriteAllText(path, """{"repair":{"epochs":3}}""");
        try
        {
            var (source, tree) = YamlLayers.Read(path);

            Assert.Equal(path, source);
            Assert.True(JsonNode.DeepEquals(JsonNode.Parse("""{"repair":{"epochs":3}}"""), tree));
        }
        finally
        {
            File.Delete(path);
        }
    }
}
