using Microsoft.Extensions.DependencyInjection;
using Scissorhands.Deletion.Audit;
using Scissorhands.Deletion.Models;
using Scissorhands.Deletion.Requests;
using Scissorhands.Grains.Deletion;
using Scissorhands.Grains.Store;

namespace Scissorhands.Grains.Tests.Store;

/// <summary>Models, deletion requests and audit chains.</summary>
public abstract partial class StoreTests
{
    private static readonly ModelRecord Record = new() { Name = "m", File = "/m", Sha256 = "0", DataSet = "d", Data = "/d", Versions = "/v" };

    private static readonly ModelVersion First = new() { Model = "m", Number = 0, File = "/v/0", Sha256 = "0", PublishedAt = Start, State = VersionState.Current };

    [Fact]
    public async Task Register_Concurrently_OneRegistersAndAllSeeIt()
    {
        var models = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => RegisterAsync(Record with { Workers = i + 1 })));

        Assert.Single(models.Select(static m => m.Record.Workers).Distinct());
        Assert.Single(await Deletions().VersionsAsync("m", Ct));
        Assert.Equal(1, await AppendAllAsync());
    }

    [Fact]
    public async Task Accept_TheSameFromManyAtOnce_IsStoredOnceAndTheFirstAnswers()
    {
        await RegisterAsync(Record);
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Deletions().AcceptAsync([New("a", $"{i % 2}"), New("b", "same"), New("a", $"{i % 2}")], Ct)));

        var first = (await Deletions().RequestAsync("a", Ct))!.BodyDigest;
        Assert.All(outcomes, outcome => Assert.Equal(3, outcome.Count));
        Assert.All(outcomes.SelectMany(static o => o).Where(static o => o.Request.Id == "a"), o => Assert.Equal(first, o.Request.BodyDigest));
        Assert.Equal(8, outcomes.SelectMany(static o => o).Count(static o => o.Conflict));
        Assert.DoesNotContain(outcomes.SelectMany(static o => o), static o => o.Request.Id == "b" && o.Conflict);
        Assert.Equal(3, await AppendAllAsync());
        Assert.Equal(["m"], await Deletions().ModelsAtWorkAsync(Ct));
    }

    [Fact]
    public async Task Commit_AllParts_AreReadBack_AndAStaleOneWritesNothing()
    {
        var model = await RegisterAsync(Record);
        var store = Deletions();
        await store.AcceptAsync([New("a", "x")], Ct);
        var request = (await store.RequestAsync("a", Ct))! with { State = RequestState.Completed, Samples = null, EndedAt = Start, Batch = 1 };
        var batch = new DeletionBatch { Model = "m", Number = 1, Phase = BatchPhase.Completed, Requests = ["a"], Samples = 2, From = 0, Deadline = Start, CreatedAt = Start, Attempts = [] };
        var change = new ModelChange
        {
            Requests = [request],
            Batch = batch,
            Versions = [First with { State = VersionState.Superseded }, First with { Number = 1, Batch = 1 }],
            Tombstones = ["ä", "B", "B"],
            Contents = new Dictionary<string, string> { ["ä"] = "1", ["B"] = "2" },
            Audit = [DeletionAudit.Changed(request, Start)],
        };
        var written = await store.CommitAsync(model with { CurrentVersion = 1, LastBatch = 1 }, change, Ct);

        Assert.Equal((2L, 1, 1, null, 2L), (written.Version, written.CurrentVersion, written.LastBatch, written.OpenBatch, written.Forgotten));
        Assert.Equal(["B", "ä"], await store.TombstonesAsync("m", Ct));
        Assert.Equal([VersionState.Superseded, VersionState.Current], (await store.VersionsAsync("m", Ct)).Select(static v => v.State));
        Assert.Equal(BatchPhase.Completed, (await store.BatchAsync("m", 1, Ct))!.Phase);
        Assert.Equal("a", Assert.Single(await store.RequestsAsync("m", [RequestState.Completed], Ct)).Id);
        Assert.Empty(await store.ModelsAtWorkAsync(Ct));

        await Assert.ThrowsAsync<StaleVersionException>(() => Deletions().CommitAsync(model with { CurrentVersion = 5 }, change with { Tombstones = ["C"] }, Ct));
        Assert.Equal(["B", "ä"], await store.TombstonesAsync("m", Ct));
        Assert.Equal(1, (await store.ModelAsync("m", Ct))!.CurrentVersion);

        var reopened = await store.CommitAsync(written, new ModelChange { ReopenedBatches = [1] }, Ct);
        Assert.Equal(0, (await store.ModelAsync("m", Ct))!.Forgotten);

        // What was meant by an id stays known.
        await store.CommitAsync(reopened, new ModelChange { Contents = new Dictionary<string, string> { ["B"] = "3", ["C"] = "4" } }, Ct);
        Assert.Equal(["B 2", "C 4", "ä 1"], (await store.ContentsAsync("m", Ct)).Select(static c => $"{c.Key} {c.Value}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Waiting_AndCustody_AreFoundByStateTimeAndQuarantine()
    {
        await RegisterAsync(Record);
        var states = new (string Id, RequestState State, bool Copied, DateTimeOffset? RetryAt)[]
        {
            ("accepted", RequestState.Accepted, true, null),
            ("cancelled", RequestState.Cancelled, true, null),
            ("cancelled early", RequestState.Cancelled, false, null),
            ("completed", RequestState.Completed, false, null),
            ("copied", RequestState.Received, true, null),
            ("failed", RequestState.Failed, true, Start),
            ("failed for good", RequestState.Failed, true, null),
            ("failed later", RequestState.Failed, true, Start.AddTicks(1)),
            ("held", RequestState.OnHold, true, null),
            ("late", RequestState.Failed, false, Start),
            ("received", RequestState.Received, false, null),
            ("running", RequestState.Running, true, null),
        };
        var store = Deletions();
        await store.AcceptAsync([.. states.Select(static s => New(s.Id, s.Id)), New("written in one go", "x", r => r with { State = RequestState.Accepted, QuarantinedAt = Start })], Ct);
        var changed = states.Select(s => store.RequestAsync(s.Id, Ct).GetAwaiter().GetResult()! with { State = s.State, RetryAt = s.RetryAt, QuarantinedAt = s.Copied ? Start : null });
        await store.CommitAsync((await store.ModelAsync("m", Ct))!, new ModelChange { Requests = [.. changed] }, Ct);

        var waiting = await Deletions().WaitingAsync("m", Start, Ct);
        Assert.Equal(["accepted", "failed", "written in one go"], waiting.Select(static w => w.Id).Order(StringComparer.Ordinal));
        Assert.All(waiting, static w => Assert.Equal((Start, Start.AddDays(30), 2), (w.StoredAt, w.Deadline, w.Samples)));
        Assert.Equal(["late", "received"], await Need(CustodyNeed.Copy));
        Assert.Equal(["copied"], await Need(CustodyNeed.Accept));
        Assert.Equal(["cancelled"], await Need(CustodyNeed.Destroy));
        Assert.Equal(["accepted", "copied", "failed", "failed for good", "failed later", "held", "running", "written in one go"], await Need(CustodyNeed.Hold));
        Assert.Single(await Deletions().CustodyAsync("m", CustodyNeed.Hold, Start, 1, Ct));
        Assert.Empty(await Deletions().WaitingAsync("other", Start, Ct));
        Assert.Equal(["held", "running"], (await Deletions().RequestsAsync("m", (string[])["running", "held", "held", "nobody"], Ct)).Select(static r => r.Id));

        async Task<IEnumerable<string>> Need(CustodyNeed need) => (await Deletions().CustodyAsync("m", need, Start, 100, Ct)).Select(static r => r.Id);
    }

    /// <summary>Nothing else is open but that a cancelled request's copies are to be destroyed.</summary>
    [Fact]
    public async Task ModelsAtWork_CopiesOfEndedRequests_AreWork()
    {
        await RegisterAsync(Record);
        await Deletions().AcceptAsync([New("a", "x", static r => r with { State = RequestState.Cancelled, QuarantinedAt = Start })], Ct);
        Assert.Equal(["m"], await Deletions().ModelsAtWorkAsync(Ct));
    }

    [Fact]
    public async Task FirstUse_RequestsFromBeforeQuarantine_AreToBeCopied()
    {
        await RegisterAsync(Record);
        await Deletions().AcceptAsync(
            [
                New("accepted", "x"), New("held", "x", static r => r with { State = RequestState.OnHold }), New("failed", "x", static r => r with { State = RequestState.Failed, RetryAt = Start.AddDays(9) }),
                New("failed for good", "x", static r => r with { State = RequestState.Failed }), New("running", "x", static r => r with { State = RequestState.Running, Batch = 1 }),
            ],
            Ct);
        await ExecuteAsync("DROP INDEX deletion_request_in_quarantine");
        foreach (var column in (string[])["samples", "retry_at", "quarantined_at"])
        {
            await ExecuteAsync($"ALTER TABLE deletion_request DROP COLUMN {column}");
        }

        await ExecuteAsync("DROP TABLE forgotten_content");
        await ExecuteAsync("DROP TABLE done_sample");
        await ExecuteAsync("DROP TABLE installation");
        await ExecuteAsync("DELETE FROM schema_version WHERE version > 4");
        var store = Deletions();
        var requests = (await store.RequestsAsync("m", Enum.GetValues<RequestState>(), Ct)).ToDictionary(static r => r.Id, StringComparer.Ordinal);

        Assert.Equal((RequestState.Received, false), (requests["accepted"].State, requests["accepted"].LegalHold));
        Assert.Equal((RequestState.Received, true), (requests["held"].State, requests["held"].LegalHold));
        Assert.Equal((RequestState.Running, 1), (requests["running"].State, requests["running"].Batch));
        Assert.Equal(["1", "2"], requests["accepted"].Samples!);
        Assert.Equal(["accepted", "failed", "held"], (await store.CustodyAsync("m", CustodyNeed.Copy, Start, 100, Ct)).Select(static r => r.Id));
    }

    /// <summary>A former version of the program may be at work beside this one: it knows whether a request was accepted, and not when.</summary>
    [Fact]
    public async Task Requests_OfAFormerVersion_AreReadAndWrittenSoThatItReadsThem()
    {
        await RegisterAsync(Record);
        await Deletions().AcceptAsync([New("accepted", "x", static r => r with { AcceptedAt = Start.AddDays(1) }), New("received", "x")], Ct);
        var (accepted, received) = ((await Deletions().RequestAsync("accepted", Ct))!, (await Deletions().RequestAsync("received", Ct))!);
        Assert.Equal((Start, Start.AddDays(1)), (accepted.StoredAt, accepted.AcceptedAt));
        Assert.Equal((Start, null), (received.StoredAt, received.AcceptedAt));

        // What it leaves out of what it writes, and reads of what is written here.
        await ExecuteAsync("""UPDATE deletion_request SET body = replace(body, '"acceptedSince":', '"unknownToIt":') WHERE body LIKE '%"rowsMayGo":true%'""");
        (accepted, received) = ((await Deletions().RequestAsync("accepted", Ct))!, (await Deletions().RequestAsync("received", Ct))!);
        Assert.Equal((Start, Start), (accepted.StoredAt, accepted.AcceptedAt));
        Assert.Equal((Start, null), (received.StoredAt, received.AcceptedAt));
    }

    [Fact]
    public async Task List_OtherTenants_AreNotThere()
    {
        await RegisterAsync(Record);
        var (other, audit) = New("b", "x");
        await Deletions().AcceptAsync([New("a", "x"), (other with { Tenant = "u" }, audit)], Ct);

        Assert.Equal("a", Assert.Single(await Deletions().ListAsync("t", null, 10, Ct)).Id);
        Assert.Empty(await Deletions().ListAsync("t", "other", 10, Ct));
    }

    [Fact]
    public async Task Count_RequestsOfATenant_ByStateAndDeadlineAndWhatIsDueFirst()
    {
        var slack = Record.Policy.Slack;
        await RegisterAsync(Record with { Tenant = "t" });
        await Deletions().RegisterAsync(Record with { Name = "theirs", Tenant = "u" }, First with { Model = "theirs" }, DeletionAudit.Registered("u", Record, "p", Start), Ct);
        await Deletions().AcceptAsync(
            [
                New("late", "x", static r => r with { Deadline = Start.AddDays(-1), StoredAt = Start.AddDays(-31) }),
                New("near", "x", r => r with { Deadline = Start + slack - TimeSpan.FromSeconds(1) }),
                New("early", "x", r => r with { Deadline = Start + slack, State = RequestState.Received }),
                New("held", "x", static r => r with { Deadline = Start.AddDays(-2), StoredAt = Start.AddDays(-90), State = RequestState.OnHold }),
                New("done", "x", static r => r with { Deadline = Start.AddDays(-3), StoredAt = Start.AddDays(-99), State = RequestState.Completed }),
                New("theirs", "x", static r => r with { Model = "theirs", Tenant = "u", Deadline = Start.AddDays(-9) }),
            ],
            Ct);

        var counts = await Deletions().CountAsync("t", Start, 2, Ct);

        Assert.Equal((1, 1, Start.AddDays(-31)), (counts.AtRisk, counts.Missed, counts.OldestAt));
        Assert.Equal(
            [(RequestState.Received, 1), (RequestState.Accepted, 2), (RequestState.OnHold, 1), (RequestState.Completed, 1)],
            counts.States.OrderBy(static s => s.Key).Select(static s => (s.Key, s.Value)));
        Assert.Equal(["late", "near"], counts.Due.Select(static r => r.Id));
        Assert.Equal((0, null), ((await Deletions().CountAsync("nobody", Start, 2, Ct)).Missed, (await Deletions().CountAsync("nobody", Start, 2, Ct)).OldestAt));
    }

    [Fact]
    public async Task Append_ManySequencersAtOnce_OneChainInTheOrderOfWriting()
    {
        var model = await RegisterAsync(Record);
        for (var i = 0; i < 10; i++)
        {
            model = await Deletions().CommitAsync(model, new ModelChange { Audit = [.. Enumerable.Range(0, 7).Select(n => new AuditDraft("t", Start, "k", $"{i}.{n}"))] }, Ct);
        }

        var placed = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Task.Run(async () =>
        {
            var store = Audits();
            var count = 0;
            while (true)
            {
                var epoch = await store.TakeOverAsync("t", Ct);
                while (await store.AppendAsync("t", epoch, 5, Ct) is { } added)
                {
                    count += added;
                    if (added == 0)
                    {
                        return count;
                    }
                }
            }
        })));

        var rows = await Audits().RowsAsync("t", 0, 1000, Ct);
        Assert.Equal(71, placed.Sum());
        Assert.Null(AuditChain.Fault(rows));
        Assert.Equal(Enumerable.Range(0, 70).Select(static n => $"{n / 7}.{n % 7}"), rows.Skip(1).Select(static r => r.Body));
        Assert.Empty(await Audits().WaitingChainsAsync(Ct));
    }

    [Fact]
    public async Task Append_FormerEpoch_PlacesNothing()
    {
        await RegisterAsync(Record);
        var former = await Audits().TakeOverAsync("t", Ct);
        var epoch = await Audits().TakeOverAsync("t", Ct);

        Assert.Null(await Audits().AppendAsync("t", former, 10, Ct));
        Assert.Equal(1, await Audits().AppendAsync("t", epoch, 10, Ct));
    }

    [Fact]
    public async Task Heads_OfChainsAndKeys_AreKeptAsTheyCame()
    {
        await RegisterAsync(Record);
        await AppendAllAsync();
        var store = Audits();
        Assert.Equal(["t"], await store.UnsignedChainsAsync("k", Ct));

        await Task.WhenAll(Enumerable.Range(0, 4).Select(i => Audits().AddHeadAsync(new StoredHead(0, "t", 1, Start, "k", $"e{i}"), Ct)));
        await store.AddHeadAsync(new StoredHead(0, "t", 1, Start, "other", "o"), Ct);
        await store.AddHeadAsync(new StoredHead(0, "u", 1, Start, "k", "u"), Ct);
        await store.AddHeadAsync(new StoredHead(0, "t", 2, Start, "k", "second"), Ct);
        await store.AddHeadAsync(new StoredHead(0, "t", 2, Start, "k", "late"), Ct);

        var heads = await store.HeadsAsync("t", 0, 10, Ct);
        Assert.Equal([(1L, "k"), (1L, "other"), (2L, "k")], heads.Select(static h => (h.Sequence, h.KeyId)));
        Assert.Equal("second", (await store.LastHeadAsync("t", "k", Ct))!.Envelope);
        Assert.Equal(heads[2], await store.LastHeadAsync("t", "k", Ct));
        Assert.Equal(heads.Skip(1).Take(1), await store.HeadsAsync("t", heads[0].Number, 1, Ct));
        Assert.Null(await store.LastHeadAsync("t", "none", Ct));
        Assert.Empty(await store.UnsignedChainsAsync("k", Ct));
        Assert.Equal(["t"], await store.UnsignedChainsAsync("none", Ct));
    }

    private static (DeletionRequest Request, AuditDraft Audit) New(string id, string digest, Func<DeletionRequest, DeletionRequest>? change = null)
    {
        var request = (change ?? (static r => r))(new DeletionRequest
        {
            Id = id,
            Tenant = "t",
            Principal = "p",
            CallerId = id,
            BodyDigest = digest,
            Model = "m",
            ReceivedAt = Start,
            StoredAt = Start,
            Deadline = Start.AddDays(30),
            State = RequestState.Accepted,
            Samples = ["1", "2"],
            Resolution = new Resolution { Samples = 2 },
        });
        return (request, DeletionAudit.Received(request));
    }

    private IDeletionStore Deletions() => Host().GetRequiredService<IDeletionStore>();

    private IAuditStore Audits() => Host().GetRequiredService<IAuditStore>();

    private Task<StoredModel> RegisterAsync(ModelRecord record) => Deletions().RegisterAsync(record, First, DeletionAudit.Registered("t", record, "p", Start), Ct);

    private async Task<int> AppendAllAsync() => (await Audits().AppendAsync("t", await Audits().TakeOverAsync("t", Ct), 1000, Ct))!.Value;
}
