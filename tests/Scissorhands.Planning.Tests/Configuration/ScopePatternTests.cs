using System.Text.RegularExpressions;
using CsCheck;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Planning.Tests.Configuration;

public sealed class ScopePatternTests
{
    [Theory]
    [InlineData("*layer3*", "layer3.0.conv1.weight", true)]
    [InlineData("*layer3*", "module.layer3.0.conv1.weight", true)]
    [InlineData("layer3", "layer3.0.conv1.weight", false)]
    [InlineData("layer?.*", "layer4.1.bn2.bias", true)]
    [InlineData("layer?.*", "layer.1.bn2.bias", false)]
    [InlineData("*.weight", "fc.weight", true)]
    [InlineData("*.weight", "fc.weights", false)]
    [InlineData("FC*", "fc.weight", false)]
    [InlineData("a*b*c", "a.b.b.c", true)]
    [InlineData("a*b*c", "a.b.c.b", false)]
    [InlineData("*", "x", true)]
    [InlineData("a+(b)", "a+(b)", true)]
    [InlineData("**.bias", "a.b.bias", true)]
    [InlineData("x?", "x", false)]
    public void Matches_glob_isOnTheWholeName(string glob, string name, bool expected)
    {
        Assert.Equal(expected, new ScopePattern(glob).Matches(name));
    }

    [Fact]
    public void Matches_anyGlob_agreesWithARegex()
    {
        Gen.Select(Gen.String[Gen.Char["ab.*?"], 1, 8], Gen.String[Gen.Char["ab."], 0, 12]).Sample((glob, name) =>
        {
            var regex = "^" + Regex.Escape(glob).Replace("\\*", ".*", StringComparison.Ordinal).Replace("\\?", ".", StringComparison.Ordinal) + "\\z";
            return new ScopePattern(glob).Matches(name) == Regex.IsMatch(name, regex);
        });
    }

    [Fact]
    public void Matches_hostileGlob_endsAtOnce()
    {
        var glob = string.Concat(Enumerable.Repeat("*a", 200)) + "b";

        Assert.False(new ScopePattern(glob).Matches(new string('a', 20_000)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("a\n")]
    public void Constructor_noGlob_isRefused(string glob)
    {
        Assert.Throws<InputException>(() => new ScopePattern(glob));
    }

    [Theory]
    [InlineData("layer3.0.conv1.weight", true)]
    [InlineData("layer3.0.bn1.weight", false)]
    [InlineData("layer4.0.downsample.1.weight", true)]
    [InlineData("fc.bias", true)]
    [InlineData("layer1.0.conv1.weight", false)]
    public void Matches_publishedScope_isTheNameTest(string name, bool expected)
    {
        Assert.Equal(expected, new ScopeFilter(["*layer3*", "*layer4*", "*fc*"], ["*bn*"]).Matches(name));
    }

    [Fact]
    public void Unmatched_misspelledGlob_isNamed()
    {
        var filter = new ScopeFilter(["*layer9*", "*fc*"], ["*nothing*"]);

        Assert.Equal(["*layer9*"], filter.Unmatched(["fc.weight", "conv1.weight"]));
        Assert.True(new ScopeFilter([], []).TakesAll);
        Assert.True(new ScopeFilter([], ["*bn*"]).Matches("fc.weight"));
    }
}
