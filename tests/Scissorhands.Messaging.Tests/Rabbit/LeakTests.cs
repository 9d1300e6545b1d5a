using System.Diagnostics;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Rabbit;
using Scissorhands.Messaging.Tests.Collectives;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Tests.Rabbit;

/// <summary>What groups and links leave behind, in this process and on the broker: nothing.</summary>
[Collection(nameof(AloneCollection))]
public sealed class LeakTests(BrokerFixture fixture) : IClassFixture<BrokerFixture>
{
    private const int Ranks = 2;

    [Fact]
    public async Task Thousand_groups_on_the_same_links_leave_nothing_behind()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        await using (var groups = await BrokerGroups.CreateAsync(fixture.Broker.Address, Ranks))
        {
            await GenerationsAsync(groups, 2, 100);
            var declared = await DeclaredAsync();
            var (threads, memory) = Taken();
            await GenerationsAsync(groups, 102, 1000);
            var (threadsAfter, memoryAfter) = Taken();
            Assert.InRange(threadsAfter - threads, int.MinValue, 10);
            Assert.InRange(memoryAfter - memory, long.MinValue, 2_000_000);

            // A link has one queue and two connections, however many groups have used it.
            Assert.Equal(declared, await DeclaredAsync());
            Assert.Equal(Ranks, declared.Count(static line => line.StartsWith("queues ", StringComparison.Ordinal)));
            Assert.Equal(2 * Ranks, declared.Count(static line => line.StartsWith("connections ", StringComparison.Ordinal)));
        }

        await AssertNothingDeclaredAsync();
    }

    [Fact]
    public async Task Fifty_links_connected_and_disposed_leave_nothing_behind()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        await LinksAsync(5);
        var (threads, memory) = Taken();
        await LinksAsync(50);
        var (threadsAfter, memoryAfter) = Taken();
        Assert.InRange(threadsAfter - threads, int.MinValue, 10);

        // A link keeps half a megabyte of buffers alone.
        Assert.InRange(memoryAfter - memory, long.MinValue, 5_000_000);
        await AssertNothingDeclaredAsync();
    }

    private static async Task GenerationsAsync(BrokerGroups groups, long from, int count)
    {
        var values = Enumerable.Range(0, Ranks).Select(static _ => new float[20]).ToArray();
        for (var generation = from; generation < from + count; generation++)
        {
            await groups.RenewAsync(generation);
            foreach (var own in values)
            {
                Array.Fill(own, 1);
            }

            await Task.WhenAll(groups.Ranks.Select(group => group
                    .AllReduce(new OperationKey("gradient", 0), Ranks, [new SubtreeSum(new TreeNode(0, group.Rank), values[group.Rank])], values[group.Rank]).Completion))
                .WaitAsync(RankThreads.Deadline, TestContext.Current.CancellationToken);
            Assert.All(values, static own => Assert.All(own, static value => Assert.Equal(Ranks, value)));

            // One leaves while the other may not yet know that its last frame is sent: that must not fail either.
            await Task.WhenAll(groups.Ranks.Select(static group => group.DisposeAsync().AsTask()));
        }
    }

    private async Task LinksAsync(int count)
    {
        for (var i = 0; i < count; i++)
        {
            await using var link = await RabbitDataLink.ConnectAsync(fixture.Broker.Address, $"link {i}", TestContext.Current.CancellationToken);
        }
    }

    private static (int Threads, long Memory) Taken()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        var memory = GC.GetTotalMemory(forceFullCollection: true);
        using var process = Process.GetCurrentProcess();
        return (process.Threads.Count, memory);
    }

    private async Task AssertNothingDeclaredAsync()
    {
        // The broker takes its notice of closed connections after it has answered: asked again until a deadline.
        using var deadline = new CancellationTokenSource(RankThreads.Deadline);
        string[] left;
        do
        {
            left = await DeclaredAsync();
        }
        while (left.Length > 0 && !deadline.IsCancellationRequested);
        Assert.Empty(left);
    }

    /// <summary>All that is on the broker and is not built in.</summary>
    private async Task<string[]> DeclaredAsync()
    {
        var all = new List<string>();
        foreach (var (what, column) in new[] { ("queues", "name"), ("exchanges", "name"), ("connections", "pid"), ("channels", "pid") })
        {
            all.AddRange((await fixture.Broker.ListAsync(what, column)).Select(line => $"{what} {line}"));
        }

        return [.. all.Where(static line => line != "exchanges " && !line.StartsWith("exchanges amq.", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
    }
}
