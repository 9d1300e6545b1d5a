using System.Text.Json.Nodes;
using CsCheck;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Deletion.Audit;
using Scissorhands.Deletion.Batching;
using Scissorhands.Deletion.Gate;
using Scissorhands.Deletion.Models;
using Scissorhands.Deletion.Requests;
using Scissorhands.Grains.Deletion;
using Scissorhands.Grains.Store;

namespace Scissorhands.Grains.Tests.Deletion;

/// <summary>Batches from waiting requests to certificates, whatever call fails on the way, before or after it had its effect.</summary>
public sealed class BatchDriverTests : IDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 3, 4, 5, 6, 7, TimeSpan.Zero);
    private static readonly PublicationEvents Events = new([new PublicationTarget("both", [PublicationEvents.ModelPublished, PublicationEvents.BatchFailed]), new PublicationTarget("published", [PublicationEvents.ModelPublished])]);
    private readonly string _folder = Directory.CreateTempSubdirectory("scissorhands-batches-").FullName;
    private readonly FakeTimeProvider _time = new(Start);
    private int _stores;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Requests_ofOneModel_becomeOneBatchAVersionAndACertificate()
    {
        await using var world = await WorldAsync();
        await AcceptAsync(world.Store, ("a", ["1", "2"]), ("b", ["2", "3"]));

        await RunAsync(world);

        var batch = (await world.Store.BatchAsync("m", 1, Ct))!;
        Assert.Equal((BatchPhase.Completed, 3), (batch.Phase, batch.Samples));
        Assert.Equal([VersionState.Destroyed, VersionState.Current], (await world.Store.VersionsAsync("m", Ct)).Select(static v => v.State));
        Assert.Equal(["1", "2", "3"], await world.Store.TombstonesAsync("m", Ct));
        var requests = await world.Store.RequestsAsync("m", [RequestState.Completed], Ct);
        Assert.Equal(["a", "b"], requests.Select(static r => r.Id));
        Assert.All(requests, static r => Assert.Null(r.Samples));
        Assert.Equal(["certify 1,2,3"], world.Folders.Log.Where(static l => l.StartsWith("certify", StringComparison.Ordinal)));
        Assert.Equal(3, (await world.Store.ModelAsync("m", Ct))!.Forgotten);
    }

    [Fact]
    public async Task Batch_completed_tellsEveryTargetOnceWithoutSamples()
    {
        await using var world = await WorldAsync();
        await AcceptAsync(world.Store, ("a", ["sample-1", "sample-2"]), ("b", ["sample-2"]));

        await RunAsync(world);

        var messages = await MessagesAsync(world);
        Assert.Equal(["hook:both", "hook:published"], messages.Select(static m => m.Destination));
        Assert.Equal(messages[0].Body, messages[1].Body);
        Assert.DoesNotContain("sample-", messages[0].Body, StringComparison.Ordinal);
        var told = JsonNode.Parse(messages[0].Body)!;
        Assert.Equal(("1.0", "dev.scissorhands.model.published", "m", 36), ((string?)told["specversion"], (string?)told["type"], (string?)told["subject"], ((string?)told["id"])!.Length));
        var data = told["data"]!;
        Assert.Equal(("m", 1, "hash of mild", 1, "certificate"), ((string?)data["model"], (int)data["version"]!, (string?)data["sha256"], (int)data["batch"]!, (string?)data["certificateSha256"]));
        Assert.Equal((await world.Store.BatchAsync("m", 1, Ct))!.Attempts[0].RunId, (string?)data["run"]);
        Assert.Equal(["a", "b"], data["requests"]!.AsArray().Select(static r => (string?)r));
    }

    [Fact]
    public async Task Batch_failed_tellsThoseWhoAskedForIt()
    {
        await using var world = await WorldAsync();
        world.Folders.Remembers = ["mild", "strong"];
        await AcceptAsync(world.Store, ("a", ["1"]));

        await RunAsync(world);

        var message = Assert.Single(await MessagesAsync(world));
        Assert.Equal(("hook:both", "dev.scissorhands.batch.failed"), (message.Destination, message.Type));
        var data = JsonNode.Parse(message.Body)!["data"]!;
        Assert.Contains("forgetAccuracy", (string?)data["reason"], StringComparison.Ordinal);
        Assert.Null(data["retryAt"]);
    }

    [Fact]
    public async Task Requests_acceptedMeanwhile_goIntoTheNextBatchAndForgetOnlyWhatIsLeft()
    {
        await using var world = await WorldAsync();
        await AcceptAsync(world.Store, ("a", ["1", "2"]));
        var model = (await world.StepAsync((await world.Store.ModelAsync("m", Ct))!, Ct)).Model;
        await AcceptAsync(world.Store, ("b", ["2", "3"]), ("c", ["1"]));

        await RunAsync(world);

        Assert.Equal(1, model.OpenBatch);
        Assert.Equal(2, (await world.Store.ModelAsync("m", Ct))!.LastBatch);
        Assert.Equal(["forget 1,2 after ", "forget 3 after 1,2"], world.Folders.Log.Where(static l => l.StartsWith("forget", StringComparison.Ordinal)));
        Assert.Equal(RequestState.Rejected, (await world.Store.RequestAsync("c", Ct))!.State);
        Assert.Equal(["3"], await world.Store.TombstonesAsync("m", 2, Ct));
    }

    /// <summary>What was chosen has to hold on test data that the choice had not seen; no other attempt is chosen by these.</summary>
    [Fact]
    public async Task Batch_chosenAttemptDoesNotHoldOnUnseenData_failsWithBothVerdictsAndWithoutAnotherAttempt()
    {
        await using var world = await WorldAsync();
        world.Folders.Unseen = 0.7;
        await AcceptAsync(world.Store, ("a", ["1"]));

        await RunAsync(world);

        var batch = (await world.Store.BatchAsync("m", 1, Ct))!;
        var attempt = Assert.Single(batch.Attempts);
        Assert.Equal((BatchPhase.Failed, GateDecision.Publish, GateDecision.Milder), (batch.Phase, attempt.Verdict!.Decision, attempt.Final!.Decision));
        Assert.Contains("testAccuracy 70.00 %", batch.Reason, StringComparison.Ordinal);
        Assert.Equal((RequestState.Failed, null), ((await world.Store.RequestAsync("a", Ct))!.State, (await world.Store.RequestAsync("a", Ct))!.RetryAt));
        Assert.Equal(0, (await world.Store.ModelAsync("m", Ct))!.CurrentVersion);
    }

    /// <summary>A policy that is changed while a batch is at work is for the next one.</summary>
    [Fact]
    public async Task Batch_policyChangedMeanwhile_isJudgedByTheOneItWasFormedWith()
    {
        await using var world = await WorldAsync();
        world.Folders.Remembers = ["mild"];
        await AcceptAsync(world.Store, ("a", ["1"]));
        var model = (await world.StepAsync((await world.Store.ModelAsync("m", Ct))!, Ct)).Model;
        await world.Store.CommitAsync(model with { Record = model.Record with { Policy = model.Record.Policy with { Gate = new GateBounds { SmallSets = SmallSetRule.Accept, ForgetAbove = 100 } } } }, new ModelChange(), Ct);

        await RunAsync(world);

        var batch = (await world.Store.BatchAsync("m", 1, Ct))!;
        Assert.Equal(["mild", "strong"], batch.Attempts.Select(static a => a.Preset));
        Assert.Equal(100, (await world.Store.ModelAsync("m", Ct))!.Record.Policy.Gate.ForgetAbove);
    }

    /// <summary>What cannot be done after publication is shown, tried after ever longer waits, and forgotten once it is done.</summary>
    [Fact]
    public async Task Batch_certificateCannotBeWritten_saysWhyAndWhenItIsTriedAgain()
    {
        await using var world = await WorldAsync();
        world.Folders.Unwritable = "the disk is full";
        await AcceptAsync(world.Store, ("a", ["1"]));

        await AsFarAsItGoesAsync(world);

        var request = (await world.Store.RequestAsync("a", Ct))!;
        Assert.Equal((RequestState.Verifying, "certifying: the disk is full", Start + TimeSpan.FromSeconds(5)), (request.State, request.Reason, request.RetryAt));
        var batch = (await world.Store.BatchAsync("m", 1, Ct))!;
        Assert.Equal((BatchPhase.Certifying, request.RetryAt), (batch.Phase, batch.TryAt));

        _time.Advance(TimeSpan.FromSeconds(5));
        await AsFarAsItGoesAsync(world);
        Assert.Equal(_time.GetUtcNow() + TimeSpan.FromSeconds(10), (await world.Store.BatchAsync("m", 1, Ct))!.TryAt);
        Assert.Single(await RowsAsync(world), static r => r.Kind == "batch.hindered");

        world.Folders.Unwritable = null;
        _time.Advance(TimeSpan.FromSeconds(10));
        await AsFarAsItGoesAsync(world);
        request = (await world.Store.RequestAsync("a", Ct))!;
        Assert.Equal((RequestState.Completed, null, null), (request.State, request.Reason, request.RetryAt));
        Assert.Null((await world.Store.BatchAsync("m", 1, Ct))!.Hindrance);
    }

    [Fact]
    public async Task Lineage_budgetUsedUp_recommendsTrainingAnewOnce()
    {
        await using var world = await WorldAsync(static policy => policy with { Retrain = new DriftBudget { MaxForgottenShare = 1.5 } });
        await AcceptAsync(world.Store, ("a", ["1"]));
        await RunAsync(world);
        await AcceptAsync(world.Store, ("b", ["2"]));
        await RunAsync(world);
        await AcceptAsync(world.Store, ("c", ["3"]));
        await RunAsync(world);

        var versions = await world.Store.VersionsAsync("m", Ct);
        Assert.Equal([false, false, true, true], versions.Select(static v => v.Retrain is not null));
        Assert.Contains("2.00 % of the training data forgotten (at most 1.50 %)", versions[2].Retrain, StringComparison.Ordinal);
        Assert.Single(await RowsAsync(world), static r => r.Kind == "model.retrain-recommended");
        Assert.Equal("certificate", versions[1].Certificate);
    }

    /// <summary>What each of a batch's requests named is known as long as somebody may need to open it again.</summary>
    [Fact]
    public async Task Requests_done_areKnownWithWhatEachNamed()
    {
        await using var world = await WorldAsync();
        await AcceptAsync(world.Store, ("a", ["1", "2"]), ("b", ["2", "3"]));
        await RunAsync(world);
        await AcceptAsync(world.Store, ("c", ["4"]));
        var model = (await world.StepAsync((await world.Store.ModelAsync("m", Ct))!, Ct)).Model;
        await AcceptAsync(world.Store, ("d", ["4", "1"]));
        await RunAsync(world);

        static string Text(IReadOnlyList<RequestSamples> done) => string.Join(' ', done.Select(static d => $"{d.Id}:{string.Join(',', d.Samples)}"));
        Assert.Equal("a:1,2 b:2,3 d:1,4", Text(await world.Store.DoneByAsync("m", [1], Ct)));
        Assert.Equal("c:4 d:1,4", Text(await world.Store.DoneByAsync("m", [2], Ct)));
        Assert.Equal(1, model.CurrentVersion);
        Assert.Equal(RequestState.Rejected, (await world.Store.RequestAsync("d", Ct))!.State);

        // Also what was forgotten before it came, whether or not there was anything left to do.
        await AcceptAsync(world.Store, static r => r with { ForgottenBefore = ["1"] }, ("e", ["5"]));
        await AcceptAsync(world.Store, static r => r with { ForgottenBefore = ["4", "1"] }, ("f", []));
        await AcceptAsync(world.Store, static r => r with { ForgottenBefore = ["4"], LegalHold = true }, ("g", []));
        await RunAsync(world);
        Assert.Equal("a:1,2 b:2,3 d:1,4 e:1,5 f:1,4", Text(await world.Store.DoneByAsync("m", [1], Ct)));
        Assert.All([await world.Store.RequestAsync("e", Ct), await world.Store.RequestAsync("f", Ct)], static r => Assert.Empty(r!.ForgottenBefore));
        Assert.All([await world.Store.RequestAsync("f", Ct), await world.Store.RequestAsync("g", Ct)], static r => Assert.Equal((RequestState.Rejected, true), (r!.State, r.Reason!.StartsWith("nothing is left to forget", StringComparison.Ordinal))));
    }

    /// <summary>A request may be taken in by what was known a moment before a roll-back: what it names is judged again by what is known now.</summary>
    [Fact]
    public async Task Request_thatWasTakenInByWhatWasKnownBefore_forgetsWhatIsKnownAgain()
    {
        await using var world = await WorldAsync();
        await AcceptAsync(world.Store, ("a", ["1"]));
        await RunAsync(world);
        await AcceptAsync(world.Store, static r => r with { ForgottenBefore = ["1", "2"] }, ("some", ["3"]));
        await AcceptAsync(world.Store, static r => r with { ForgottenBefore = ["4"] }, ("all", []));

        await RunAsync(world);

        Assert.Equal("forget 2,3,4 after 1", world.Folders.Log.Last(static l => l.StartsWith("forget", StringComparison.Ordinal)));
        Assert.All([await world.Store.RequestAsync("some", Ct), await world.Store.RequestAsync("all", Ct)], static r => Assert.Equal((RequestState.Completed, 2), (r!.State, r.Batch)));
    }

    /// <summary>Judged again is what the data has as it was; what is gone, or another by now, is withheld as what may go at any moment.</summary>
    [Fact]
    public async Task Run_judgesWhatIsStillInTheDataAndWithholdsTheRest()
    {
        await using var world = await WorldAsync();
        await AcceptAsync(world.Store, ("a", ["1", "2"]));
        await RunAsync(world);
        await AcceptAsync(world.Store, ("b", ["3"]));
        world.Folders.Gone = ["1"];
        await RunAsync(world);
        Assert.Equal(["forget 1,2 after ", "forget 3 after 2 without 1"], world.Folders.Log.Where(static l => l.StartsWith("forget", StringComparison.Ordinal)));

        // What was not judged again is told with the verdict, and so in the certificate.
        string[] Notes(int batch) => [.. world.Store.BatchAsync("m", batch, Ct).Result!.Attempts[^1].Verdict!.Notes];
        Assert.DoesNotContain(Notes(1), static note => note.Contains("judged again", StringComparison.Ordinal));
        Assert.Contains("1 of the 2 samples that earlier runs forgot are judged again: the others are gone, are changed, or their bytes are not known", Notes(2));
    }

    /// <summary>A row that was erased before its request's run costs that request time, not those it would have been forgotten with.</summary>
    [Fact]
    public async Task Requests_whoseSamplesAreGone_waitAndTheOthersGoOn()
    {
        await using var world = await WorldAsync();
        world.Folders.Gone = ["2"];
        await AcceptAsync(world.Store, ("a", ["1", "2"]), ("b", ["3"]));

        await RunAsync(world);

        var early = (await world.Store.RequestAsync("a", Ct))!;
        Assert.Equal((RequestState.Failed, Start + TimeSpan.FromHours(1), null), (early.State, early.RetryAt, early.AcceptedAt));
        Assert.StartsWith("1 of its 2 samples", early.Reason, StringComparison.Ordinal);
        Assert.Equal(RequestState.Completed, (await world.Store.RequestAsync("b", Ct))!.State);

        world.Folders.Gone = [];
        _time.Advance(TimeSpan.FromHours(1));
        await RunAsync(world);
        Assert.Equal((RequestState.Completed, Start.AddHours(1)), ((await world.Store.RequestAsync("a", Ct))!.State, (await world.Store.RequestAsync("a", Ct))!.AcceptedAt));
    }

    /// <summary>Once its copies are there a request needs its rows no more; before, they have to stay.</summary>
    [Fact]
    public async Task Requests_acceptedAndTheirRowsErased_areCompletedFromTheCopies()
    {
        await using var world = await WorldAsync();
        await AcceptAsync(world.Store, ("a", ["1", "2"]));
        var model = (await world.Custody.StepAsync((await world.Store.ModelAsync("m", Ct))!, Ct)).Model;
        var request = (await world.Store.RequestAsync("a", Ct))!;
        Assert.Equal((RequestState.Accepted, Start, Start), (request.State, request.QuarantinedAt, request.AcceptedAt));

        world.Folders.Gone = ["1", "2"];
        await AcceptAsync(world.Store, ("b", ["2"]), ("c", ["2", "9"]));
        world.Folders.Gone = ["1", "2", "9"];
        await RunAsync(world);

        // What b names comes from a's copies; c is too late with one that nobody has copied.
        Assert.Equal(RequestState.Completed, (await world.Store.RequestAsync("a", Ct))!.State);
        Assert.Equal(RequestState.Completed, (await world.Store.RequestAsync("b", Ct))!.State);
        var late = (await world.Store.RequestAsync("c", Ct))!;
        Assert.Equal((RequestState.Failed, Start + TimeSpan.FromHours(1)), (late.State, late.RetryAt));
        Assert.Empty(world.Folders.Copies);
    }

    /// <summary>A run may still read rows of those who come meanwhile, so that they may not be erased yet.</summary>
    [Fact]
    public async Task Requests_whoseCopiesAreMadeWhileARunIsUnderWay_areAcceptedWhenItIsDone()
    {
        await using var world = await WorldAsync();
        world.Runs.Outcome = ("running", false);
        await AcceptAsync(world.Store, ("a", ["1"]));
        await StepsAsync(world, 5);
        await AcceptAsync(world.Store, ("b", ["2"]));
        await StepsAsync(world, 5);
        var waiting = (await world.Store.RequestAsync("b", Ct))!;
        Assert.Equal((RequestState.Received, Start), (waiting.State, waiting.QuarantinedAt));

        world.Runs.Outcome = ("completed", false);
        world.Folders.Gone = ["2"];
        await RunAsync(world);
        Assert.Equal(RequestState.Completed, (await world.Store.RequestAsync("b", Ct))!.State);
        Assert.Equal(["forget 1 after ", "forget 2 after 1"], world.Folders.Log.Where(static l => l.StartsWith("forget", StringComparison.Ordinal)));
    }

    /// <summary>Rows of accepted requests may go at any moment: no other run depends on them.</summary>
    [Fact]
    public async Task Run_leavesOutWhatOtherAcceptedRequestsName()
    {
        await using var world = await WorldAsync(static policy => policy with { MaxRequests = 1 });
        await AcceptAsync(world.Store, ("a", ["1", "2"]), ("b", ["2", "3"]));
        await RunAsync(world);
        Assert.Equal(["forget 1,2 after  without 3", "forget 3 after 1,2"], world.Folders.Log.Where(static l => l.StartsWith("forget", StringComparison.Ordinal)));
        Assert.Contains("quarantine: the same samples in the copies of 1 requests that wait", (await world.Store.BatchAsync("m", 1, Ct))!.Destroyed);
        Assert.Empty(world.Folders.Copies);
    }

    [Fact]
    public async Task Requests_underLegalHold_areCopiedAndHeldAndKeepTheirCopies()
    {
        await using var world = await WorldAsync();
        await AcceptAsync(world.Store, ("a", ["1", "2"]));
        await AcceptAsync(world.Store, static r => r with { LegalHold = true }, ("h", ["2", "3"]));
        await RunAsync(world);

        Assert.Equal((RequestState.OnHold, Start), ((await world.Store.RequestAsync("h", Ct))!.State, (await world.Store.RequestAsync("h", Ct))!.QuarantinedAt));
        Assert.Equal(["2", "3"], Assert.Single(world.Folders.Copies, static c => c.Key == "h").Value);
        Assert.Equal(["forget 1,2 after  without 3"], world.Folders.Log.Where(static l => l.StartsWith("forget", StringComparison.Ordinal)));
        Assert.Equal("quarantine: copies of these samples that belong to 1 requests under legal hold", Assert.Single((await world.Store.BatchAsync("m", 1, Ct))!.Kept));
    }

    [Fact]
    public async Task Copies_cannotBeMade_theRequestSaysWhyAndIsTriedAgain()
    {
        await using var world = await WorldAsync();
        world.Folders.Full = "no room";
        await AcceptAsync(world.Store, ("a", ["1"]));
        await RunAsync(world);
        var request = (await world.Store.RequestAsync("a", Ct))!;
        Assert.Equal((RequestState.Received, "no room", Start.AddMinutes(1), null, null), (request.State, request.Reason, request.RetryAt, request.QuarantinedAt, request.AcceptedAt));

        world.Folders.Full = null;
        await RunAsync(world);
        Assert.Equal(RequestState.Received, (await world.Store.RequestAsync("a", Ct))!.State);
        _time.Advance(TimeSpan.FromMinutes(1));
        await RunAsync(world);
        Assert.Equal(RequestState.Completed, (await world.Store.RequestAsync("a", Ct))!.State);
    }

    /// <summary>Whoever waits for more requests is not told of one that has nothing left to forget.</summary>
    [Fact]
    public async Task Requests_whoseSamplesWereAllForgottenMeanwhile_areRejectedAtOnce()
    {
        await using var world = await WorldAsync(static policy => policy with { MaxRequests = 1, MaxWait = TimeSpan.FromDays(9), MinRequests = 2 });
        await AcceptAsync(world.Store, ("a", ["1", "2"]), ("b", ["2"]));
        await RunAsync(world);
        var request = (await world.Store.RequestAsync("b", Ct))!;
        Assert.Equal((RequestState.Rejected, null), (request.State, request.QuarantinedAt));
        Assert.Empty(world.Folders.Copies);
    }

    [Fact]
    public async Task Copies_damagedUnderAWaitingRequest_areMadeAgainAndTheOthersGoOn()
    {
        await using var world = await WorldAsync();
        await AcceptAsync(world.Store, ("a", ["1"]), ("b", ["2"]));
        await world.Custody.StepAsync((await world.Store.ModelAsync("m", Ct))!, Ct);
        world.Folders.Damaged.Add("a");
        await RunAsync(world);

        Assert.Equal(BatchPhase.Failed, (await world.Store.BatchAsync("m", 1, Ct))!.Phase);
        Assert.All(["a", "b"], id => Assert.Equal(RequestState.Completed, world.Store.RequestAsync(id, Ct).GetAwaiter().GetResult()!.State));
    }

    /// <summary>The copies of what was cancelled are destroyed and the audit says so, also where it was cancelled while they were made.</summary>
    [Fact]
    public async Task Requests_cancelled_loseTheirCopies()
    {
        await using var world = await WorldAsync(static policy => policy with { MaxWait = TimeSpan.FromDays(1) });
        await AcceptAsync(world.Store, ("a", ["1"]));
        await world.Custody.StepAsync((await world.Store.ModelAsync("m", Ct))!, Ct);
        await CancelAsync("a");
        await AcceptAsync(world.Store, ("b", ["1"]));
        world.Folders.Meanwhile = () => CancelAsync("b");
        await StepsAsync(world, 5);

        Assert.Empty(world.Folders.Copies);
        Assert.All(["a", "b"], id => Assert.Null(world.Store.RequestAsync(id, Ct).GetAwaiter().GetResult()!.QuarantinedAt));
        Assert.Single(await RowsAsync(world), static r => r.Kind == "request.destroyed");
        Assert.Empty(await world.Store.ModelsAtWorkAsync(Ct));

        async Task CancelAsync(string id)
        {
            var request = (await world.Store.RequestAsync(id, Ct))! with { State = RequestState.Cancelled, Samples = null };
            await world.Store.CommitAsync((await world.Store.ModelAsync("m", Ct))!, new ModelChange { Requests = [request] }, Ct);
        }
    }

    /// <summary>What a coordinator left that was lost between writing a copy and saying so, of a request that has ended since.</summary>
    [Fact]
    public async Task Copies_ofNoOpenRequest_areSweptAway()
    {
        await using var world = await WorldAsync(static policy => policy with { MaxWait = TimeSpan.FromDays(1) });
        world.Folders.Copies["nobody's"] = ["1"];
        await AcceptAsync(world.Store, ("a", ["1"]));
        await RunAsync(world);
        Assert.Equal(["a"], world.Folders.Copies.Keys);
    }

    [Fact]
    public async Task Gate_failsOnce_theNextPresetStartsFromTheSameVersion()
    {
        await using var world = await WorldAsync();
        world.Folders.Remembers = ["mild"];
        await AcceptAsync(world.Store, ("a", ["1"]));

        await RunAsync(world);

        var batch = (await world.Store.BatchAsync("m", 1, Ct))!;
        Assert.Equal(["mild", "strong"], batch.Attempts.Select(static a => a.Preset));
        Assert.Equal([GateDecision.Stronger, GateDecision.Publish], batch.Attempts.Select(static a => a.Verdict!.Decision));
        Assert.Equal(BatchPhase.Completed, batch.Phase);
        Assert.Equal(0, batch.From);
    }

    [Fact]
    public async Task Gate_failsToTheEnd_keepsTheVersionAndTriesAgainLater()
    {
        await using var world = await WorldAsync();
        world.Folders.Remembers = ["mild", "strong"];
        await AcceptAsync(world.Store, ("a", ["1"]));

        await RunAsync(world);

        // The same would come to the same: nobody tries it again but an operator who has changed the policy.
        var request = (await world.Store.RequestAsync("a", Ct))!;
        Assert.Equal((RequestState.Failed, null), (request.State, request.RetryAt));
        Assert.Contains("forgetAccuracy", request.Reason, StringComparison.Ordinal);
        Assert.Single(await world.Store.VersionsAsync("m", Ct));
        _time.Advance(TimeSpan.FromDays(300));
        await RunAsync(world);
        Assert.Equal(RequestState.Failed, (await world.Store.RequestAsync("a", Ct))!.State);
    }

    /// <summary>A large model's files take long: who asks the model's grain does not wait for them.</summary>
    [Fact]
    public async Task Publication_takesLong_stepsEndMeanwhileAndItIsDoneOnce()
    {
        await using var world = await WorldAsync();
        var (begun, files) = (new TaskCompletionSource(), new TaskCompletionSource());
        var publications = 0;
        world.Folders.Publishing = () =>
        {
            publications++;
            begun.TrySetResult();
            return files.Task;
        };
        await AcceptAsync(world.Store, ("a", ["1"]));
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        limit.CancelAfter(TimeSpan.FromMinutes(1));
        for (var steps = 0; steps < 10; steps++)
        {
            var step = StepsAsync(world, 1);
            while (!step.IsCompleted)
            {
                limit.Token.ThrowIfCancellationRequested();
                _time.Advance(TimeSpan.FromSeconds(1));
                await Task.Yield();
            }
        }

        await begun.Task.WaitAsync(limit.Token);
        Assert.Equal((BatchPhase.Publishing, 1), ((await world.Store.BatchAsync("m", 1, Ct))!.Phase, publications));

        files.SetResult();
        await RunAsync(world);
        Assert.Equal((RequestState.Completed, 1), ((await world.Store.RequestAsync("a", Ct))!.State, publications));
    }

    [Fact]
    public async Task Run_failsForAReasonThatMayPass_isTriedAgainEverLater()
    {
        await using var world = await WorldAsync();
        world.Runs.Outcome = ("failed", false);
        await AcceptAsync(world.Store, ("a", ["1"]));
        for (var wait = TimeSpan.FromMinutes(10); ; wait *= 2)
        {
            await RunAsync(world);
            var longest = TimeSpan.FromDays(1);
            Assert.Equal(_time.GetUtcNow() + (wait < longest ? wait : longest), (await world.Store.RequestAsync("a", Ct))!.RetryAt);
            _time.Advance(wait < longest ? wait : longest);
            if (wait > 2 * longest)
            {
                break;
            }
        }

        world.Runs.Outcome = ("completed", false);
        await RunAsync(world);
        Assert.Equal(RequestState.Completed, (await world.Store.RequestAsync("a", Ct))!.State);

        // One that succeeds begins the waits anew.
        world.Runs.Outcome = ("failed", false);
        await AcceptAsync(world.Store, ("b", ["2"]));
        await RunAsync(world);
        Assert.Equal(_time.GetUtcNow() + TimeSpan.FromMinutes(10), (await world.Store.RequestAsync("b", Ct))!.RetryAt);
    }

    /// <summary>Who cancels a run wants it out of the way, and not only for a moment.</summary>
    [Fact]
    public async Task Run_cancelled_isTriedAgainAfterTheLongestWait()
    {
        await using var world = await WorldAsync();
        world.Runs.Outcome = ("cancelled", false);
        await AcceptAsync(world.Store, ("a", ["1"]));
        await RunAsync(world);
        Assert.Equal(Start + TimeSpan.FromDays(1), (await world.Store.RequestAsync("a", Ct))!.RetryAt);

        // What was wanted says nothing of how often others fail.
        _time.Advance(TimeSpan.FromDays(1));
        world.Runs.Outcome = ("failed", false);
        await RunAsync(world);
        Assert.Equal(_time.GetUtcNow() + TimeSpan.FromMinutes(10), (await world.Store.RequestAsync("a", Ct))!.RetryAt);
    }

    [Fact]
    public async Task Run_failsForAKeyOfItsConfiguration_isToldWithTheRemedyAndWithoutTheRunsOwnWords()
    {
        await using var world = await WorldAsync();
        (world.Runs.Outcome, world.Runs.BadKey) = (("failed", true), "trim.scope");
        await AcceptAsync(world.Store, ("a", ["1"]));

        await RunAsync(world);

        var reason = (await world.Store.RequestAsync("a", Ct))!.Reason!;
        Assert.Contains("configuration key 'trim.scope' does not fit the model", reason, StringComparison.Ordinal);
        Assert.Contains("scissorhands models add", reason, StringComparison.Ordinal);
        Assert.DoesNotContain("no luck", reason, StringComparison.Ordinal);
    }

    /// <summary>Also where the last gate fails: the verdict is written before the batch is failed.</summary>
    [Fact]
    public async Task Gate_failsToTheEndAndAnyOneCallFails_endsTheSame()
    {
        var calls = 0;
        var expected = await OutcomeAsync(() => calls++, [], ["mild", "strong"]);
        Assert.Contains("Failed", expected, StringComparison.Ordinal);
        for (var call = 0; call < calls; call++)
        {
            Assert.Equal(expected, await OutcomeAsync(null, [(call, false)], ["mild", "strong"]));
            Assert.Equal(expected, await OutcomeAsync(null, [(call, true)], ["mild", "strong"]));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Run_fails_requestsStayOpenWithTheReason(bool badInput)
    {
        await using var world = await WorldAsync();
        world.Runs.Outcome = ("failed", badInput);
        await AcceptAsync(world.Store, ("a", ["1"]));

        await RunAsync(world);

        var request = (await world.Store.RequestAsync("a", Ct))!;
        Assert.Equal(RequestState.Failed, request.State);
        Assert.Matches("^run [0-9a-f]{16} failed", request.Reason);
        Assert.Equal(badInput, request.RetryAt is null);
    }

    /// <summary>Every call in turn fails, before or after it had its effect; what it all ends in is what it ends in undisturbed.</summary>
    [Fact]
    public async Task Batch_anyOneCallFails_endsTheSame()
    {
        var calls = 0;
        var expected = await OutcomeAsync(() => calls++, []);
        Assert.True(calls > 15);
        for (var call = 0; call < calls; call++)
        {
            Assert.Equal(expected, await OutcomeAsync(null, [(call, false)]));
            Assert.Equal(expected, await OutcomeAsync(null, [(call, true)]));
        }
    }

    [Fact]
    public async Task Batch_anyCallsFail_endsTheSame()
    {
        var expected = await OutcomeAsync(null, []);
        await Gen.Select(Gen.Int[0, 60], Gen.Bool).Array[1, 8].SampleAsync(async failures => Assert.Equal(expected, await OutcomeAsync(null, failures)), iter: 25, threads: 1);
    }

    /// <summary>Two that believe they are the model's only one: what one writes the other finds written, and nothing is done twice.</summary>
    [Fact]
    public async Task Batch_twoDriversTakeTurns_endsTheSame()
    {
        var expected = await OutcomeAsync(null, []);
        await using var world = await WorldAsync();
        world.Folders.Remembers = ["mild"];
        await AcceptAsync(world.Store, ("a", ["1", "2"]), ("b", ["2", "3"]));
        var model = (await world.Store.ModelAsync("m", Ct))!;
        var (one, other) = (model, model);
        for (var turn = 0; turn < 100; turn++)
        {
            one = await TryAsync(world, one);
            other = await TryAsync(world, other);
        }

        Assert.Equal(expected, await OutcomeAsync(world));
    }

    /// <summary>Steps until none may follow at once.</summary>
    private static async Task AsFarAsItGoesAsync(World world)
    {
        var model = (await world.Store.ModelAsync("m", Ct))!;
        for (var more = true; more;)
        {
            (model, more) = await world.StepAsync(model, Ct);
        }
    }

    private static async Task<StoredModel> TryAsync(World world, StoredModel model)
    {
        try
        {
            return (await world.StepAsync(model, Ct)).Model;
        }
        catch (Exception e) when (e is StaleVersionException or InvalidOperationException)
        {
            return (await world.Store.ModelAsync("m", Ct))!;
        }
    }

    private async Task<string> OutcomeAsync(Action? count, (int Call, bool After)[] failures, string[]? remembers = null)
    {
        await using var world = await WorldAsync();
        world.Folders.Remembers = remembers ?? ["mild"];
        await AcceptAsync(world.Store, ("a", ["1", "2"]), ("b", ["2", "3"]));
        world.Faults.Arm(count, failures);
        await RunAsync(world);
        return await OutcomeAsync(world);
    }

    /// <summary>All that must be the same: states, versions, tombstones, and what the audit tells, each thing once.</summary>
    private static async Task<string> OutcomeAsync(World world)
    {
        world.Faults.Arm(null, []);
        var rows = await RowsAsync(world);
        Assert.Null(AuditChain.Fault(rows));
        var batch = (await world.Store.BatchAsync("m", 1, Ct))!;
        var requests = await world.Store.RequestsAsync("m", Enum.GetValues<RequestState>(), Ct);
        return string.Join('\n', (string[])
        [
            $"{batch.Phase} {string.Join(',', batch.Attempts.Select(static a => $"{a.Preset}:{a.RunId}:{a.Verdict?.Decision}"))}",
            .. requests.Select(static r => $"{r.Id} {r.State} {r.Samples?.Count}"),
            .. (await world.Store.VersionsAsync("m", Ct)).Select(static v => $"v{v.Number} {v.State} {v.Sha256}"),
            string.Join(',', await world.Store.TombstonesAsync("m", Ct)),
            string.Join(',', rows.Select(static r => r.Kind)),
            $"current {world.Folders.Current}",
            $"copies of {string.Join(',', world.Folders.Copies.Keys)}",
            .. (await MessagesAsync(world)).Select(static m => $"{m.Destination} {m.Type} {m.Body}"),
        ]);
    }

    private static async Task<IReadOnlyList<PendingMessage>> MessagesAsync(World world)
    {
        var outbox = world.Provider.GetRequiredService<IOutbox>();
        var messages = new List<PendingMessage>();
        foreach (var destination in (await outbox.WaitingAsync(Ct)).Keys.Order(StringComparer.Ordinal))
        {
            messages.AddRange(await outbox.ClaimAsync(destination, "test", 100, TimeSpan.FromMinutes(1), Ct));
        }

        return messages;
    }

    private static async Task RunAsync(World world)
    {
        // Each failure is followed by a fresh look at the store, as by a grain that was lost.
        for (var beats = 0; beats < 200; beats++)
        {
            try
            {
                var model = (await world.Store.ModelAsync("m", Ct))!;
                for (var more = true; more;)
                {
                    (model, more) = await world.StepAsync(model, Ct);
                }

                if (model.OpenBatch is null)
                {
                    return;
                }
            }
            catch (TestFaultException)
            {
            }
        }

        Assert.Fail("It does not end.");
    }

    private static async Task StepsAsync(World world, int count)
    {
        for (var step = 0; step < count; step++)
        {
            try
            {
                await world.StepAsync((await world.Store.ModelAsync("m", Ct))!, Ct);
            }
            catch (StaleVersionException)
            {
            }
        }
    }

    private static async Task<IReadOnlyList<AuditEntry>> RowsAsync(World world)
    {
        var audit = world.Provider.GetRequiredService<IAuditStore>();
        await audit.AppendAsync("t", await audit.TakeOverAsync("t", Ct), 1000, Ct);
        return await audit.RowsAsync("t", 0, 1000, Ct);
    }

    private async Task<World> WorldAsync(Func<DeletionPolicy, DeletionPolicy>? policy = null)
    {
        var provider = new ServiceCollection().AddSingleton<TimeProvider>(_time).AddRunStore(StoreOptions.Parse($"sqlite:{Path.Combine(_folder, $"{_stores++}.db")}")).BuildServiceProvider();
        var store = provider.GetRequiredService<IDeletionStore>();
        var record = new ModelRecord
        {
            Name = "m",
            Tenant = "t",
            File = "/m",
            Sha256 = "0",
            DataSet = "d",
            Data = "/d",
            Versions = "/v",
            Policy = (policy ?? (static own => own))(new DeletionPolicy
            {
                MaxWait = TimeSpan.Zero,
                Presets = [new PolicyPreset { Name = "mild" }, new PolicyPreset { Name = "strong" }],
                Gate = new GateBounds { SmallSets = SmallSetRule.Accept },
            }),
        };
        await store.RegisterAsync(record, new ModelVersion { Model = "m", Number = 0, File = "/v/0", Sha256 = "0", PublishedAt = Start, State = VersionState.Current }, DeletionAudit.Registered("t", record, "p", Start), Ct);
        var faults = new Faults();
        var folders = new FakeFolders(faults);
        var runs = new FakeRuns(faults);
        var failing = new FailingStore(store, faults);
        return new World(provider, store, folders, runs, faults, new RequestCustody(failing, folders, _time), new BatchDriver(failing, folders, folders, Events, folders, runs.Of, _time));
    }

    private static Task AcceptAsync(IDeletionStore store, params (string Id, string[] Samples)[] requests) => AcceptAsync(store, static r => r, requests);

    private static Task AcceptAsync(IDeletionStore store, Func<DeletionRequest, DeletionRequest> change, params (string Id, string[] Samples)[] requests) => store.AcceptAsync(
        [
            .. requests.Select(r =>
            {
                var request = change(new DeletionRequest
                {
                    Id = r.Id,
                    Tenant = "t",
                    Principal = "p",
                    CallerId = r.Id,
                    BodyDigest = r.Id,
                    Model = "m",
                    ReceivedAt = Start,
                    StoredAt = Start,
                    Deadline = Start.AddDays(30),
                    State = RequestState.Received,
                    Samples = r.Samples,
                    Resolution = new Resolution { Samples = r.Samples.Length },
                });
                return (request, DeletionAudit.Received(request));
            }),
        ],
        Ct);

    private sealed record World(ServiceProvider Provider, IDeletionStore Store, FakeFolders Folders, FakeRuns Runs, Faults Faults, RequestCustody Custody, BatchDriver Driver) : IAsyncDisposable
    {
        /// <summary>One round of the grain.</summary>
        public async Task<(StoredModel Model, bool More)> StepAsync(StoredModel model, CancellationToken ct)
        {
            (model, var kept) = await Custody.StepAsync(model, ct);
            (model, var more) = await Driver.StepAsync(model, ct);
            return (model, kept || more);
        }

        public ValueTask DisposeAsync() => Provider.DisposeAsync();
    }
}
