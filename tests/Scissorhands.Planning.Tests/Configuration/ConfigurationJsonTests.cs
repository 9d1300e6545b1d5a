using System.Text;
using CsCheck;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Planning.Tests.Configuration;

public sealed class ConfigurationJsonTests
{
    private static readonly Gen<double> Finite = Gen.Double.Where(double.IsFinite);

    private static readonly Gen<RunConfiguration> Configurations =
        from seed in Gen.Long
        from lr in Finite
        from eps in Finite
        from fraction in Gen.Int[1, int.MaxValue]
        from mean in Gen.Float.Where(float.IsFinite).Array[0, 3]
        from cache in Gen.String
        from milestones in Gen.Int.Array[0, 4]
        from accumulate in Gen.Bool
        select new RunConfiguration
        {
            Seed = seed,
            Data = new DataConfiguration { Mean = mean, Cache = new string(cache.Where(c => !char.IsSurrogate(c)).ToArray()) },
            Trim = new TrimConfiguration { Fraction = new decimal(fraction, 0, 0, false, 10), Scope = ["*layer3*", "a.\"b\""] },
            Repair = new RepairConfiguration { Lr = lr, Milestones = milestones },
            Projection = new ProjectionConfiguration { Eps = eps, Accumulate = accumulate },
        };

    [Fact]
    public void Parse_ofCanonical_isExact()
    {
        Configurations.Sample(configuration =>
        {
            var text = ConfigurationJson.Canonical(configuration);
            var back = ConfigurationJson.Parse(text);
            return back.Seed == configuration.Seed
                && BitConverter.DoubleToInt64Bits(back.Repair.Lr) == BitConverter.DoubleToInt64Bits(configuration.Repair.Lr)
                && back.Trim.Fraction == configuration.Trim.Fraction
                && back.Data.Mean.SequenceEqual(configuration.Data.Mean)
                && back.Data.Cache == configuration.Data.Cache
                && ConfigurationJson.Canonical(back) == text
                && ConfigurationJson.Hash(back) == ConfigurationJson.Hash(configuration);
        });
    }

    [Fact]
    public void Canonical_defaults_isPinned()
    {
        var compact = string.Concat(ConfigurationJson.Canonical(new RunConfiguration()).Where(c => !char.IsWhiteSpace(c)));

        Assert.Equal(
            """{"seed":1,"device":"cpu","threads":1,"numerics":"avx2","task":"classification","data":{"mean":[],"std":[],"imageSize":0,"cache":""}"""
            + ""","sensitivity":{"batchSize":256,"blockBatches":16,"maxBatches":0},"trim":{"fraction":0.03,"scope":[],"exclude":[],"thresholdOver":"all","ties":"index"}"""
            + ""","repair":{"epochs":10,"batchSize":256,"slices":4,"lr":0.005,"schedule":"milestones","momentum":0.9,"weightDecay":0.0005,"milestones":[91,136],"gamma":0.1,"lambda":0.05,"trainable":"all","shardState":false}"""
            + ""","projection":{"memories":1,"every":1,"margin":0.5,"eps":0.001,"scope":[],"accumulate":false},"evaluation":{"batchSize":128,"mia":true}"""
            + ""","checkpoint":{"everySteps":50},"wire":{"format":"f32","authenticate":true},"augmentation":{"flip":false,"crop":0},"artifacts":{"saliency":false}}""",
            compact);
        var hash = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(compact)));
        Assert.Equal(hash, ConfigurationJson.Hash(new RunConfiguration()));
    }

    [Fact]
    public void Hash_trailingZeros_doNotCount()
    {
        var a = new RunConfiguration { Trim = new TrimConfiguration { Fraction = 0.1m } };
        var b = new RunConfiguration { Trim = new TrimConfiguration { Fraction = 0.1000m } };

        Assert.Equal(ConfigurationJson.Hash(a), ConfigurationJson.Hash(b));
        Assert.NotEqual(ConfigurationJson.Hash(a), ConfigurationJson.Hash(new RunConfiguration()));
    }

    [Theory]
    [InlineData("{", "line 1")]
    [InlineData("{\n\"seed\": x}", "line 2")]
    [InlineData("{\"seed\":1,\"seed\":2}", "seed")]
    [InlineData("null", "null")]
    [InlineData("[1]", "keys and values")]
    public void Parse_malformed_namesTheFileAndPlace(string json, string part)
    {
        var failure = Assert.Throws<InputException>(() => ConfigurationJson.Parse(json, "out/config.json"));

        Assert.Contains("out/config.json", failure.Message, StringComparison.Ordinal);
        Assert.Contains(part, failure.Message, StringComparison.Ordinal);
    }
}
