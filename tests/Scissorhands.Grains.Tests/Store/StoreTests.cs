using Microsoft.Extensions.DependencyInjection;
using Scissorhands.Grains.Cluster;
using Scissorhands.Grains.Store;

namespace Scissorhands.Grains.Tests.Store;

/// <summary>What every backend of the store has to keep to. Each test has a database of its own.</summary>
public abstract partial class StoreTests : IAsyncLifetime
{
    private static readonly DateTimeOffset Start = new(2026, 3, 4, 5, 6, 7, TimeSpan.FromHours(2));
    private readonly List<ServiceProvider> _hosts = [];

    protected static CancellationToken Ct => TestContext.Current.CancellationToken;

    protected abstract string Address { get; }

    protected Clock Time { get; } = new(Start);

    /// <summary>Changes the database past the store.</summary>
    protected abstract Task ExecuteAsync(string sql);

    public virtual ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public virtual async ValueTask DisposeAsync()
    {
        foreach (var host in _hosts)
        {
            await host.DisposeAsync();
        }

        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task Create_Twice_GivesTheFirst()
    {
        var store = Store();
        var (first, created) = await store.CreateAsync(Run("a") with { Version = 9 }, [Event("submitted")], Ct);
        var (second, again) = await Store().CreateAsync(Run("a") with { Order = "other" }, [Event("submitted")], Ct);
        Assert.True(created);
        Assert.False(again);
        Assert.Equal(Run("a") with { Version = 1 }, first);
        Assert.Equal(first, second);
        Assert.Equal(first, await store.ReadAsync("a", Ct));
        Assert.Single(await store.EventsAsync("a", 0, 10, Ct));
        Assert.Null(await store.ReadAsync("b", Ct));
    }

    [Fact]
    public async Task Create_Concurrently_OneCreates()
    {
        var results = await Task.WhenAll(Enumerable.Range(0, 8).Select(i =>
            Store().CreateAsync(Run("a") with { Order = $"{i}" }, [Event("submitted")], Ct)));
        Assert.Single(results, r => r.Created);
        Assert.Single(results.Select(r => r.Run).Distinct());
        Assert.Single(await Store().EventsAsync("a", 0, 10, Ct));
    }

    [Fact]
    public async Task Write_AllFields_AreReadBack()
    {
        var store = Store();
        var (run, _) = await store.CreateAsync(Run("ä '\"; \u2028"), [], Ct);
        var changed = run with { Status = RunStatus.Failed, Deadline = Start.AddTicks(7), State = "{\"a\":1}", Reason = "no\nworkers" };
        var written = await store.WriteAsync(changed, [], [], Ct);
        Assert.Equal(changed with { Version = 2 }, written);
        Assert.Equal(written, await Store().ReadAsync(run.RunId, Ct));
    }

    [Fact]
    public async Task Write_StaleVersion_WritesNothing()
    {
        var store = Store();
        var (run, _) = await store.CreateAsync(Run("a"), [], Ct);
        var newer = await store.WriteAsync(run with { State = "newer" }, [Event("one")], [], Ct);
        var stale = await Assert.ThrowsAsync<StaleVersionException>(() => Store().WriteAsync(run with { State = "stale" }, [Event("two")], [Message(1)], Ct));
        Assert.Equal(("a", 1, 2), (stale.RunId, stale.Expected, stale.Found));
        Assert.Equal(newer, await store.ReadAsync("a", Ct));
        Assert.Equal(["one"], (await store.EventsAsync("a", 0, 10, Ct)).Select(e => e.Name));
        Assert.Empty(await Outbox().ClaimAsync("somewhere", "x", 10, TimeSpan.FromMinutes(1), Ct));
        var missing = await Assert.ThrowsAsync<StaleVersionException>(() => store.WriteAsync(Run("none"), [], [], Ct));
        Assert.Equal(0, missing.Found);
    }

    [Fact]
    public async Task Write_Concurrently_OneWinsEachVersionAndEventsHaveNoGaps()
    {
        const int Writers = 4, Each = 10;
        await Store().CreateAsync(Run("a"), [Event("submitted")], Ct);
        var stale = 0;
        await Task.WhenAll(Enumerable.Range(0, Writers).Select(async writer =>
        {
            var store = Store();
            for (var i = 0; i < Each;)
            {
                var run = (await store.ReadAsync("a", Ct))!;
                try
                {
                    await store.WriteAsync(run with { State = $"{writer}.{i}" }, [Event($"{writer}.{i}"), Event("also")], [Message((writer * Each) + i)], Ct);
                    i++;
                }
                catch (StaleVersionException)
                {
                    Interlocked.Increment(ref stale);
                }
            }
        }));
        Assert.Equal(1 + (Writers * Each), (await Store().ReadAsync("a", Ct))!.Version);
        var events = await Store().EventsAsync("a", 0, 1000, Ct);
        Assert.Equal(Enumerable.Range(1, 1 + (2 * Writers * Each)).Select(n => (long)n), events.Select(e => e.Sequence));
        Assert.Equal(events.Skip(5).Take(3), await Store().EventsAsync("a", 5, 3, Ct));
        Assert.Equal(Writers * Each, (await Outbox().ClaimAsync("somewhere", "x", 1000, TimeSpan.FromMinutes(1), Ct)).Select(m => m.Body).Distinct().Count());
    }

    [Fact]
    public async Task Write_TwoFromTheSameVersion_OneWins()
    {
        var (run, _) = await Store().CreateAsync(Run("a"), [], Ct);
        var attempts = new[] { "x", "y" }.Select(async state =>
        {
            try
            {
                return await Store().WriteAsync(run with { State = state }, [Event(state)], [], Ct);
            }
            catch (StaleVersionException)
            {
                return null;
            }
        });
        var winner = Assert.Single(await Task.WhenAll(attempts), w => w is not null)!;
        Assert.Equal(winner, await Store().ReadAsync("a", Ct));
        Assert.Equal(winner.State, Assert.Single(await Store().EventsAsync("a", 0, 10, Ct)).Name);
    }

    [Fact]
    public async Task Lists_HaveTheirOrder()
    {
        var store = Store();
        await store.CreateAsync(Run("late") with { SubmittedAt = Start.AddMinutes(3) }, [], Ct);
        await store.CreateAsync(Run("b") with { SubmittedAt = Start.AddMinutes(2) }, [], Ct);
        await store.CreateAsync(Run("C") with { SubmittedAt = Start.AddMinutes(2) }, [], Ct);
        await store.CreateAsync(Run("due") with { SubmittedAt = Start.AddMinutes(9), Deadline = Start.AddDays(2), Status = RunStatus.Running }, [], Ct);
        await store.CreateAsync(Run("due first") with { SubmittedAt = Start.AddMinutes(8), Deadline = Start.AddDays(1) }, [], Ct);
        await store.CreateAsync(Run("over") with { Status = RunStatus.Completed }, [], Ct);
        Assert.Equal(["due first", "due", "C", "b", "late"], await store.OpenRunsAsync(Ct));
        Assert.Equal(["due", "due first", "late", "b"], (await store.HeadsAsync(4, Ct)).Select(r => r.RunId));
    }

    [Fact]
    public async Task Create_FolderThatAnOpenRunWritesTo_ConflictsUntilItHasEnded()
    {
        var store = Store();
        var (first, _) = await store.CreateAsync(Run("a") with { OutputFolder = "out" }, [], Ct);
        var conflict = await Assert.ThrowsAsync<RunConflictException>(() => Store().CreateAsync(Run("b") with { OutputFolder = "out" }, [], Ct));
        Assert.Equal(("b", RunExclusion.OutputFolder), (conflict.RunId, conflict.Exclusion));
        Assert.Equal("a", (await store.OpenRunWritingToAsync("out", Ct))?.RunId);
        Assert.Null(await store.ReadAsync("b", Ct));

        await store.WriteAsync(first with { Status = RunStatus.Failed }, [], [], Ct);
        Assert.Null(await store.OpenRunWritingToAsync("out", Ct));
        Assert.True((await store.CreateAsync(Run("b") with { OutputFolder = "out" }, [], Ct)).Created);
    }

    [Fact]
    public async Task Write_ModelThatARunWorksOn_ConflictsAndWritesNothing()
    {
        var store = Store();
        var (first, _) = await store.CreateAsync(Run("a"), [], Ct);
        var (second, _) = await store.CreateAsync(Run("b") with { Pool = "another" }, [], Ct);
        Assert.Null(await store.RunAtWorkOnAsync("model", Ct));
        await store.WriteAsync(second with { Status = RunStatus.Running }, [], [], Ct);

        var conflict = await Assert.ThrowsAsync<RunConflictException>(() => Store().WriteAsync(first with { Status = RunStatus.Running }, [Event("generation")], [], Ct));

        Assert.Equal(("a", RunExclusion.Model), (conflict.RunId, conflict.Exclusion));
        Assert.Equal(first, await store.ReadAsync("a", Ct));
        Assert.Empty(await store.EventsAsync("a", 0, 10, Ct));
        Assert.Equal("b", (await store.RunAtWorkOnAsync("model", Ct))?.RunId);
        Assert.Null(await store.RunAtWorkOnAsync("another", Ct));
    }

    [Fact]
    public async Task Outbox_ClaimedMessages_GoToOneUntilTheLeaseIsOver()
    {
        var (run, _) = await Store().CreateAsync(Run("a"), [], Ct);
        await Store().WriteAsync(run, [], [.. Enumerable.Range(0, 40).Select(Message)], Ct);
        var claims = await Task.WhenAll(Enumerable.Range(0, 4).Select(i => Outbox().ClaimAsync("somewhere", $"{i}", 10, TimeSpan.FromMinutes(1), Ct)));
        var rest = await Outbox().ClaimAsync("somewhere", "rest", 100, TimeSpan.FromMinutes(1), Ct);
        var all = claims.SelectMany(c => c).Concat(rest).ToList();
        Assert.Equal(Enumerable.Range(0, 40).Select(i => $"{i}"), all.OrderBy(m => m.Id).Select(m => m.Body));
        Assert.All(claims, c => Assert.Equal(c.Select(m => m.Id).Order(), c.Select(m => m.Id)));

        var done = claims[0].Count > 0 ? claims[0] : claims[1];
        await Outbox().DoneAsync([.. done.Select(m => m.Id)], Ct);
        Assert.Empty(await Outbox().ClaimAsync("somewhere", "early", 100, TimeSpan.FromMinutes(1), Ct));
        Time.Now += TimeSpan.FromMinutes(1);
        var taken = await Outbox().ClaimAsync("somewhere", "late", 100, TimeSpan.FromMinutes(1), Ct);
        Assert.Equal(all.Except(done).OrderBy(m => m.Id), taken);
    }

    [Fact]
    public async Task Outbox_PostponedMessage_KeepsNobodyElseWaitingAndComesBack()
    {
        var (run, _) = await Store().CreateAsync(Run("a"), [], Ct);
        await Store().WriteAsync(run, [], [Message(1), Message(2), new OutgoingMessage("elsewhere", "kind", "3")], Ct);
        var taken = await Outbox().ClaimAsync("somewhere", "x", 10, TimeSpan.FromMinutes(1), Ct);
        Assert.Equal(["1", "2"], taken.Select(static m => m.Body));
        Assert.Equal(["elsewhere 1", "somewhere 2"], (await Outbox().WaitingAsync(Ct)).Select(static w => $"{w.Key} {w.Value}").Order(StringComparer.Ordinal));

        await Outbox().PostponeAsync(taken[0].Id, "x", TimeSpan.FromMinutes(5), Ct);
        await Outbox().PostponeAsync(taken[1].Id, "another", TimeSpan.FromMinutes(5), Ct);

        Time.Now += TimeSpan.FromMinutes(1);
        Assert.Equal(["2"], (await Outbox().ClaimAsync("somewhere", "y", 10, TimeSpan.FromHours(1), Ct)).Select(static m => m.Body));
        Time.Now += TimeSpan.FromMinutes(4);
        Assert.Equal(["1"], (await Outbox().ClaimAsync("somewhere", "y", 10, TimeSpan.FromHours(1), Ct)).Select(static m => m.Body));
    }

    [Fact]
    public async Task Outbox_IdsOfRemovedMessages_NeverReturn()
    {
        var (run, _) = await Store().CreateAsync(Run("a"), [], Ct);
        run = await Store().WriteAsync(run, [], [Message(1)], Ct);
        var first = Assert.Single(await Outbox().ClaimAsync("somewhere", "x", 10, TimeSpan.FromMinutes(1), Ct));
        await Outbox().DoneAsync([first.Id], Ct);
        await Store().WriteAsync(run, [], [Message(2)], Ct);
        Assert.True(Assert.Single(await Outbox().ClaimAsync("somewhere", "x", 10, TimeSpan.FromMinutes(1), Ct)).Id > first.Id);
    }

    [Fact]
    public async Task FirstUse_EightStartAtOnce_MakeTheSchema()
    {
        var stores = Enumerable.Range(0, 8).Select(_ => Store()).ToList();
        await Task.WhenAll(stores.Select((store, i) => Task.Run(() => store.CreateAsync(Run($"{i}"), [], Ct), Ct)));
        Assert.Equal(8, (await Store().OpenRunsAsync(Ct)).Count);
    }

    /// <summary>Before the schema's second step nothing kept runs out of each other's way.</summary>
    [Fact]
    public async Task FirstUse_FirstSchemaWithRunsInEachOthersWay_PartsThem()
    {
        var store = Store();
        await store.OpenRunsAsync(Ct);
        await ExecuteAsync("DROP INDEX run_at_work");
        await ExecuteAsync("DROP INDEX run_writing");
        foreach (var table in (string[])["model_version", "deletion_batch", "deletion_request", "tombstone", "model", "audit_inbox", "audit_entry", "audit_head", "audit_signed_head", "done_sample", "forgotten_content", "installation"])
        {
            await ExecuteAsync($"DROP TABLE {table}");
        }

        await ExecuteAsync("DELETE FROM schema_version WHERE version > 1");
        async Task Add(string id, int minute, RunStatus status, string model, string? folder = null, long? generation = null) => await store.CreateAsync(
            Run(id) with
            {
                SubmittedAt = Start.AddMinutes(minute),
                Status = status,
                ModelKey = model,
                OutputFolder = folder ?? id,
                State = generation is { } number ? new ClusterRunState { Generation = number }.ToJson() : null,
            },
            [],
            Ct);
        await Add("fresh", 1, RunStatus.Running, "m");
        await Add("further", 3, RunStatus.Running, "m", generation: 12);
        await Add("as far", 4, RunStatus.Running, "m", generation: 12);
        await Add("behind", 2, RunStatus.Running, "m", generation: 9);
        await Add("alone", 5, RunStatus.Running, "n", generation: 1);
        await Add("first", 6, RunStatus.Queued, "o", "shared");
        await Add("second", 7, RunStatus.Running, "n", "shared", generation: 3);
        await Add("third", 8, RunStatus.Queued, "p", "shared");
        await Add("over", 0, RunStatus.Completed, "q", "shared");
        string[] ids = [.. (await store.HeadsAsync(100, Ct)).Select(static run => run.RunId)];
        var before = await store.ReadManyAsync(ids, Ct);

        var after = (await Store().ReadManyAsync(ids, Ct)).ToDictionary(static run => run.RunId);

        const string Reason = "run first writes to the same folder; submit this one again when that one has ended";
        var expected = before.ToDictionary(static run => run.RunId);
        foreach (var id in (string[])["fresh", "as far", "behind"])
        {
            expected[id] = expected[id] with { Status = RunStatus.Queued, Version = 2 };
        }

        foreach (var id in (string[])["second", "third"])
        {
            expected[id] = expected[id] with { Status = RunStatus.Failed, Version = 2, Reason = Reason };
        }

        Assert.Equal(expected, after);
        Assert.Equal("further", (await Store().RunAtWorkOnAsync("m", Ct))?.RunId);
        Assert.Equal("alone", (await Store().RunAtWorkOnAsync("n", Ct))?.RunId);
    }

    [Fact]
    public async Task Installation_Any_IsAStoresForEver()
    {
        var first = await Host().GetRequiredService<StoreProbe>().SummaryAsync(Ct);
        Assert.True(first.IsNew);
        Assert.Matches("^[0-9a-f]{32}$", first.Installation);
        Assert.Equal((0, 0), (first.Models, first.Runs));

        await Store().CreateAsync(Run("a"), [], Ct);
        var second = await Host().GetRequiredService<StoreProbe>().SummaryAsync(Ct);
        Assert.Equal((first.Name, first.Installation, false, 1), (second.Name, second.Installation, second.IsNew, second.Runs));
    }

    [Fact]
    public async Task Installation_OfManyAtOnce_IsOne()
    {
        var summaries = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Host()).ToArray().Select(host => host.GetRequiredService<StoreProbe>().SummaryAsync(Ct)));
        Assert.Single(summaries.Select(static s => s.Installation).Distinct());
        Assert.Single(summaries, static s => s.IsNew);
    }

    /// <summary>Pages list runs every few seconds: what a run's state says is read again only where somebody has written it.</summary>
    [Fact]
    public async Task Listing_Again_ReadsOnlyStatesThatWereWritten()
    {
        var store = Store();
        for (var i = 0; i < 12; i++)
        {
            await store.CreateAsync(Run($"r{i:00}") with { OutputFolder = $"o{i}", ModelKey = $"m{i}", Status = RunStatus.Completed, SubmittedAt = Start.AddMinutes(i), State = new ClusterRunState { EndedAt = Start.AddHours(i) }.ToJson() }, [], Ct);
        }

        var counting = new CountingStore(store);
        var listing = new RunListing(counting);
        Assert.Equal(10, (await listing.NewestAsync(10, Ct)).Count);
        Assert.Equal(10, counting.StatesRead);
        for (var poll = 0; poll < 5; poll++)
        {
            await listing.NewestAsync(10, Ct);
        }

        Assert.Equal(10, counting.StatesRead);

        // Ended, and yet it goes on: another coordinator was given the same submission again.
        var again = (await Store().ReadAsync("r05", Ct))!;
        again = await Store().WriteAsync(again with { Status = RunStatus.Queued, State = new ClusterRunState().ToJson() }, [], [], Ct);
        var listed = (await listing.NewestAsync(10, Ct)).Single(static l => l.Run.RunId == "r05");
        Assert.Equal((RunStatus.Queued, null, 11), (listed.Run.Status, listed.EndedAt, counting.StatesRead));

        // What has left the list is forgotten.
        await store.CreateAsync(Run("new") with { SubmittedAt = Start.AddDays(1), OutputFolder = "new" }, [], Ct);
        var newest = await listing.NewestAsync(10, Ct);
        Assert.Equal(["new", "r11", "r10", "r09", "r08", "r07", "r06", "r05", "r04", "r03"], newest.Select(static l => l.Run.RunId));
        Assert.Equal(12, counting.StatesRead);
        Assert.Equal(Start.AddHours(11), newest[1].EndedAt);
        Assert.Equal(RunHead.Of(again), newest[7].Run);
    }

    [Fact]
    public async Task Wait_Canceled_Ends()
    {
        using var source = new CancellationTokenSource();
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Store().ReadAsync("a", source.Token));
    }

    protected static StoredRun Run(string id) => new()
    {
        RunId = id,
        Pool = "pool",
        ModelKey = "model",
        OutputFolder = "out of " + id,
        SubmittedAt = Start,
        Order = "{}",
    };

    protected static NewEvent Event(string name) => new(Start, name, "{\"n\":1}");

    protected static OutgoingMessage Message(int number) => new("somewhere", "kind", $"{number}");

    /// <summary>A store of a host of its own, as another process would have.</summary>
    protected IRunStore Store() => Host().GetRequiredService<IRunStore>();

    protected IOutbox Outbox() => Host().GetRequiredService<IOutbox>();

    protected ServiceProvider Host(string? address = null)
    {
        var host = new ServiceCollection().AddSingleton<TimeProvider>(Time).AddRunStore(StoreOptions.Parse(address ?? Address)).BuildServiceProvider();
        lock (_hosts)
        {
            _hosts.Add(host);
        }

        return host;
    }

    /// <summary>Its time of day stands still; its timers run.</summary>
    protected sealed class Clock(DateTimeOffset now) : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = now;

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
