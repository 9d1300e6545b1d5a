using System.Globalization;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Control;
using Scissorhands.Messaging.Frames;
using Scissorhands.Messaging.Rabbit;
using Scissorhands.Messaging.Tests.Collectives;
using Scissorhands.Planning.Cut;
using Scissorhands.Testing;

namespace Scissorhands.Messaging.Tests.Rabbit;

/// <summary>
/// Brokers, connections, ranks and processes that fail in the middle of an operation: every rank hears of it and why, no
/// rank ever gets a wrong sum, and the next generation works.
/// </summary>
[Collection(nameof(AloneCollection))]
public sealed class FaultTests(BrokerFixture fixture) : IClassFixture<BrokerFixture>
{
    private const int Ranks = 3;

    // Of the 2.7 MB that a rank of three sends.
    private const int Middle = 1_000_000;

    /// <summary>Silence is found soon; whoever waits for anything else waits for longer than the tests do.</summary>
    private static readonly CollectiveOptions Quick = new() { ChunkBytes = 65_536, WindowBytes = 262_144, PeerTimeout = TimeSpan.FromSeconds(2) };

    private static readonly CollectiveOptions Patient = Quick with { PeerTimeout = TimeSpan.FromMinutes(5) };

    [Fact]
    public async Task Broker_restarted_in_the_middle_ends_the_generation_and_the_next_one_works()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        await using var relay = new FaultyRelay(fixture.Broker.Address);
        await using var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, Ranks, Patient, addresses: By(relay));
        var stalled = relay.After(RelayDirection.ToBroker, Middle, () => relay.Stall(RelayDirection.ToBroker));
        var running = new RankWork(Ranks).JoinAll(groups.Ranks, 7);
        await stalled.WaitAsync(RankThreads.Deadline, TestContext.Current.CancellationToken);
        Assert.All(running, static operation => Assert.False(operation.Completion.IsCompleted));
        await fixture.Broker.RestartAsync();
        foreach (var failure in await RankWork.FailuresAsync(running))
        {
            Assert.Contains("generation 1, operation gradient/7: connection to the broker lost: ", failure, StringComparison.Ordinal);
        }

        relay.Resume();
        await groups.SurviveAsync(2, [0, 1, 2], Patient);
        await RankWork.AssertWorksAsync(groups.Ranks);
    }

    [Fact]
    public async Task Broker_that_takes_nothing_keeps_nobody_who_gives_up()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        await using var relay = new FaultyRelay(fixture.Broker.Address);
        await using var link = await RabbitDataLink.ConnectAsync(relay.Address, "stuck", TestContext.Current.CancellationToken);
        relay.Stall(RelayDirection.ToBroker);
        using var givesUp = new CancellationTokenSource();
        var payload = new byte[1 << 20];

        // More than the sockets and the library's own queue hold.
        var sending = Enumerable.Range(0, 600).Select(i => link.PublishAsync(["nobody"], new byte[FrameHeader.Size], i % 3 == 0 ? payload : default, givesUp.Token)).ToArray();
        Assert.Contains(sending, static s => !s.IsCompleted);
        await givesUp.CancelAsync();
        await Task.WhenAll(sending.Select(static s => s.ContinueWith(static _ => { }, TaskScheduler.Default))).WaitAsync(RankThreads.Deadline, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Connection_cut_in_the_middle_is_named_by_all_ranks_and_the_next_generation_works()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        await using var relay = new FaultyRelay(fixture.Broker.Address);
        await using var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, Ranks, Quick, addresses: By(relay));
        _ = relay.After(RelayDirection.ToBroker, Middle, relay.Cut);
        var failures = await RankWork.FailuresAsync(new RankWork(Ranks).JoinAll(groups.Ranks, 7));
        Assert.All(failures, static failure => Assert.Contains("operation gradient/7", failure, StringComparison.Ordinal));
        Assert.All(failures[..2], static failure => Assert.Contains("rank 2: its queue is gone", failure, StringComparison.Ordinal));
        Assert.Contains("connection to the broker lost", failures[2], StringComparison.Ordinal);
        await groups.SurviveAsync(2, [0, 1, 2], Quick);
        await RankWork.AssertWorksAsync(groups.Ranks);
    }

    [Fact]
    public async Task Rank_that_falls_silent_is_named_and_what_it_sends_later_changes_nothing()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        using var dropped = new DroppedFrames();
        await using var relay = new FaultyRelay(fixture.Broker.Address);
        await using var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, Ranks, Quick, addresses: By(relay));
        _ = relay.After(RelayDirection.ToBroker, Middle, relay.Stall);
        var running = new RankWork(Ranks).JoinAll(groups.Ranks, 7);
        var failures = await RankWork.FailuresAsync(running[..2]);
        Assert.All(failures, static failure => Assert.Contains("operation gradient/7", failure, StringComparison.Ordinal));
        Assert.All(failures, static failure => Assert.Contains("rank 2 gave no sign of life for 2 s", failure, StringComparison.Ordinal));
        await groups.SurviveAsync(2, [0, 1], Quick);
        await RankWork.AssertWorksAsync(groups.Ranks);

        // What the relay has held back belongs to the first generation, and comes in the middle of the second.
        var work = new RankWork(2, 5);
        var first = work.Join(groups.Ranks[0], 7);
        var late = dropped.Reach("generation", dropped.For("generation") + 1);
        relay.Resume();
        await late.WaitAsync(RankThreads.Deadline, TestContext.Current.CancellationToken);
        await work.AssertSumAsync([first, work.Join(groups.Ranks[1], 7)]);

        // The silent rank finds out by itself.
        Assert.Contains("operation gradient/7", await RankWork.FailureAsync(running[2]), StringComparison.Ordinal);
        await groups.SurviveAsync(3, [0, 1, 2], Quick);
        await RankWork.AssertWorksAsync(groups.Ranks);
    }

    [Fact]
    public async Task Stall_that_is_shorter_than_the_timeout_changes_nothing()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        var clock = new ManualClock();
        await using var relay = new FaultyRelay(fixture.Broker.Address);
        await using var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, Ranks, Quick, addresses: By(relay), timeProvider: clock);
        var stalled = relay.After(RelayDirection.ToBroker, Middle, relay.Stall);
        var work = new RankWork(Ranks);
        var running = work.JoinAll(groups.Ranks, 7);
        await stalled.WaitAsync(RankThreads.Deadline, TestContext.Current.CancellationToken);
        for (var fifth = 1; fifth < 5; fifth++)
        {
            clock.Advance(Quick.PeerTimeout / 5);
        }

        await relay.Held(RelayDirection.ToBroker).WaitAsync(RankThreads.Deadline, TestContext.Current.CancellationToken);
        await relay.Held(RelayDirection.FromBroker).WaitAsync(RankThreads.Deadline, TestContext.Current.CancellationToken);
        relay.Resume();
        await work.AssertSumAsync(running);
    }

    [Fact]
    public async Task Slow_network_changes_nothing()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        await using var relay = new FaultyRelay(fixture.Broker.Address);
        await using var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, Ranks, Patient, addresses: By(relay));
        relay.Delay = TimeSpan.FromMilliseconds(5);
        await RankWork.AssertWorksAsync(groups.Ranks);
    }

    // Where a frame's header begins within a message's properties: after class, weight, body size, flags, the table's length,
    // the name and the value's type and length.
    [Theory]
    [InlineData(RelayDirection.ToBroker, 3, 1000, true, "was altered on its way, or forged")]
    [InlineData(RelayDirection.FromBroker, 3, 4000, true, "was altered on its way, or forged")]
    [InlineData(RelayDirection.ToBroker, 3, 0, false, "was altered on its way, or forged")]
    [InlineData(RelayDirection.FromBroker, 3, 65_535, false, "was altered on its way, or forged")]
    [InlineData(RelayDirection.FromBroker, 2, 25 + 0, true, "a message that is no frame")]
    [InlineData(RelayDirection.ToBroker, 2, 25 + 91, true, "a message that is no frame")]
    [InlineData(RelayDirection.ToBroker, 2, 25 + 10, true, "was altered on its way, or forged")]
    [InlineData(RelayDirection.FromBroker, 2, 25 + 48, false, "was altered on its way, or forged")]
    [InlineData(RelayDirection.FromBroker, 2, 25 + 127, true, "was altered on its way, or forged")]
    [InlineData(RelayDirection.ToBroker, 2, 25 + 16, true, "a frame of rank 2 is missing")]
    [InlineData(RelayDirection.FromBroker, 2, 25 + 31, false, " is missing")]
    [InlineData(RelayDirection.ToBroker, 2, 25 + 32, false, "a frame of rank 2 is missing")]
    [InlineData(RelayDirection.FromBroker, 2, 25 + 39, true, " is missing")]
    [InlineData(RelayDirection.FromBroker, 2, 25 + 92, true, "was altered on its way, or forged")]
    public async Task Byte_flipped_on_its_way_ends_the_generation(RelayDirection direction, byte frameType, int offset, bool authenticated, string problem)
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        var key = authenticated ? BrokerGroups.Key : [];
        await using var relay = new FaultyRelay(fixture.Broker.Address);
        await using var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, Ranks, Patient, key, By(relay));
        var flipped = relay.After(direction, Middle / 2, () => _ = relay.Flip(direction, frameType, frameType == 3 ? 65_536 : 153, offset, 0x10));
        var failures = await RankWork.FailuresAsync(new RankWork(Ranks).JoinAll(groups.Ranks, 7));
        Assert.True(flipped.IsCompleted);
        Assert.All(failures, failure => Assert.Contains(problem, failure, StringComparison.Ordinal));
        await groups.SurviveAsync(2, [0, 1, 2], Patient, key);
        await RankWork.AssertWorksAsync(groups.Ranks);
    }

    [Theory]
    [InlineData("AllReduce")]
    [InlineData("SmallAllReduce")]
    [InlineData("ReduceScatter")]
    [InlineData("AllGather")]
    [InlineData("Broadcast")]
    [InlineData("SumCounts")]
    [InlineData("SumDoubles")]
    [InlineData("Barrier")]
    public async Task Rank_that_lives_but_never_joins_is_named(string operation)
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        var options = Quick with { JoinTimeout = TimeSpan.FromSeconds(3) };
        await using var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, Ranks, options);
        var failures = await RankWork.FailuresAsync([.. groups.Ranks.Take(2).Select(group => Start(group, operation))]);
        Assert.All(failures, static failure => Assert.Contains("operation some/3", failure, StringComparison.Ordinal));
        Assert.All(failures, static failure => Assert.Contains("no progress for 3 s, waiting for rank 2", failure, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Rank_that_leaves_in_the_middle_is_named_at_once()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        await using var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, Ranks, Patient);
        var work = new RankWork(Ranks);

        // Without rank 1 nothing can be finished, and it is who the first chunk waits for.
        var running = new[] { work.Join(groups.Ranks[0], 7), work.Join(groups.Ranks[2], 7) };
        await groups.Ranks[2].DisposeAsync();
        var failures = await RankWork.FailuresAsync(running);
        failures = [.. failures, await RankWork.FailureAsync(work.Join(groups.Ranks[1], 7))];
        Assert.All(failures, static failure => Assert.Contains("operation gradient/7", failure, StringComparison.Ordinal));
        Assert.All(failures, static failure => Assert.Contains("rank 2: the rank has left the group", failure, StringComparison.Ordinal));
        await groups.SurviveAsync(2, [0, 1], Patient);
        await RankWork.AssertWorksAsync(groups.Ranks);
    }

    [Theory]
    [InlineData("KILL", "rank 2: its queue is gone")]
    [InlineData("STOP", "rank 2 gave no sign of life for 2 s")]
    public async Task Process_killed_or_stopped_is_named_and_the_next_generation_works(string signal, string problem)
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        var options = new CollectiveOptions { PeerTimeout = Quick.PeerTimeout };
        await using var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, 2, options);
        await using var process = new ChildProcess(
            Environment.ProcessPath is { } self && Path.GetFileName(self) == "dotnet" ? self : "dotnet",
            [
                Path.Combine(AppContext.BaseDirectory, "Scissorhands.Messaging.Rank.dll"),
                "2",
                "2",
                RankWork.Length.ToString(CultureInfo.InvariantCulture),
                Quick.PeerTimeout.TotalMilliseconds.ToString(CultureInfo.InvariantCulture),
                Convert.ToHexString(BrokerGroups.Key),
            ],
            new Dictionary<string, string> { [ControlBus.BrokerVariable] = fixture.Broker.Address.ToString() });
        var queue = (await process.SaysAsync("queue ").WaitAsync(RankThreads.Deadline, TestContext.Current.CancellationToken)).Split(' ')[1];
        string[] queues = [.. groups.Links.Select(static l => l.QueueName), queue];
        var ranks = groups.Links.Select((link, rank) => new RabbitCollectiveGroup(link, "run", 2, rank, queues, BrokerGroups.Key, options)).ToArray();
        process.Tell(string.Join(' ', queues));
        var steps = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var survivors = ranks.Select(rank => Task.Run(() => StepsAsync(rank, steps), TestContext.Current.CancellationToken)).ToArray();
        await Task.WhenAny([steps.Task, .. survivors]).WaitAsync(RankThreads.Deadline, TestContext.Current.CancellationToken);
        Assert.All(survivors, static survivor => Assert.False(survivor.IsCompleted, survivor.IsCompleted ? survivor.GetAwaiter().GetResult() : ""));
        process.Signal(signal);
        foreach (var failure in await Task.WhenAll(survivors).WaitAsync(RankThreads.Deadline, TestContext.Current.CancellationToken))
        {
            Assert.Contains(problem, failure, StringComparison.Ordinal);
            Assert.Matches("operation gradient/[0-9]+", failure);
        }

        foreach (var rank in ranks)
        {
            await rank.DisposeAsync();
        }

        await groups.SurviveAsync(3, [0, 1], Quick);
        await RankWork.AssertWorksAsync(groups.Ranks);
        if (signal == "STOP")
        {
            // It finds out that it has been given up, and ends; what it still sends belongs to an old generation.
            var work = new RankWork(2, 5);
            var first = work.Join(groups.Ranks[0], 7);
            process.Signal("CONT");
            Assert.Contains("operation gradient/", await process.SaysAsync("failed ").WaitAsync(RankThreads.Deadline, TestContext.Current.CancellationToken), StringComparison.Ordinal);
            await process.Exited.WaitAsync(RankThreads.Deadline, TestContext.Current.CancellationToken);
            Assert.Equal(3, process.ExitCode);
            await work.AssertSumAsync([first, work.Join(groups.Ranks[1], 7)]);
        }
    }

    /// <summary>Sums up until the group ends; says after three steps that all is under way.</summary>
    /// <returns>Why it ended.</returns>
    private static async Task<string> StepsAsync(RabbitCollectiveGroup group, TaskCompletionSource underWay)
    {
        var values = new float[RankWork.Length];
        for (var step = 0L; ; step++)
        {
            Array.Fill(values, 1 << group.Rank);
            var operation = group.AllReduce(RankWork.Key(step), Ranks, [new SubtreeSum(new TreeNode(0, group.Rank), values)], values);
            try
            {
                await operation.Completion;
            }
            catch (CollectiveException e)
            {
                return e.Message;
            }

            Assert.All(values, static value => Assert.Equal(7, value));
            if (step == 2)
            {
                underWay.TrySetResult();
            }
        }
    }

    private static ICollectiveOperation Start(RabbitCollectiveGroup group, string operation)
    {
        var key = new OperationKey("some", 3);
        SubtreeSum[] Held(int length) => [new SubtreeSum(new TreeNode(0, group.Rank), new float[length])];
        return operation switch
        {
            "AllReduce" => group.AllReduce(key, Ranks, Held(500_000), new float[500_000]),
            "SmallAllReduce" => group.AllReduce(key, Ranks, Held(100), new float[100]),
            "ReduceScatter" => group.ReduceScatter(key, Ranks, Held(500_000), 500_000, new float[RangeOwnership.Owned(500_000, group.Rank, Ranks).Count]),
            "AllGather" => group.AllGather(key, RangeOwnership.All(1_000_000, Ranks), new byte[1_000_000]),
            "Broadcast" => group.Broadcast(key, 2, new byte[1_000_000]),
            "SumCounts" => group.SumCounts(key, new long[10]),
            "SumDoubles" => group.SumDoubles(key, Ranks, [new SubtreeDoubles(new TreeNode(0, group.Rank), new double[3])], new double[3]),
            "Barrier" => group.Barrier(key),
            _ => throw new ArgumentOutOfRangeException(nameof(operation)),
        };
    }

    private Uri[] By(FaultyRelay relay) => [fixture.Broker.Address, fixture.Broker.Address, relay.Address];
}
