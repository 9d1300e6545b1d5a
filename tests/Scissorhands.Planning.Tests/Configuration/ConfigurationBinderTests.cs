using System.Text.Json.Nodes;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Planning.Tests.Configuration;

public sealed class ConfigurationBinderTests
{
    [Fact]
    public void Bind_nothing_isTheDefaults()
    {
        Assert.Equal(ConfigurationJson.Canonical(new RunConfiguration()), ConfigurationJson.Canonical(Bind()));
    }

    [Fact]
    public void Bind_laterLayer_overwritesKeyByKeyAndListsWhole()
    {
        var bound = ConfigurationBinder.Bind(
            [
                ("a.yaml", JsonNode.Parse("""{"trim":{"fraction":0.1,"scope":["x","y"]},"repair":{"epochs":3}}""")!),
                ("b.yaml", JsonNode.Parse("""{"trim":{"scope":["z"]},"repair.lr":0.25}""")!),
            ],
            ["repair.epochs=7"]);

        Assert.Equal(0.1m, bound.Trim.Fraction);
        Assert.Equal(["z"], bound.Trim.Scope);
        Assert.Equal(7, bound.Repair.Epochs);
        Assert.Equal(0.25, bound.Repair.Lr);
    }

    [Fact]
    public void Bind_settings_readEveryType()
    {
        var bound = Bind(
            "trim.scope=[*layer3*,*fc*]", "trim.exclude=[\"a,b\", 'c']", "wire.authenticate=false", "seed=-9000000000", "threads=2",
            "repair.lr=5e-3", "device=cuda", "repair.milestones=[ 1, 2 ]", "data.mean=[0.4914,.5]", "projection.scope=[]", "data.cache=");

        Assert.Equal(["*layer3*", "*fc*"], bound.Trim.Scope);
        Assert.Equal(["a,b", "c"], bound.Trim.Exclude);
        Assert.False(bound.Wire.Authenticate);
        Assert.Equal(-9000000000, bound.Seed);
        Assert.Equal(2, bound.Threads);
        Assert.Equal(0.005, bound.Repair.Lr);
        Assert.Equal("cuda", bound.Device);
        Assert.Equal([1, 2], bound.Repair.Milestones);
        Assert.Equal([0.4914f, 0.5f], bound.Data.Mean);
        Assert.Empty(bound.Projection.Scope);
        Assert.Equal("", bound.Data.Cache);
    }

    [Theory]
    [InlineData("0.1", "0.1")]
    [InlineData("0.030", "0.03")]
    [InlineData("3e-2", "0.03")]
    [InlineData("0.1234567890123456789012345678", "0.1234567890123456789012345678")]
    public void Bind_fraction_isExact(string text, string expected)
    {
        var bySetting = Bind("trim.fraction=" + text);
        var byFile = ConfigurationBinder.Bind([("f", JsonNode.Parse($$$"""{"trim":{"fraction":{{{text}}}}}""")!)], []);

        Assert.Equal(expected, bySetting.Trim.Fraction.ToString(System.Globalization.CultureInfo.InvariantCulture));
        Assert.Equal(expected, byFile.Trim.Fraction.ToString(System.Globalization.CultureInfo.InvariantCulture));
    }

    [Theory]
    [InlineData("0.12345678901234567890123456789")]
    [InlineData("1e-40")]
    [InlineData("1e-99999999999")]
    [InlineData("1e99")]
    public void Bind_fractionBeyondDecimal_isRefused(string text)
    {
        var failure = Assert.Throws<InputException>(() => Bind("trim.fraction=" + text));

        Assert.Contains("trim.fraction", failure.Message, StringComparison.Ordinal);
        Assert.Contains("28 digits", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"trim":{"fractoin":0.1}}""", "trim.fractoin", "trim.fraction")]
    [InlineData("""{"trimm":{"fraction":0.1}}""", "trimm", "trim.")]
    [InlineData("""{"lr":0.1}""", "lr", "repair.lr")]
    [InlineData("""{"repair":{"batch_size":8}}""", "repair.batch_size", "repair.batchSize")]
    [InlineData("""{"Seed":8}""", "Seed", "seed")]
    public void Bind_unknownKey_namesKeyFileAndNearest(string json, string key, string nearest)
    {
        var failure = Assert.Throws<InputException>(() => ConfigurationBinder.Bind([("conf/my.yaml", JsonNode.Parse(json)!)], []));

        Assert.Contains("conf/my.yaml", failure.Message, StringComparison.Ordinal);
        Assert.Contains($"'{key}'", failure.Message, StringComparison.Ordinal);
        Assert.Contains($"did you mean '{nearest}", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', failure.Message);
    }

    [Theory]
    [InlineData("repair.foo", "section 'repair' has repair.epochs, ")]
    [InlineData("repair.", "section 'repair' has repair.epochs, ")]
    [InlineData("repair.nothingLikeIt", "section 'repair' has repair.epochs, ")]
    [InlineData("foo", "there are seed, ")]
    [InlineData("foo.bar", "there are seed, ")]
    [InlineData("repairs", "did you mean 'repair.*'? It has repair.epochs, ")]
    [InlineData("repairs.unheardOf", "did you mean 'repair.*'? It has repair.epochs, ")]
    [InlineData("foo.epochs", "did you mean 'repair.epochs'")]
    [InlineData("epoch", "did you mean 'repair.epochs'")]
    [InlineData("repair.epoch", "did you mean 'repair.epochs'")]
    [InlineData("trim.fracton", "did you mean 'trim.fraction'")]
    public void Bind_unknownSetting_namesTheNearestOrThoseThereAre(string key, string said)
    {
        var failure = Assert.Throws<InputException>(() => Bind(key + "=1"));

        Assert.StartsWith($"--set: unknown configuration key '{key}'; ", failure.Message, StringComparison.Ordinal);
        Assert.Contains(said, failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"seed":"1"}""", "seed", "\"1\"", "a whole number")]
    [InlineData("""{"threads":1.5}""", "threads", "1.5", "a whole number")]
    [InlineData("""{"threads":3000000000}""", "threads", "3000000000", "a whole number")]
    [InlineData("""{"device":1}""", "device", "1", "a string")]
    [InlineData("""{"repair":{"lr":null}}""", "repair.lr", "null", "a number")]
    [InlineData("""{"repair":{"lr":1e999}}""", "repair.lr", "1e999", "a number")]
    [InlineData("""{"wire":{"authenticate":"yes"}}""", "wire.authenticate", "yes", "true or false")]
    [InlineData("""{"trim":{"scope":"*fc*"}}""", "trim.scope", "*fc*", "a list of strings")]
    [InlineData("""{"trim":{"scope":[1]}}""", "trim.scope", "[1]", "a list of strings")]
    [InlineData("""{"trim":3}""", "trim", "3", "a section")]
    public void Bind_wrongType_namesKeyValueAndExpectedType(string json, string key, string value, string expected)
    {
        var failure = Assert.Throws<InputException>(() => ConfigurationBinder.Bind([("my.yaml", JsonNode.Parse(json)!)], []));

        Assert.Contains("my.yaml", failure.Message, StringComparison.Ordinal);
        Assert.Contains($"'{key}'", failure.Message, StringComparison.Ordinal);
        Assert.Contains(value, failure.Message, StringComparison.Ordinal);
        Assert.Contains(expected, failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("repair.epochs", "KEY=VALUE")]
    [InlineData("=3", "KEY=VALUE")]
    [InlineData("repair=3", "repair.epochs")]
    [InlineData("repair.epochs=three", "three")]
    [InlineData("repair.epoch=3", "repair.epochs")]
    [InlineData("trim.scope=*fc*", "a list")]
    [InlineData("trim.scope=[\"a,b]", "a list")]
    [InlineData("repair.lr=Infinity", "a number")]
    public void Bind_badSetting_isRefused(string setting, string part)
    {
        var failure = Assert.Throws<InputException>(() => Bind(setting));

        Assert.StartsWith("--set", failure.Message, StringComparison.Ordinal);
        Assert.Contains(part, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Bind_keyTwiceInOneLayer_isRefused()
    {
        var tree = JsonNode.Parse("""{"trim":{"fraction":0.1},"trim.fraction":0.2}""")!;

        var failure = Assert.Throws<InputException>(() => ConfigurationBinder.Bind([("f.json", tree)], []));

        Assert.Contains("'trim.fraction' is given twice", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Bind_emptySection_keepsDefaults()
    {
        Assert.Equal(0.03m, ConfigurationBinder.Bind([("f", JsonNode.Parse("""{"trim":null}""")!)], []).Trim.Fraction);
    }

    private static RunConfiguration Bind(params string[] settings)
    {
        return ConfigurationBinder.Bind([], settings);
    }
}
