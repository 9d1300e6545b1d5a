using Scissorhands.Planning.Cut;

namespace Scissorhands.Planning.Tests.Cut;

public sealed class BatchCutTests
{
    [Theory]
    [InlineData(100, 16, 2, new[] { 16, 16, 16, 16, 16, 16, 4 })]
    [InlineData(97, 16, 2, new[] { 16, 16, 16, 16, 16, 17 })]
    [InlineData(33, 16, 8, new[] { 16, 17 })]
    [InlineData(1, 16, 8, new[] { 1 })]
    [InlineData(7, 16, 8, new[] { 7 })]
    [InlineData(0, 16, 8, new int[0])]
    public void Batches_shortLast_mergedIntoTheOneBefore(int count, int size, int minimumLast, int[] expected) =>
        Assert.Equal(expected, BatchCut.Batches(count, size, minimumLast).Select(b => b.Count));

    [Theory]
    [InlineData(100, 4, 8, 25)]
    [InlineData(12, 1, 2, 12)]
    public void Batches_sizeBelowTheMinimum_keepsTheSize(int count, int size, int minimumLast, int batches) =>
        Assert.Equal(Enumerable.Repeat(size, batches), BatchCut.Batches(count, size, minimumLast).Select(b => b.Count));

    [Fact]
    public void Batches_anyNumbers_coverEverySampleOnceInOrder()
    {
        for (var count = 0; count < 70; count++)
        {
            for (var size = 1; size < 20; size++)
            {
                for (var least = 1; least < 12; least++)
                {
                    var batches = BatchCut.Batches(count, size, least);
                    Assert.Equal(Enumerable.Range(0, count), batches.SelectMany(b => Enumerable.Range(b.Start, b.Count)));
                    Assert.All(batches.SkipLast(1), b => Assert.Equal(size, b.Count));
                    Assert.All(batches.TakeLast(1), b => Assert.InRange(b.Count, Math.Min(count, Math.Min(size, least)), size + least - 1));
                }
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(8)]
    public void Slices_anySize_coverTheBatchOnceInOrder(int slices)
    {
        for (var count = 0; count < 70; count++)
        {
            var cut = BatchCut.Slices(new IndexRange(5, 5 + count), slices);
            Assert.Equal(slices, cut.Count);
            Assert.Equal(Enumerable.Range(5, count), cut.SelectMany(s => Enumerable.Range(s.Start, s.Count)));
            Assert.Equal(count >= 2 * slices, slices == 1 ? count >= 2 : cut.All(s => s.Count >= 2));
        }
    }
}
