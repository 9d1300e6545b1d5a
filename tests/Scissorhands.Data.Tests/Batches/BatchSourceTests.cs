using Scissorhands.Data.Batches;
using Scissorhands.Data.Samples;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Data.Tests.Batches;

public sealed class BatchSourceTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly ISampleSet _set;

    public BatchSourceTests()
    {
        Shards.WriteImages(_folder["a.tar"], 40);
        _set = DataSets.Open(_folder["a.tar"], new DataConfiguration { Cache = "none" }, null, CancellationToken.None);
    }

    public void Dispose()
    {
        _set.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Next_Plain_GivesBytesOver255InRequestOrder()
    {
        using var stream = Source(new()).Open([new BatchRequest([7, 3], null)]);
        using var batch = stream.Next(CancellationToken.None)!;
        Assert.Equal([7 % 3, 0], batch.Labels.ToArray());
        Assert.Equal(7 / 255f, batch.Pixels[0]);
        Assert.Equal(3 / 255f, batch.Pixels[36]);
        Assert.Null(stream.Next(CancellationToken.None));
    }

    [Fact]
    public void Next_WithMeanAndStd_Normalises()
    {
        var data = new DataConfiguration { Mean = [0.5f, 0, 0], Std = [0.25f, 1, 1] };
        using var stream = new BatchSource(_set, data, new AugmentationConfiguration(), 1).Open([new BatchRequest([10], null)]);
        using var batch = stream.Next(CancellationToken.None)!;
        Assert.Equal(((10 / 255f) - 0.5f) * 4, batch.Pixels[0], 6);
    }

    [Fact]
    public void Next_Augmented_DependsOnSampleAndEpochAlone()
    {
        var augmentation = new AugmentationConfiguration { Flip = true, Crop = 1 };
        float[] Image(IReadOnlyList<int> ordinals, int position, int epoch, int depth)
        {
            using var stream = new BatchSource(_set, new DataConfiguration(), augmentation, 1, depth).Open([new BatchRequest(ordinals, epoch)]);
            using var batch = stream.Next(CancellationToken.None)!;
            return batch.Pixels.Slice(position * 36, 36).ToArray();
        }

        var alone = Image([5], 0, 2, 1);
        Assert.Equal(alone, Image([9, 1, 5], 2, 2, 4));
        Assert.Contains(Enumerable.Range(0, 20), epoch => !alone.SequenceEqual(Image([5], 0, epoch, 1)));
    }

    [Fact]
    public void Next_AnyPrefetchDepth_GivesEqualBatches()
    {
        float[] All(int depth)
        {
            using var stream = new BatchSource(_set, new DataConfiguration(), new AugmentationConfiguration { Flip = true }, 1, depth)
                .Open(Enumerable.Range(0, 10).Select(i => new BatchRequest([i, i + 1, i + 2], i)));
            var values = new List<float>();
            while (stream.Next(CancellationToken.None) is { } batch)
            {
                using (batch)
                {
                    values.AddRange(batch.Pixels.ToArray());
                }
            }

            return [.. values];
        }

        var expected = All(1);
        Assert.Equal(10 * 3 * 36, expected.Length);
        Assert.Equal(expected, All(3));
        Assert.Equal(expected, All(16));
    }

    [Fact]
    public void Next_FailedSample_Surfaces()
    {
        using var stream = Source(new()).Open([new BatchRequest([0], null), new BatchRequest([999], null)]);
        stream.Next(CancellationToken.None)!.Dispose();
        Assert.ThrowsAny<Exception>(() => stream.Next(CancellationToken.None));
    }

    [Fact]
    public void Dispose_BeforeTheEnd_StopsTakingRequests()
    {
        var taken = 0;
        IEnumerable<BatchRequest> Endless()
        {
            while (true)
            {
                taken++;
                yield return new BatchRequest([0], null);
            }
        }

        using (Source(new()).Open(Endless()))
        {
        }

        Assert.InRange(taken, 1, 4);
    }

    private BatchSource Source(AugmentationConfiguration augmentation) => new(_set, new DataConfiguration(), augmentation, 1);
}
