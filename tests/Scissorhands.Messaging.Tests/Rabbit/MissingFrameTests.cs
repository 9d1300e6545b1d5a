using System.Buffers.Binary;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Frames;
using Scissorhands.Messaging.Rabbit;
using Scissorhands.Messaging.Tests.Collectives;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Tests.Rabbit;

/// <summary>
/// A frame that is lost between two ranks, or whose run or generation is altered so that nobody takes it for one of the
/// group's, ends the generation with the next frame of its sender. The clock stands still: no time-out helps.
/// </summary>
[Collection(nameof(AloneCollection))]
public sealed class MissingFrameTests(BrokerFixture fixture) : IClassFixture<BrokerFixture>
{
    private const int Ranks = 3;
    private static readonly CollectiveOptions Options = new() { ChunkBytes = 65_536, WindowBytes = 262_144 };

    [Theory]
    [InlineData("Contribution", "lost")]
    [InlineData("Contribution", "older generation")]
    [InlineData("Contribution", "newer generation")]
    [InlineData("Contribution", "another run")]
    [InlineData("Result", "lost")]
    [InlineData("Result", "older generation")]
    [InlineData("Result", "newer generation")]
    [InlineData("Result", "another run")]
    [InlineData("Piece", "lost")]
    [InlineData("Piece", "newer generation")]
    public async Task Missing_frame_ends_the_generation_without_any_time_passing(string kind, string change)
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        await using var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, Ranks, Options);
        await using var forger = await Forger.ConnectAsync(fixture.Broker.Address);
        var ranks = Forger.Form(groups, await StandBeforeRank1Async(forger, groups, Enum.Parse<FrameKind>(kind), change), 2, Options, new ManualClock());

        // The others may have everything of a sum that goes one way only.
        var running = kind == "Piece"
            ? ranks.Select(static rank => Enumerable.Range(0, 2).Select(step => Norms(rank, step)).ToArray()).ToArray()[1]
            : new RankWork(Ranks).JoinAll(ranks, 7);
        Assert.All(
            await RankWork.FailuresAsync(running),
            static failure => Assert.Contains("a frame of rank 0 is missing", failure, StringComparison.Ordinal));
        await DisposeAsync(ranks);
        await groups.RenewAsync(3, Options);
        await RankWork.AssertWorksAsync(groups.Ranks);
    }

    [Fact]
    public async Task Last_frame_to_all_that_is_missing_shows_with_the_next_sign_of_life()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        await using var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, Ranks, Options);
        await using var forger = await Forger.ConnectAsync(fixture.Broker.Address);
        var clock = new ManualClock();
        var ranks = Forger.Form(groups, await StandBeforeRank1Async(forger, groups, FrameKind.Piece, "lost"), 2, Options, clock);
        var running = ranks.Select(static rank => rank.Barrier(new OperationKey("step", 0))).ToArray();
        await Task.WhenAll(running[0].Completion, running[2].Completion).WaitAsync(RankThreads.Deadline, TestContext.Current.CancellationToken);
        clock.Advance(Options.PeerTimeout / 5);
        Assert.Contains("a frame of rank 0 is missing", await RankWork.FailureAsync(running[1]), StringComparison.Ordinal);
        await DisposeAsync(ranks);
    }

    [Fact]
    public async Task Frame_that_is_missing_among_those_that_came_too_early_ends_the_generation_when_the_rank_joins_it()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        await using var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, Ranks, Options);
        await using var forger = await Forger.ConnectAsync(fixture.Broker.Address);
        await DisposeAsync(groups.Ranks);
        var clock = new ManualClock();
        var queue = await StandBeforeRank1Async(forger, groups, FrameKind.Piece, "lost");
        await using var first = Forger.Join(groups, queue, 2, 0, Options, clock);
        var early = groups.Links[1].EarlyFrames;
        var running = Enumerable.Range(0, 3).Select(step => Norms(first, step)).ToArray();
        using var deadline = new CancellationTokenSource(RankThreads.Deadline);
        while (groups.Links[1].EarlyFrames < early + 2)
        {
            await Task.Delay(5, deadline.Token);
        }

        await using var second = Forger.Join(groups, queue, 2, 1, Options, clock);
        Assert.All(
            await RankWork.FailuresAsync([.. running, Norms(second, 0)]),
            static failure => Assert.Contains("a frame of rank 0 is missing", failure, StringComparison.Ordinal));
    }

    private static ICollectiveOperation Norms(RabbitCollectiveGroup rank, int step) =>
        rank.SumDoubles(new OperationKey("norms", step), Ranks, [new SubtreeDoubles(new TreeNode(0, rank.Rank), new double[2])], new double[2]);

    /// <summary>Changes the first frame of a kind from rank 0 to rank 1.</summary>
    private static async Task<string> StandBeforeRank1Async(Forger forger, BrokerGroups groups, FrameKind kind, string change)
    {
        var seen = 0;
        return await forger.StandBeforeAsync(groups.Links[1].QueueName, frame =>
        {
            if (!FrameHeader.TryRead(frame.Header, frame.Body.Length, out var read, out _) || read.Kind != kind || seen++ > 0)
            {
                return [frame];
            }

            var header = (byte[])frame.Header!.Clone();
            switch (change)
            {
                case "older generation":
                    BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(32), read.Generation - 1);
                    break;
                case "newer generation":
                    BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(32), read.Generation + 7);
                    break;
                case "another run":
                    header[16] ^= 1;
                    break;
                default:
                    return [];
            }

            return [frame with { Header = header }];
        });
    }

    private static async Task DisposeAsync(IEnumerable<RabbitCollectiveGroup> ranks)
    {
        foreach (var rank in ranks)
        {
            await rank.DisposeAsync();
        }
    }
}
