using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;
using CsCheck;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Frames;
using Scissorhands.Messaging.Rabbit;
using Scissorhands.Messaging.Tests.Collectives;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Tests.Rabbit;

/// <summary>
/// Frames that come again, come in pieces, or were made by somebody else. What belongs to another run or generation, or has
/// come before, changes nothing; everything else ends the group at once. Nothing hangs, and no sum is ever wrong.
/// </summary>
[Collection(nameof(AloneCollection))]
public sealed class ForgeryTests(BrokerFixture fixture) : IClassFixture<BrokerFixture>
{
    private const int Ranks = 2;
    private const int Length = 200_000;
    private static readonly CollectiveOptions Patient = new() { ChunkBytes = 65_536, WindowBytes = 262_144, PeerTimeout = TimeSpan.FromMinutes(5) };
    private static readonly UInt128 Run = XxHash128.HashToUInt128(Encoding.UTF8.GetBytes("run"));
    private static readonly ulong Purpose = XxHash3.HashToUInt64(Encoding.UTF8.GetBytes("gradient"));

    [Fact]
    public async Task Frames_that_come_many_times_change_nothing()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        using var dropped = new DroppedFrames();
        await using var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, Ranks, Patient);
        await using var forger = await Forger.ConnectAsync(fixture.Broker.Address);
        var queue = await forger.StandBeforeAsync(groups.Links[1].QueueName, static frame => Enumerable.Repeat(frame, 20));
        var ranks = Forger.Form(groups, queue, 2, Patient);
        var work = new RankWork(Ranks);
        for (var step = 0L; step < 3; step++)
        {
            await work.AssertSumAsync(work.JoinAll(ranks, step));
        }

        // Rank 1 comes late: all copies are there before it is.
        var counts = new[] { new long[] { 1, 2 }, [3, 4] };
        var replays = dropped.Reach("replay", dropped.For("replay") + 19);
        var first = ranks[0].SumCounts(new OperationKey("counts", 0), counts[0]);
        await replays.WaitAsync(RankThreads.Deadline, TestContext.Current.CancellationToken);
        await Task.WhenAll(first.Completion, ranks[1].SumCounts(new OperationKey("counts", 0), counts[1]).Completion).WaitAsync(RankThreads.Deadline, TestContext.Current.CancellationToken);
        Assert.All(counts, static sum => Assert.Equal([4, 6], sum));

        // A broadcast of many windows, whose pace the receiver sets.
        var whole = new byte[3_000_000];
        new Random(3).NextBytes(whole);
        var given = new[] { (byte[])whole.Clone(), new byte[whole.Length] };
        await Task.WhenAll(ranks.Select(rank => rank.Broadcast(new OperationKey("given", 0), 0, given[rank.Rank]).Completion))
            .WaitAsync(RankThreads.Deadline, TestContext.Current.CancellationToken);
        Assert.Equal(whole, given[1]);

        // All of it again, in the middle of an operation and in the next generation.
        RawFrame[] captured;
        lock (forger.Captured)
        {
            captured = [.. forger.Captured];
        }

        replays = dropped.Reach("replay", dropped.For("replay") + captured.Length);
        first = work.Join(ranks[0], 7);
        await ReplayAsync(forger, groups, captured);
        await replays.WaitAsync(RankThreads.Deadline, TestContext.Current.CancellationToken);
        await work.AssertSumAsync([first, work.Join(ranks[1], 7)]);
        foreach (var rank in ranks)
        {
            await rank.DisposeAsync();
        }

        await groups.RenewAsync(3, Patient);
        var old = dropped.Reach("generation", dropped.For("generation") + captured.Length);
        first = work.Join(groups.Ranks[0], 7);
        await ReplayAsync(forger, groups, captured);
        await old.WaitAsync(RankThreads.Deadline, TestContext.Current.CancellationToken);
        await work.AssertSumAsync([first, work.Join(groups.Ranks[1], 7)]);
    }

    [Theory]
    [InlineData("shorter", "a message that is no frame")]
    [InlineData("longer", "a message that is no frame")]
    [InlineData("short header", "a message that is no frame")]
    [InlineData("no header", "a message that is no frame")]
    [InlineData("another payload", "altered on its way, or forged")]
    [InlineData("back to sender", "altered on its way, or forged")]
    public async Task Frame_altered_between_two_ranks_ends_the_group(string change, string problem)
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        await using var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, Ranks, Patient);
        await using var forger = await Forger.ConnectAsync(fixture.Broker.Address);
        var back = "";
        var seen = 0;
        var queue = await forger.StandBeforeAsync(groups.Links[1].QueueName, frame =>
        {
            if (frame.Body.Length == 0 || Interlocked.Increment(ref seen) != 3)
            {
                return [frame];
            }

            if (change == "back to sender")
            {
                _ = forger.PublishAsync(back, frame);
            }

            return change switch
            {
                "shorter" => [frame with { Body = frame.Body[..^4] }],
                "longer" => [frame with { Body = [.. frame.Body, 0, 0, 0, 0] }],
                "short header" => [frame with { Header = frame.Header![..100] }],
                "no header" => [frame with { Header = null }],
                "another payload" => [frame with { Body = [.. frame.Body.Reverse()] }],
                _ => [frame],
            };
        });
        back = groups.Links[0].QueueName;
        var ranks = Forger.Form(groups, queue, 2, Patient);
        foreach (var failure in await RankWork.FailuresAsync(new RankWork(Ranks).JoinAll(ranks, 7)))
        {
            Assert.Contains("operation gradient/7", failure, StringComparison.Ordinal);
            Assert.Contains(problem, failure, StringComparison.Ordinal);
        }

        foreach (var rank in ranks)
        {
            await rank.DisposeAsync();
        }

        await groups.RenewAsync(3, Patient);
        await RankWork.AssertWorksAsync(groups.Ranks);
    }

    [Fact]
    public async Task Forged_frames_end_the_group_or_are_dropped_and_never_change_a_sum()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        using var dropped = new DroppedFrames();
        await using var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, Ranks, Patient);
        await using var forger = await Forger.ConnectAsync(fixture.Broker.Address);
        var generation = 1L;
        await Gen.Select(Gen.Int[0, 5], Gen.Int[1, (128 * 8) - 1].HashSet[1, 4], Gen.Byte.Array[0, 300], Gen.Int[0, 200]).SampleAsync(
            async (kind, bits, noise, keep) =>
            {
                await groups.RenewAsync(++generation, Patient);
                var work = new RankWork(Ranks, length: Length);
                var first = work.Join(groups.Ranks[0], 7);
                var genuine = Contribution(generation);
                var header = (byte[])genuine.Header!.Clone();
                var body = (byte[])genuine.Body.Clone();
                switch (kind)
                {
                    case 0:
                        header = noise;
                        break;
                    case 1:
                        header = [.. header.Take(Math.Min(keep, 127))];
                        break;
                    case 2:
                        body = noise;
                        break;
                    case 3:
                        body[keep] ^= 1;
                        break;
                    default:
                        foreach (var bit in bits)
                        {
                            header[bit / 8] ^= (byte)(1 << (bit % 8));
                        }

                        break;
                }

                // A frame that reads as one of another run or generation is none of this group's. It waits for its own where that may come yet.
                var isHeader = FrameHeader.TryRead(header, body.Length, out var read, out _);
                var foreign = (isHeader || read != default) && (read.Generation != generation || (isHeader && read.Run != Run));
                if (foreign && (read.Generation > generation || (isHeader && read.Run != Run)))
                {
                    return;
                }

                var reason = isHeader ? "generation" : "malformed";
                var gone = dropped.Reach(reason, dropped.For(reason) + 1);
                await forger.PublishAsync(groups.Links[0].QueueName, new RawFrame(header, body));
                if (foreign)
                {
                    await gone.WaitAsync(RankThreads.Deadline, TestContext.Current.CancellationToken);
                    await work.AssertSumAsync([first, work.Join(groups.Ranks[1], 7)]);
                    return;
                }

                foreach (var failure in new[] { await RankWork.FailureAsync(first), await RankWork.FailureAsync(work.Join(groups.Ranks[1], 7)) })
                {
                    Assert.Contains("operation gradient/7", failure, StringComparison.Ordinal);
                    Assert.Matches(isHeader ? "altered on its way, or forged" : "a message that is no frame", failure);
                }
            },
            iter: 150,
            threads: 1);
    }

    [Fact]
    public async Task Frames_sealed_for_another_run_or_an_old_generation_change_nothing()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        using var dropped = new DroppedFrames();
        await using var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, Ranks, Patient);
        await using var forger = await Forger.ConnectAsync(fixture.Broker.Address);
        await groups.RenewAsync(5, Patient);
        var work = new RankWork(Ranks, length: Length);
        var first = work.Join(groups.Ranks[0], 7);
        var old = dropped.Reach("generation", dropped.For("generation") + 1);
        await forger.PublishAsync(groups.Links[0].QueueName, Contribution(5, Run + 1));
        await forger.PublishAsync(groups.Links[0].QueueName, Contribution(4));
        await old.WaitAsync(RankThreads.Deadline, TestContext.Current.CancellationToken);
        Assert.Equal(1, groups.Links[0].EarlyFrames);
        await work.AssertSumAsync([first, work.Join(groups.Ranks[1], 7)]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task More_frames_than_can_wait_for_a_late_rank_end_the_generation_it_comes_to(bool anotherRunBefore)
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        using var dropped = new DroppedFrames();
        var options = new CollectiveOptions { PeerTimeout = Patient.PeerTimeout };
        await using var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, Ranks, options);
        string[] queues = [.. groups.Links.Select(static l => l.QueueName)];
        await groups.Ranks[1].DisposeAsync();
        await groups.Ranks[0].DisposeAsync();
        var full = dropped.Reach("early", dropped.For("early") + 1);
        await using var second = new RabbitCollectiveGroup(groups.Links[1], "run", 2, 1, queues, BrokerGroups.Key, options);
        const int Long = 10_000_000;
        var values = new float[Long];

        // Each sends a window ahead; together that is more than a link keeps.
        var operations = (48 << 20) / options.WindowBytes;
        var running = Enumerable.Range(0, operations).Select(step => second.AllReduce(RankWork.Key(step), Ranks, [new SubtreeSum(new TreeNode(0, 1), values)], new float[Long])).ToArray();
        await full.WaitAsync(RankThreads.Deadline, TestContext.Current.CancellationToken);
        if (anotherRunBefore)
        {
            await using var another = new RabbitCollectiveGroup(groups.Links[0], "another run", 1, 0, [queues[0]], BrokerGroups.Key, options);
            await another.Barrier(new OperationKey("step", 0)).Completion;
        }

        await using var first = new RabbitCollectiveGroup(groups.Links[0], "run", 2, 0, queues, BrokerGroups.Key, options);
        Assert.Contains("came too early", await RankWork.FailureAsync(first.Barrier(new OperationKey("step", 0))), StringComparison.Ordinal);
        Assert.All(await RankWork.FailuresAsync(running), static failure => Assert.Contains("rank 0: ", failure, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Small_sum_with_a_leaf_held_twice_fails_on_all_ranks()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        await using var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, Ranks, Patient);
        for (var generation = 2; generation < 12; generation++)
        {
            var running = groups.Ranks.Select(static rank => rank.AllReduce(RankWork.Key(7), 1, [new SubtreeSum(new TreeNode(0, 0), new float[10])], new float[10])).ToArray();
            Assert.All(await RankWork.FailuresAsync(running), static failure => Assert.Contains("leaf 0 is held twice", failure, StringComparison.Ordinal));
            await groups.RenewAsync(generation, Patient);
        }
    }

    /// <summary>What rank 1 might send for the first chunk of rank 0, made by somebody who has the key.</summary>
    private static RawFrame Contribution(long generation, UInt128? run = null)
    {
        var count = RangeOwnership.Owned(Length, 0, Ranks).Count;
        count = Math.Min(count, ChunkPlan.Of(Patient, Ranks, sizeof(float)).Elements);
        var values = new float[count];
        Array.Fill(values, 1e6f);
        var body = MemoryMarshal.AsBytes(values.AsSpan()).ToArray();
        var frame = new FrameHeader
        {
            Kind = FrameKind.Contribution,
            Operation = OperationKind.AllReduce,
            Source = 1,
            Parts = 1,
            Run = run ?? Run,
            Generation = generation,
            Purpose = Purpose,
            Step = 7,
            Leaves = Ranks,
            Length = Length,
            Node = new TreeNode(0, 1),
            Chunks = 4,
            Count = count,
            PayloadBytes = body.Length,
            Instance = 1,
        };
        var header = new byte[FrameHeader.Size];
        using var seal = new FrameSeal(BrokerGroups.Key);
        seal.Seal(frame, body, header);
        return new RawFrame(header, body);
    }

    private static async Task ReplayAsync(Forger forger, BrokerGroups groups, RawFrame[] captured)
    {
        foreach (var frame in captured)
        {
            await forger.PublishAsync(groups.Links[1].QueueName, frame);
        }
    }
}
