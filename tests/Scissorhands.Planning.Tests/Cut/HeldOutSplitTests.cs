using Scissorhands.Planning.Cut;

namespace Scissorhands.Planning.Tests.Cut;

public sealed class HeldOutSplitTests
{
    [Fact]
    public void IsFinal_ManyIds_HalfAndAlwaysTheSame()
    {
        var final = Enumerable.Range(0, 10_000).Count(static i => HeldOutSplit.IsFinal($"test/{i}"));
        Assert.InRange(final, 4_800, 5_200);

        // Part of what results are a function of: never to change.
        Assert.Equal([false, true], [HeldOutSplit.IsFinal("e"), HeldOutSplit.IsFinal("a")]);
    }
}
