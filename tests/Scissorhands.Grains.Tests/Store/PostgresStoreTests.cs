using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Scissorhands.Grains.Store;
using Scissorhands.Testing;

namespace Scissorhands.Grains.Tests.Store;

/// <summary>A server for all tests of the class.</summary>
public sealed class PostgresFixture : IAsyncLifetime
{
    public Postgres Server { get; } = new();

    public ValueTask InitializeAsync() => Server.StartAsync();

    public ValueTask DisposeAsync() => Server.DisposeAsync();
}

public sealed class PostgresStoreTests(PostgresFixture fixture) : StoreTests, IClassFixture<PostgresFixture>
{
    private readonly string _database = $"t{Guid.NewGuid():N}";

    protected override string Address => fixture.Server.AddressOf(_database);

    public override async ValueTask InitializeAsync()
    {
        if (fixture.Server.Missing is { } missing)
        {
            Assert.Skip(missing);
        }

        await ExecuteAsync("postgres", $"CREATE DATABASE {_database}");
    }

    /// <summary>
    /// A restored server may write its indexes in another order, the folder's before the id's. Between the two the first
    /// submission is held, by an index whose function waits for a lock, until the second has met it.
    /// </summary>
    [Fact]
    public async Task Create_TheSameAtOnceAndMetOnTheFoldersIndex_GivesTheFirst()
    {
        await Store().OpenRunsAsync(Ct);
        await ExecuteAsync(
            """
            CREATE FUNCTION held(id text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN id; END $$;
            CREATE INDEX run_held ON run (held(run_id));
            ALTER TABLE run DROP CONSTRAINT run_pkey CASCADE;
            ALTER TABLE run ADD PRIMARY KEY (run_id);
            """);
        await using var holder = new NpgsqlConnection(fixture.Server.KeywordsOf(_database) + ";Pooling=false");
        await holder.OpenAsync(Ct);
        await using var hold = new NpgsqlCommand("SELECT pg_advisory_lock(1)", holder);
        await hold.ExecuteNonQueryAsync(Ct);
        var first = Store().CreateAsync(Run("a") with { Order = "first" }, [Event("submitted")], Ct);
        await WaitersAsync(1);
        var second = Store().CreateAsync(Run("a") with { Order = "second" }, [Event("submitted")], Ct);
        await WaitersAsync(2);

        await using var release = new NpgsqlCommand("SELECT pg_advisory_unlock(1)", holder);
        await release.ExecuteNonQueryAsync(Ct);

        var (run, created) = await first;
        Assert.True(created);
        Assert.Equal((run, false), await second);
        Assert.Single(await Store().EventsAsync("a", 0, 10, Ct));

        async Task WaitersAsync(int count)
        {
            await using var waiting = new NpgsqlCommand("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'", holder);
            using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(1));
            while ((long)(await waiting.ExecuteScalarAsync(deadline.Token))! < count)
            {
                Assert.False(first.IsCompleted);
            }
        }
    }

    [Fact]
    public async Task Write_ServerKilledMeanwhile_LosesNothingAndDoublesNothing()
    {
        const int Writers = 3;
        var writing = true;
        var outbox = Outbox();
        var series = Enumerable.Range(0, Writers).Select(writer => Task.Run(async () =>
        {
            var store = Store();
            var (run, created) = await store.CreateAsync(Run($"{writer}"), [Event("0")], Ct);
            Assert.True(created);
            var written = 0;
            while (Volatile.Read(ref writing))
            {
                written++;
                run = await store.WriteAsync(run with { State = $"{written}" }, [Event($"{written}")], [Message((writer * 1_000_000) + written)], Ct);
            }

            return (run, written);
        }, Ct)).ToList();
        for (var i = 0; i < 3; i++)
        {
            await Task.Delay(TimeSpan.FromSeconds(1), Ct);
            await fixture.Server.RestartAsync();
        }

        await Task.Delay(TimeSpan.FromSeconds(1), Ct);
        Volatile.Write(ref writing, false);
        var ends = await Task.WhenAll(series);
        var messages = (await outbox.ClaimAsync("somewhere", "x", int.MaxValue, TimeSpan.FromMinutes(1), Ct)).Select(m => m.Body).ToList();
        foreach (var ((run, written), writer) in ends.Select((end, writer) => (end, writer)))
        {
            Assert.True(written > 10, $"only {written} writes");
            Assert.Equal(written + 1, run.Version);
            Assert.Equal(run, await Store().ReadAsync(run.RunId, Ct));
            var events = await Store().EventsAsync(run.RunId, 0, int.MaxValue, Ct);
            Assert.Equal(Enumerable.Range(0, written + 1).Select(n => ($"{n}", n + 1L)), events.Select(e => (e.Name, e.Sequence)));
            var own = messages.Select(int.Parse).Where(n => n / 1_000_000 == writer);
            Assert.Equal(Enumerable.Range(1, written), own.Select(n => n % 1_000_000));
        }
    }

    [Fact]
    public async Task Write_AnswerToTheCommitLost_IsFoundOut()
    {
        var (run, _) = await Store().CreateAsync(Run("a"), [], Ct);
        await using var relay = new CommitCutter(new Uri(Address).Port);
        var store = Through(relay).GetRequiredService<IRunStore>();
        await store.ReadAsync("a", Ct);
        for (var i = 1; i <= 2; i++)
        {
            relay.CutNextCommit();
            run = await store.WriteAsync(run with { State = $"{i}" }, [Event($"{i}")], [Message(i)], Ct);
            Assert.Equal(i, relay.Cuts);
        }

        Assert.Equal(3, run.Version);
        Assert.Equal(["1", "2"], (await Store().EventsAsync("a", 0, 10, Ct)).Select(e => e.Name));
        Assert.Equal(["1", "2"], (await Outbox().ClaimAsync("somewhere", "x", 10, TimeSpan.FromMinutes(1), Ct)).Select(m => m.Body));
        relay.CutNextCommit();
        var (_, created) = await store.CreateAsync(Run("b"), [Event("submitted")], Ct);
        Assert.True(created);
        Assert.Equal(3, relay.Cuts);
        Assert.Single(await Store().EventsAsync("b", 0, 10, Ct));
    }

    [Fact]
    public async Task Write_AnswerLostAndSomebodyWroteOnTop_IsFoundOut()
    {
        var (run, _) = await Store().CreateAsync(Run("a"), [], Ct);
        await using var relay = new CommitCutter(new Uri(Address).Port);
        var store = Through(relay).GetRequiredService<IRunStore>();
        await store.ReadAsync("a", Ct);
        var other = Store();
        relay.CutNextCommit(async () => await other.WriteAsync((await other.ReadAsync("a", Ct))! with { State = "other" }, [Event("other")], [], Ct));
        var written = await store.WriteAsync(run with { State = "mine" }, [Event("mine")], [], Ct);
        Assert.Equal(1, relay.Cuts);
        Assert.Equal((2, "mine"), (written.Version, written.State));
        Assert.Equal((3, "other"), (await other.ReadAsync("a", Ct)) is { } last ? (last.Version, last.State) : default);
        Assert.Equal(["mine", "other"], (await other.EventsAsync("a", 0, 10, Ct)).Select(e => e.Name));
    }

    [Fact]
    public async Task Claim_AnswerLost_StillGetsTheMessages()
    {
        var (run, _) = await Store().CreateAsync(Run("a"), [], Ct);
        await Store().WriteAsync(run, [], [Message(1), Message(2)], Ct);
        await using var relay = new CommitCutter(new Uri(Address).Port);
        var outbox = Through(relay).GetRequiredService<IOutbox>();
        await outbox.DoneAsync([0], Ct);
        relay.CutNextCommit();
        var claimed = await outbox.ClaimAsync("somewhere", "x", 10, TimeSpan.FromMinutes(1), Ct);
        Assert.Equal(1, relay.Cuts);
        Assert.Equal(["1", "2"], claimed.Select(m => m.Body));
    }

    [Fact]
    public async Task Failure_WrongPassword_IsNotShown()
    {
        var wrong = fixture.Server.KeywordsOf(_database).Replace(fixture.Server.Secret, "wrong-8842", StringComparison.Ordinal);
        var store = Host(wrong).GetRequiredService<IRunStore>();
        var thrown = await Assert.ThrowsAnyAsync<Exception>(() => store.ReadAsync("a", Ct));
        Assert.DoesNotContain("wrong-8842", thrown.ToString(), StringComparison.Ordinal);
    }

    protected override Task ExecuteAsync(string sql) => ExecuteAsync(_database, sql);

    private async Task ExecuteAsync(string database, string sql)
    {
        await using var connection = new NpgsqlConnection(fixture.Server.KeywordsOf(database) + ";Pooling=false");
        await connection.OpenAsync(Ct);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Ct);
    }

    private ServiceProvider Through(CommitCutter relay) =>
        Host(fixture.Server.KeywordsOf(_database).Replace($"Port={new Uri(Address).Port};", $"Port={relay.Port};", StringComparison.Ordinal));
}
