using CsCheck;
using Scissorhands.Deletion.Gate;

namespace Scissorhands.Deletion.Tests;

public sealed class ClopperPearsonTests
{
    /// <summary>Ends in closed form where all or none count, and figures of published tables elsewhere.</summary>
    [Theory]
    [InlineData(0, 10, 0, 0.3084971078)]
    [InlineData(10, 10, 0.6915028922, 1)]
    [InlineData(5, 10, 0.1870860284, 0.8129139716)]
    [InlineData(1, 3, 0.0084037586, 0.9057007)]
    [InlineData(0, 1, 0, 0.975)]
    public void Of_KnownCases_GivesTheKnownInterval(long hits, long count, double low, double high)
    {
        var interval = ClopperPearson.Of(hits, count);

        Assert.Equal(low, interval.Low, 6);
        Assert.Equal(high, interval.High, 6);
    }

    /// <summary>What the interval is defined by: at its ends the tails of the binomial distribution are 2.5 % each.</summary>
    [Fact]
    public void Of_AnyShare_LeavesTheTailsThatDefineIt() =>
        Gen.Int[1, 400].SelectMany(count => Gen.Int[0, count].Select(hits => (hits, count))).Sample(
            (hits, count) =>
            {
                var (low, high) = ClopperPearson.Of(hits, count);
                Assert.True(low <= (double)hits / count && (double)hits / count <= high);
                Assert.Equal(0.025, hits == 0 ? 0.025 : Upper(hits, count, low), 6);
                Assert.Equal(0.025, hits == count ? 0.025 : 1 - Upper(hits + 1, count, high), 6);
            },
            iter: 300);

    // P(X >= hits).
    private static double Upper(int hits, int count, double share) =>
        1 - MathNet.Numerics.Distributions.Binomial.CDF(share, count, hits - 1);
}
