using Scissorhands.Planning.Configuration;
using Scissorhands.Planning.Cut;
using Scissorhands.Worker.Run;

namespace Scissorhands.Worker.Tests.Run;

public sealed class MemoryNeedTests
{
    private const int Parameters = 10 * RangeOwnership.BlockElements;
    private const long Buffers = 64 << 20;

    [Theory]
    [InlineData(false, 1, 8.0)]
    [InlineData(false, 4, 8.0)]
    [InlineData(true, 1, 8.0)]
    [InlineData(true, 2, 6.0)]
    [InlineData(true, 3, 5.6)]
    [InlineData(true, 100, 4.4)]
    public void Bytes_OneWorkerOfSeveral_IsModelAndItsShareOfTheState(bool shardState, int workers, double vectors) =>
        Assert.Equal((long)(vectors * Parameters * sizeof(float)) + Buffers, MemoryNeed.Bytes(Configuration(shardState), Parameters, workers));

    [Theory]
    [InlineData(true, 5.9, 8, 3)]
    [InlineData(true, 5.9, 2, 0)]
    [InlineData(true, 4.3, 1_000_000, 0)]
    [InlineData(false, 7.9, 1_000_000, 0)]
    [InlineData(false, 8.0, 1_000_000, 1)]
    public void LeastWorkers_ShareThatFits_IsTheFirst(bool shardState, double vectors, int most, int expected) =>
        Assert.Equal(expected, MemoryNeed.LeastWorkers((long)(vectors * Parameters * sizeof(float)) + Buffers, Configuration(shardState), Parameters, most));

    [Fact]
    public void Refusal_TooLittle_NamesTheNumbers()
    {
        Assert.Null(MemoryNeed.Refusal("w", Buffers + (6L * Parameters * sizeof(float)), Configuration(true), Parameters, 2));
        Assert.Equal(
            "worker w has 64 MiB of memory, the run needs at least 79 MiB: 4 vectors of 655360 float32, 4 of 327680 (one of 2 workers' share) and 64 MiB of buffers; a larger worker, more workers, or fewer projection.memories, helps",
            MemoryNeed.Refusal("w", Buffers, Configuration(true), Parameters, 2));
    }

    private static RunConfiguration Configuration(bool shardState) => new()
    {
        Repair = new() { Slices = 4, ShardState = shardState },
        Projection = new() { Memories = 3 },
    };
}
