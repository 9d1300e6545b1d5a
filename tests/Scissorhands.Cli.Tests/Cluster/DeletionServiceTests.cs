using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Scissorhands.Certificates.Statements;
using Scissorhands.Cli.Tests.Hooks;
using Scissorhands.Cli.Tests.Runs;
using Scissorhands.Data.Quarantine;
using Scissorhands.Data.Samples;
using Scissorhands.Deletion.Audit;
using Scissorhands.Deletion.Gate;
using Scissorhands.Deletion.Models;
using Scissorhands.Drill.Cluster;
using Scissorhands.Drill.World;
using Scissorhands.Grains.Store;
using Scissorhands.Planning.Configuration;
using Scissorhands.Testing;
using Scissorhands.Worker.Run;

namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>A coordinator that serves deletion requests, and two workers.</summary>
public sealed class DeletionCluster : IAsyncLifetime
{
    public BrokerFixture Fixture { get; } = new();

    public LocalCluster? Cluster { get; private set; }

    public Uri? Intake { get; private set; }

    public HttpClient Http { get; private set; } = new();

    public HookReceiver? Told { get; private set; }

    public string Folder { get; } = Directory.CreateTempSubdirectory("scissorhands-deletion-").FullName;

    public async ValueTask InitializeAsync()
    {
        await Fixture.InitializeAsync();
        if (Fixture.Broker.Missing is null)
        {
            Intake = await Fixture.Broker.AddVirtualHostAsync("intake", "pipeline");
            Cluster = await LocalCluster.StartAsync(new ClusterOptions { Broker = Fixture.Broker, Intake = Intake, CacheHome = Path.Combine(Folder, "home"), CoordinatorArguments = ["--root", Path.GetTempPath(), "--hooks", await HooksAsync()] }, workers: 2);
            Http = new HttpClient { BaseAddress = new Uri(Cluster.Address) };
        }
    }

    private async Task<string> HooksAsync()
    {
        Told = await HookReceiver.StartAsync();
        var secret = Path.Combine(Folder, "hook.secret");
        await File.WriteAllTextAsync(secret, $"whsec_{Convert.ToBase64String(new byte[32])}");
        var file = Path.Combine(Folder, "hooks.yaml");
        await File.WriteAllTextAsync(
            file,
            $$"""
            hooks:
              - { name: deploy, kind: webhook, url: {{Told.Address}}, secretFile: {{secret}} }
              - { name: bus, kind: rabbitmq }
            """);
        return file;
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        if (Cluster is not null)
        {
            await Cluster.DisposeAsync();
        }

        if (Told is not null)
        {
            await Told.DisposeAsync();
        }

        await Fixture.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }
}

/// <summary>From a deletion request to a certificate, with real processes.</summary>
public sealed partial class DeletionServiceTests(TinyWorld world, DeletionCluster service) : IClassFixture<DeletionCluster>
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    [Fact]
    public async Task Request_becomesARunAVersionAndACertificate_andTheNextGoesOnFromThere()
    {
        var name = Skippable("twice");
        await RegisterAsync(name);
        string[] first = [Id(3), Id(1), Id(2)];
        string[] second = [Id(5), Id(2), "nobody", Id(4), Id(5)];

        var accepted = await SubmitAsync(name, "first", first);
        Assert.Equal(3, accepted["resolved"]!.GetValue<int>());
        Assert.Equal("completed", await EndAsync(accepted["status"]!.GetValue<string>()));

        accepted = await SubmitAsync(name, "second", second);
        Assert.Equal(["nobody"], Names(accepted, "unknown"));
        Assert.Equal([Id(5)], Names(accepted, "duplicates"));
        Assert.Equal([Id(2)], Names(accepted, "alreadyForgotten"));
        Assert.Equal("completed", await EndAsync(accepted["status"]!.GetValue<string>()));

        // The bytes that the command line gives: the second starts from the first's result and trains on none of its ids.
        var versions = Path.Combine(service.Folder, name);
        var expected = await LocalAsync(world.ModelPath, Sorted(first), []);
        Assert.Equal("v0002", new FileInfo(Path.Combine(versions, "current")).LinkTarget);
        var next = await LocalAsync(Path.Combine(expected, "model.safetensors"), Sorted([Id(4), Id(5)]), Sorted(first));
        Assert.Equal(Digest(Path.Combine(next, "model.safetensors")), Digest(Path.Combine(versions, "v0002", "model.safetensors")));

        // What knew the samples is gone, and both certificates hold.
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(versions, "work")));
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(versions, "quarantine")));
        Assert.Empty(Directory.GetFiles(Path.Combine(versions, "v0000")));
        Assert.False(File.Exists(Path.Combine(versions, "v0001", "model.safetensors")));
        await VerifyAsync(Path.Combine(versions, "v0001"), null, Sorted(first));
        await VerifyAsync(Path.Combine(versions, "v0002"), Path.Combine(versions, "v0001"), Sorted([Id(4), Id(5)]), "--model", Path.Combine(versions, "v0002", "model.safetensors"));

        foreach (var sample in (int[])[1, 2, 3, 4, 5])
        {
            AssertNoTraceOf(sample, name);
        }

        // Each version was told of once, with the certificate that lies beside it.
        var told = await service.Told!.UntilAsync(all => all.Count(r => Told(r, name)) >= 2, Limit, Ct);
        var data = told.Where(r => Told(r, name)).Select(static r => JsonNode.Parse(r.Body)!["data"]!).ToArray();
        Assert.Equal([1, 2], data.Select(static d => (int)d["version"]!));
        Assert.Equal([1, 2], data.Select(static d => (int)d["batch"]!));
        Assert.Equal(Digest(Path.Combine(versions, "v0002", "model.safetensors")), (string?)data[1]["sha256"]);
        Assert.Equal(Digest(Path.Combine(versions, "v0002", "certificate.dsse.json")), (string?)data[1]["certificateSha256"]);
        Assert.DoesNotContain(told, r => r.Body.Contains(Id(3), StringComparison.Ordinal));

        // The audit tells all of it, in rows that follow each other.
        var rows = await service.Http.GetFromJsonAsync<List<AuditEntry>>("v1/audit?limit=500", DeletionJson.Options, Ct);
        Assert.Null(AuditChain.Fault(rows!));
        Assert.Contains(rows!, static row => row.Kind == "batch.destroyed");
        Assert.DoesNotContain(rows!, row => row.Body.Contains(Id(3), StringComparison.Ordinal));
    }

    /// <summary>
    /// Batches of a run are its inputs' alone, and the certificate holds a digest of these: so the batches cut here again are the
    /// ones it took. Data that never held the first request's rows give the same bytes.
    /// </summary>
    [Fact]
    public async Task Request_secondOnAModel_noBatchHoldsWhatTheFirstForgotAndTheVerdictSaysHowWellItIsKnown()
    {
        var name = Skippable("successive");
        await RegisterAsync(name, keepVersions: 1);
        int[] firstSamples = [40, 41, 42, 43, 44, 45, 46];
        string[] first = Sorted([.. firstSamples.Select(Id)]);
        string[] second = Sorted([Id(50), Id(51), Id(52)]);
        Assert.Equal("completed", await EndAsync((await SubmitAsync(name, "first", first))["status"]!.GetValue<string>()));
        Assert.Equal("completed", await EndAsync((await SubmitAsync(name, "second", second))["status"]!.GetValue<string>()));
        var versions = Path.Combine(service.Folder, name);
        var before = Path.Combine(versions, "v0001", "model.safetensors");
        var published = Path.Combine(versions, "v0002", "model.safetensors");
        var predicate = Certificate.Read(Path.Combine(versions, "v0002", "certificate.dsse.json")).Statement.Predicate;

        var (list, earlier) = (world.NewPath("second.txt"), world.NewPath("first.txt"));
        await File.WriteAllLinesAsync(list, second, Ct);
        await File.WriteAllLinesAsync(earlier, first, Ct);
        var configuration = ConfigurationJson.Parse(predicate.Configuration.Json, "the certificate");
        configuration = configuration with { Data = configuration.Data with { Cache = "none" } };
        using (var inputs = InputLoader.Load(new InputNames(before, null, world.TrainPath, world.TestPath, list, earlier, IgnoreUnknown: false), configuration, new SilentProgress(), Ct))
        {
            Assert.Equal(predicate.Data.Sha256, inputs.Train.DigestOf(inputs.Retain.Concat(inputs.Forget)));
            var steps = Enumerable.Range(0, inputs.Schedule.Epochs).SelectMany(epoch => inputs.Schedule.Steps(epoch)).SelectMany(static step => step.Slices).ToArray();
            string[] retain = [.. steps.SelectMany(static slice => slice.Retain.ToArray()).Select(inputs.Train.Id)];
            Assert.Equal(configuration.Repair.Epochs * (TinyFiles.TrainSamples - first.Length - second.Length), retain.Length);
            Assert.Empty(retain.Intersect(first.Concat(second)));
            Assert.Equal(second, Sorted([.. steps.SelectMany(static slice => slice.Forget.ToArray()).Select(inputs.Train.Id).Distinct()]));
        }

        Assert.Equal(first.Length, predicate.Data.ForgottenEarlier);
        var without = Path.Combine(Directory.CreateDirectory(world.NewPath("without")).FullName, "train-0.tar");
        WriteWithout(without, firstSamples);
        var local = world.NewPath("local");
        var result = await CliProcess.RunAsync(["run", "--model", before, "--data", without, "--test-data", world.TestPath, "--forget", list, "--out", local, .. world.Settings()]);
        Assert.True(result.ExitCode == 0, result.Describe());
        Assert.Equal(Digest(Path.Combine(local, "model.safetensors")), Digest(published));

        // What the first asked for is measured again, and judged by the bounds of the second's own.
        var batch = await service.Http.GetFromJsonAsync<DeletionBatch>($"v1/models/{name}/batches/2", DeletionJson.Options, Ct);
        var checks = Assert.Single(batch!.Attempts).Verdict!.Checks;
        var (asked, again) = (checks.Single(static c => c.Name == "forgetAccuracy"), checks.Single(static c => c.Name == "earlierAccuracy"));
        Assert.Equal(first.Length, again.Count);
        Assert.Equal((asked.Min, asked.Max, GateOutcome.Pass), (again.Min, again.Max, again.Outcome));
        Assert.Equal(predicate.Evaluation.EarlierAccuracy!.Value, again.Value, 1e-6);
    }

    /// <summary>
    /// The pipeline erases rows as soon as their requests are accepted: those of the batch, of one that is held and of one that
    /// waits for the next. The answer is the one with all rows in place, and afterwards no byte of them is anywhere.
    /// </summary>
    [Fact]
    public async Task Request_rowsErasedOnceItIsAccepted_isCompletedWithTheSameBytesAndNothingIsLeft()
    {
        var name = Skippable("erased");
        var data = Path.Combine(Directory.CreateDirectory(Path.Combine(service.Folder, "erased-data")).FullName, "train-0.tar");
        File.Copy(world.TrainPath, data);
        await RegisterAsync(name, maxWait: "10.00:00:00", data: data);
        int[] samples = [11, 12, 13];
        var first = (await SubmitAsync(name, "first", [Id(11), Id(12)]))["status"]!.GetValue<string>();
        var second = (await SubmitAsync(name, "second", [Id(13)]))["status"]!.GetValue<string>();
        var held = (await SubmitAsync(name, "held", [Id(14), Id(13)], legalHold: true))["status"]!.GetValue<string>();
        Assert.Equal("accepted", await LeaveAsync(first, "received"));
        Assert.Equal("accepted", await LeaveAsync(second, "received"));
        Assert.Equal("onHold", await LeaveAsync(held, "received"));
        WriteWithout(data, 11, 12, 13, 14);

        // What names a sample whose row is gone already is as good as the first.
        var third = await SubmitAsync(name, "third", [Id(12)]);
        Assert.Equal(1, third["resolved"]!.GetValue<int>());
        Assert.Equal("accepted", await LeaveAsync(third["status"]!.GetValue<string>(), "received"));
        await RegisterAsync(name, data: data);
        Assert.Equal("completed", await EndAsync(first));
        Assert.Equal("completed", await EndAsync(second));
        Assert.Equal("completed", await EndAsync(third["status"]!.GetValue<string>()));

        var versions = Path.Combine(service.Folder, name);
        var withheld = world.NewPath("withheld.txt");
        await File.WriteAllLinesAsync(withheld, [Id(14)], Ct);
        var expected = await LocalAsync(world.ModelPath, Sorted([.. samples.Select(Id)]), [], "--withheld", withheld);
        Assert.Equal(Digest(Path.Combine(expected, "model.safetensors")), Digest(Path.Combine(versions, "v0001", "model.safetensors")));
        Assert.Equal(Digest(Path.Combine(expected, "mask.safetensors")), Digest(Path.Combine(versions, "v0001", "mask.safetensors")));
        await VerifyAsync(Path.Combine(versions, "v0001"), null, Sorted([.. samples.Select(Id)]));
        await RerunAsync(versions, Sorted([.. samples.Select(Id)]));

        // Evidence is kept, and the certificate says so, until the hold is lifted and its request has ended.
        var custody = Custody(Path.Combine(versions, "v0001"));
        Assert.Contains(custody, static c => c is { State: "destroyed", Item: "quarantine: the copies of the samples of 3 requests" });
        Assert.Contains(custody, static c => c.State == "kept" && c.Item.StartsWith("quarantine: ", StringComparison.Ordinal));
        Assert.Single(Directory.GetFileSystemEntries(Path.Combine(versions, "quarantine")));
        AssertNoTraceOf(11, name);
        AssertNoTraceOf(12, name);

        Assert.Equal("accepted", await ActAsync(held, "release"));
        Assert.Equal("completed", await EndAsync(held));
        Assert.DoesNotContain(Custody(Path.Combine(versions, "v0002")), static c => c.State == "kept" && c.Item.StartsWith("quarantine: ", StringComparison.Ordinal));
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(versions, "quarantine")));
        AssertNoTraceOf(13, name);
        AssertNoTraceOf(14, name);
        Directory.Delete(Path.GetDirectoryName(data)!, recursive: true);
    }

    /// <summary>What is known again, and gone from the data, cannot be forgotten again: that is said, and passes when the rows are given back.</summary>
    [Fact]
    public async Task RollBack_reopened_isCopiedAgainAndFailsWhereRowsAreGone()
    {
        var name = Skippable("reopened");
        var data = Path.Combine(Directory.CreateDirectory(Path.Combine(service.Folder, "reopened-data")).FullName, "train-0.tar");
        File.Copy(world.TrainPath, data);
        await RegisterAsync(name, data: data, keepVersions: 1);
        var status = (await SubmitAsync(name, "first", [Id(51), Id(52)]))["status"]!.GetValue<string>();
        Assert.Equal("completed", await EndAsync(status));
        WriteWithout(data, 51);

        var refused = await service.Http.PostAsJsonAsync($"v1/models/{name}/rollback", new { version = 0 }, Ct);
        Assert.Equal(HttpStatusCode.Conflict, refused.StatusCode);
        var back = await service.Http.PostAsJsonAsync($"v1/models/{name}/rollback", new { version = 0, reopen = true }, Ct);
        Assert.True(back.IsSuccessStatusCode, await back.Content.ReadAsStringAsync(Ct));
        Assert.Equal("failed", await EndAsync(status, "completed"));
        var view = (await service.Http.GetFromJsonAsync<JsonObject>(status, Ct))!;
        Assert.StartsWith("1 of its 2 samples are no longer in the data", view["reason"]!.GetValue<string>(), StringComparison.Ordinal);

        File.Copy(world.TrainPath, data, overwrite: true);
        Assert.Equal("received", await ActAsync(status, "retry"));
        Assert.Equal("completed", await EndAsync(status));
        Assert.Equal("v0002", new FileInfo(Path.Combine(service.Folder, name, "current")).LinkTarget);
        Directory.Delete(Path.GetDirectoryName(data)!, recursive: true);
        AssertNoTraceOf(51, name);
    }

    /// <summary>Who named what another's batch had forgotten is as much in need of it again as the other.</summary>
    [Fact]
    public async Task RollBack_reopened_opensThoseThatHadNothingLeftToForget()
    {
        var name = Skippable("needless");
        await RegisterAsync(name, keepVersions: 2);
        var first = (await SubmitAsync(name, "first", [Id(54)]))["status"]!.GetValue<string>();
        Assert.Equal("completed", await EndAsync(first));
        var partly = (await SubmitAsync(name, "partly", [Id(54), Id(55)]))["status"]!.GetValue<string>();
        Assert.Equal("completed", await EndAsync(partly));
        var answer = await SubmitAsync(name, "needless", [Id(54)]);
        Assert.Equal((0, "all that it names was forgotten before: it is rejected once its model has looked again"), (answer["resolved"]!.GetValue<int>(), answer["reason"]!.GetValue<string>()));
        var needless = answer["status"]!.GetValue<string>();
        Assert.Equal("rejected", await EndAsync(needless));

        // What is held is evidence all the same, as long as the data have it.
        answer = await SubmitAsync(name, "held", [Id(54)], legalHold: true);
        Assert.Equal(1, answer["resolved"]!.GetValue<int>());
        var held = answer["status"]!.GetValue<string>();
        Assert.Equal("onHold", await LeaveAsync(held, "received"));

        var back = await service.Http.PostAsJsonAsync($"v1/models/{name}/rollback", new { version = 0, reopen = true }, Ct);
        Assert.True(back.IsSuccessStatusCode, await back.Content.ReadAsStringAsync(Ct));
        foreach (var status in (string[])[first, partly, needless])
        {
            Assert.Equal("completed", await EndAsync(status));
        }

        Assert.Equal("onHold", await LeaveAsync(held, "received"));
    }

    /// <summary>The coordinator is killed while it copies: what was received is copied and accepted when it is back, each sample whole.</summary>
    [Fact]
    public async Task Coordinator_killedWhileItCopies_losesNoRequestAndNoSample()
    {
        var name = Skippable("killed");
        await RegisterAsync(name, maxWait: "10.00:00:00");
        var quarantine = Path.Combine(service.Folder, name, "quarantine");
        Directory.CreateDirectory(quarantine);
        using var watcher = new FileSystemWatcher(quarantine);
        var copying = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        watcher.Renamed += (_, _) => copying.TrySetResult();
        watcher.EnableRaisingEvents = true;
        var accepted = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => SubmitAsync(name, $"k{i}", [Id(20 + (i % 30)), Id(21 + (i % 30))])));
        await copying.Task.WaitAsync(Limit, Ct);
        service.Cluster!.Coordinator.Signal("KILL");
        await service.Cluster.Coordinator.Exited.WaitAsync(Ct);
        await service.Cluster.StartCoordinatorAsync();

        foreach (var request in accepted)
        {
            Assert.Equal("accepted", await LeaveAsync(request["status"]!.GetValue<string>(), "received"));
            var i = int.Parse(request["requestId"]!.GetValue<string>()[1..], CultureInfo.InvariantCulture);
            Assert.True(SampleCopies.Holds(Path.Combine(quarantine, $"{request["id"]!.GetValue<string>()}.tar"), [Id(20 + (i % 30)), Id(21 + (i % 30))], Ct));
        }

        // Only their names are those of requests, and only the service reads them.
        Assert.Equal(accepted.Select(static r => $"{r["id"]}.tar").Order(StringComparer.Ordinal), Directory.GetFiles(quarantine).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.All(new DirectoryInfo(quarantine).GetFiles(), static file => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, file.UnixFileMode));
        await RegisterAsync(name);
        foreach (var request in accepted)
        {
            Assert.Equal("completed", await EndAsync(request["status"]!.GetValue<string>()));
        }

        Assert.Empty(Directory.GetFileSystemEntries(quarantine));
    }

    [Fact]
    public async Task Request_sameAgain_firstAnswer_sameIdWithAnotherBody_conflict()
    {
        var name = Skippable("again");
        await RegisterAsync(name, maxWait: "10.00:00:00");
        var first = await SubmitAsync(name, "r", [Id(1), Id(2)]);
        var again = await SubmitAsync(name, "r", [Id(1), Id(2)]);

        // As far as it went on meanwhile its state is another one.
        Assert.True(first.Remove("state") && again.Remove("state"));
        Assert.Equal(first.ToJsonString(), again.ToJsonString());
        var other = await PostAsync(name, "r", [Id(1)]);
        Assert.Equal(HttpStatusCode.Conflict, other.StatusCode);
        Assert.Contains("requestId", await other.Content.ReadAsStringAsync(Ct), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Request_heldReleasedAndCancelled_waitsMeanwhileAndIsWithdrawn()
    {
        var name = Skippable("held");
        await RegisterAsync(name, maxWait: "10.00:00:00");
        var status = (await SubmitAsync(name, "h", [Id(1), Id(2)]))["status"]!.GetValue<string>();

        Assert.Equal("accepted", await LeaveAsync(status, "received"));
        Assert.Equal("onHold", await ActAsync(status, "hold"));
        Assert.Equal("accepted", await ActAsync(status, "release"));
        Assert.Equal("cancelled", await ActAsync(status, "cancel"));
        Assert.Equal(HttpStatusCode.Conflict, (await service.Http.PostAsync($"{status}/release", JsonContent.Create(new { }), Ct)).StatusCode);
    }

    [Fact]
    public async Task Gate_resultBeyondItsBounds_isNotPublishedAndTheRequestStaysOpen()
    {
        var name = Skippable("gated");
        await RegisterAsync(name, gate: new JsonObject { ["minForgetSamples"] = 1, ["minRetainAccuracy"] = 100 });
        var status = (await SubmitAsync(name, "g", [Id(1), Id(2)]))["status"]!.GetValue<string>();

        Assert.Equal("failed", await EndAsync(status));
        var view = await service.Http.GetFromJsonAsync<JsonObject>(status, Ct);
        Assert.Contains("retainAccuracy", view!["reason"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Null(view["retryAt"]);
        Assert.Equal("v0000", new FileInfo(Path.Combine(service.Folder, name, "current")).LinkTarget);
        var told = (await service.Told!.UntilAsync(all => all.Any(r => Told(r, name)), Limit, Ct)).First(r => Told(r, name));
        Assert.Equal("dev.scissorhands.batch.failed", (string?)JsonNode.Parse(told.Body)!["type"]);
        var batch = await service.Http.GetFromJsonAsync<JsonObject>($"v1/models/{name}/batches/1", Ct);
        Assert.Equal(2, batch!["attempts"]!.AsArray().Count);
    }

    /// <summary>What only the run's workers find out is told to whoever asks after the request, with what to do; that done, it goes on.</summary>
    [Fact]
    public async Task Run_configurationThatDoesNotFitTheModel_isToldWithTheRequestAndMended()
    {
        var name = Skippable("unfit");
        await RegisterAsync(name, scope: "*layer9*");
        var answer = await SubmitAsync(name, "u", [Id(1), Id(2)]);
        Assert.Null(answer["acceptedAt"]);
        var status = answer["status"]!.GetValue<string>();
        var id = answer["id"]!.GetValue<string>();
        Assert.Equal("failed", await EndAsync(status));

        var shown = await CommandAsync("requests", id);
        Assert.Contains(shown.Output, static line => line.Contains("(run ", StringComparison.Ordinal) && line.Contains("configuration key 'trim.scope' does not fit the model", StringComparison.Ordinal));
        Assert.Contains(shown.Output, static line => line.StartsWith("  run ", StringComparison.Ordinal) && line.Contains("'*layer9*' matches no parameter of the model", StringComparison.Ordinal));
        Assert.Contains($"  It is not tried again by itself. Once the cause is removed: scissorhands requests retry {id}", shown.Output);

        await RegisterAsync(name);
        Assert.Equal(0, (await CommandAsync("requests", "retry", id)).ExitCode);
        Assert.Equal("completed", await EndAsync(status, "failed"));
        Assert.NotNull((await service.Http.GetFromJsonAsync<JsonObject>(status, Ct))!["acceptedAt"]);

        // Nothing is left to forget: who hands it in again under another id learns that at once, also by the exit code.
        var again = await CommandAsync("requests", "submit", "--request-id", "again", "--model", name, "--id", Id(1));
        Assert.Equal(1, again.ExitCode);
        Assert.Contains(again.Output, static line => line.Contains("  rejected ", StringComparison.Ordinal));
    }

    /// <summary>A producer in Python: plain JSON, both modes of CloudEvents, and messages that are no requests.</summary>
    [Fact]
    public async Task Queue_producerInPython_answersAndBuries()
    {
        var name = Skippable("queued");
        await RegisterAsync(name, maxWait: "10.00:00:00");
        var answers = await PythonProgram.RunAsync(
            "json, pika, sys",
            """
            address, model, ids = sys.argv[1], sys.argv[2], sys.argv[3].split(",")
            connection = pika.BlockingConnection(pika.URLParameters(address))
            channel = connection.channel()
            channel.confirm_delivery()
            replies = channel.queue_declare("", exclusive=True).method.queue
            data = {"model": model, "ids": ids[:1]}
            event = {"specversion": "1.0", "type": "dev.scissorhands.deletion-request", "source": "/dsar", "id": "7"}
            plain, user = "application/json", "pipeline"
            messages = [
                (plain, user, {}, dict(data, requestId="q1")),
                ("application/cloudevents+json", user, {}, dict(event, data=data)),
                (plain, user, {"cloudEvents:" + k: v for k, v in event.items()}, data),
                (plain, user, {"cloudEvents_" + k: v for k, v in dict(event, id="8").items()}, dict(data, ids=ids)),
                (plain, user, {}, dict(data, requestId="q1", ids=ids)),
                (plain, None, {}, dict(data, requestId="q2")),
                (plain, user, {}, {"requestId": "q3", "model": "none", "ids": ids}),
                ("text/plain", user, {}, "hello"),
            ]
            for number, (kind, who, headers, body) in enumerate(messages):
                channel.basic_publish("scissorhands.deletion-requests", "", json.dumps(body), pika.BasicProperties(
                    content_type=kind, user_id=who, headers=headers, reply_to=replies, correlation_id=str(number), delivery_mode=2), mandatory=True)
            got = {}
            for method, properties, body in channel.consume(replies, auto_ack=True, inactivity_timeout=60):
                if method is None:
                    break
                got[int(properties.correlation_id)] = json.loads(body)
                if len(got) == len(messages):
                    break
            channel.cancel()
            reasons = {}
            for method, properties, body in channel.consume("scissorhands.deletion-requests.dead", auto_ack=True, inactivity_timeout=10):
                if method is None:
                    break
                reasons[int(properties.correlation_id)] = properties.headers["x-scissorhands-reason"]
                if len(reasons) == 4:
                    break
            print(json.dumps({"answers": [got.get(i) for i in range(len(messages))], "reasons": reasons}))
            """,
            Ct,
            service.Intake!.ToString(),
            name,
            $"{Id(1)},{Id(2)}");
        Assert.SkipWhen(answers is null, "python3-pika is not installed");
        var result = JsonNode.Parse(answers)!;
        var got = result["answers"]!.AsArray();

        // The same event in both modes is the same request.
        Assert.All(got.Take(4), static a => Assert.Contains(a!["state"]!.GetValue<string>(), (string[])["received", "accepted"]));
        Assert.Equal(got[1]!["id"]!.GetValue<string>(), got[2]!["id"]!.GetValue<string>());
        Assert.Equal(2, got[3]!["resolved"]!.GetValue<int>());
        Assert.Equal(["4", "5", "6", "7"], result["reasons"]!.AsObject().Select(static r => r.Key).Order(StringComparer.Ordinal));
        Assert.Contains("another request", result["reasons"]!["4"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Contains("user-id", result["reasons"]!["5"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Contains("is not registered", result["reasons"]!["6"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Contains("content type", got[7]!["error"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    /// <summary>A producer in JavaScript, whose messages the CloudEvents SDK makes in both modes, with whatever an event may hold.</summary>
    [Fact]
    public async Task Queue_producerWithTheSdkOfAnotherLanguage_answersAndBuries()
    {
        var name = Skippable("queued-js");
        var node = await JavaScriptPrograms.StartAsync();
        await RegisterAsync(name, maxWait: "10.00:00:00");

        var result = JsonNode.Parse(await node.RunAsync(JavaScriptPrograms.PathOf("requests.js"), Ct, null, service.Intake!.ToString(), name, Id(1)))!;

        // One event is one request, in whatever mode and form it comes.
        var answers = result["answers"]!;
        Assert.All(answers.AsObject(), static a => Assert.Equal("application/json", (string?)a.Value!["type"]));
        foreach (var form in (string[])["structured", "base64", "colon", "underscore", "bytes"])
        {
            Assert.Equal((form, null), (form, (string?)answers[form]!["error"]));
            Assert.Equal(("/pipelines/dsar 7", 1, (string?)answers["structured"]!["id"]), ((string?)answers[form]!["requestId"], (int)answers[form]!["resolved"]!, (string?)answers[form]!["id"]));
        }

        foreach (var form in (string[])["fullStructured", "fullBinary"])
        {
            var answer = answers[form]!.AsObject();
            Assert.Equal((form, null), (form, (string?)answer["error"]));
            Assert.Equal(("grüße-😀", 1, (string?)answers["fullStructured"]!["id"]), ((string?)answer["requestId"], (int)answer["resolved"]!, (string?)answer["id"]));
            Assert.Equal(["niemand-ß-😀"], Names(answer, "unknown"));
        }

        // What is no request is buried as it came, with the reason that its producer is told.
        var dead = result["dead"]!.AsObject();
        foreach (var (form, reason) in ((string, string)[])[("conflict", "another request"), ("noData", "neither data"), ("otherType", "type must be"), ("otherVersion", "specversion must be 1.0")])
        {
            Assert.Contains(reason, (string?)answers[form]!["error"], StringComparison.Ordinal);
            Assert.Equal((string?)answers[form]!["error"], (string?)dead[form]!["x-scissorhands-reason"]);
        }

        Assert.Equal(4, dead.Count);
        var kept = dead["conflict"]!;
        Assert.Equal(("Löschung №1", "3", "true"), ((string?)kept["cloudEvents:subject"], kept["cloudEvents:attempt"]?.ToJsonString(), kept["cloudEvents:urgent"]?.ToJsonString()));

        // The principal is whom the broker knows: it takes no message in another's name.
        Assert.Equal(406, (int)result["refusal"]!);
    }

    /// <summary>The documentation's producer, as it stands there, with the rights that the documentation gives it.</summary>
    [Fact]
    public async Task Queue_producerOfTheDocumentation_isAnswered()
    {
        var name = Skippable("classifier");
        var node = await JavaScriptPrograms.StartAsync();
        await RegisterAsync(name, maxWait: "10.00:00:00");
        await service.Fixture.Broker.ControlAsync("add_user", "dsar", "dsar");
        await service.Fixture.Broker.ControlAsync("set_permissions", "-p", "intake", "dsar", "^$", @"^scissorhands\.deletion-requests$", "^$");
        var text = await File.ReadAllTextAsync(Path.Combine(RepositoryFiles.Root, "docs", "deletion.md"), Ct);
        var program = Path.Combine(service.Folder, "producer.js");
        await File.WriteAllTextAsync(program, Assert.Single(JavaScriptBlock().Matches(text)).Groups[1].Value, Ct);

        var address = new UriBuilder(service.Intake!) { UserName = "dsar", Password = "dsar" }.Uri.ToString();
        var answer = JsonNode.Parse(await node.RunAsync(program, Ct, new Dictionary<string, string> { ["SCISSORHANDS_INTAKE"] = address }))!;

        Assert.Equal((name, "/pipelines/dsar 19", 1), ((string?)answer["model"], (string?)answer["requestId"], (int)answer["resolved"]!));
    }

    /// <summary>
    /// Neither the image as it came nor its decoded pixels, in whatever file of the service: versions, work, quarantine, caches. Only
    /// requests to other models, which are open, may have copies of the same sample.
    /// </summary>
    private void AssertNoTraceOf(int sample, string model)
    {
        var pixels = TinyData.Pixels(sample, sample % TinyFiles.Classes, TinyFiles.Size);
        var channels = Enumerable.Range(0, 3).SelectMany(channel => pixels.Where((_, at) => at % 3 == channel)).ToArray();
        var image = TinyData.Png(pixels, TinyFiles.Size);
        Assert.True(File.ReadAllBytes(world.TrainPath).AsSpan().IndexOf(image) >= 0, "The search finds what is there.");
        var own = Path.Combine(service.Folder, model);
        foreach (var file in Directory.EnumerateFiles(service.Folder, "*", SearchOption.AllDirectories))
        {
            if (Path.GetFileName(Path.GetDirectoryName(file)) == "quarantine" && !file.StartsWith(own + "/", StringComparison.Ordinal))
            {
                continue;
            }

            var bytes = File.ReadAllBytes(file).AsSpan();
            Assert.True(bytes.IndexOf(image) < 0 && bytes.IndexOf(pixels) < 0 && bytes.IndexOf(channels) < 0, $"{file} still holds a forgotten image.");
        }
    }

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static string Id(int sample) => TinyData.Id("train", sample);

    private static string[] Sorted(string[] ids) => [.. ids.Order(StringComparer.Ordinal)];

    private static string[] Names(JsonObject answer, string key) => [.. answer[key]!.AsArray().Select(static n => n!.GetValue<string>())];

    private static string Digest(string path) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)));

    private static bool Told(Received received, string model) => (string?)JsonNode.Parse(received.Body)!["subject"] == model;

    private string Skippable(string name)
    {
        Assert.SkipWhen(service.Cluster is null, service.Fixture.Broker.Missing ?? "");
        return name;
    }

    private Task RegisterAsync(string name, string maxWait = "00:00:00", JsonObject? gate = null, string? data = null, int keepVersions = 0, string? scope = null) =>
        TinyRegistration.RegisterAsync(service.Http, world.Files, name, Path.Combine(service.Folder, name), Ct, maxWait, gate, data, keepVersions, scope);

    private Task<HttpResponseMessage> PostAsync(string model, string requestId, string[] ids, bool legalHold = false) =>
        service.Http.PostAsJsonAsync("v1/deletion-requests", new { requestId, model, ids, legalHold }, Ct);

    private async Task<JsonObject> SubmitAsync(string model, string requestId, string[] ids, bool legalHold = false)
    {
        var response = await PostAsync(model, requestId, ids, legalHold);
        Assert.True(response.StatusCode == HttpStatusCode.Accepted, await response.Content.ReadAsStringAsync(Ct));
        return (await response.Content.ReadFromJsonAsync<JsonObject>(Ct))!;
    }

    private Task<CliResult> CommandAsync(params string[] arguments) => CliProcess.RunAsync([.. arguments, "--coordinator", service.Cluster!.Address]);

    private async Task<string> ActAsync(string status, string action)
    {
        var response = await service.Http.PostAsync($"{status}/{action}", JsonContent.Create(new { }), Ct);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync(Ct));
        return (await response.Content.ReadFromJsonAsync<JsonObject>(Ct))!["state"]!.GetValue<string>();
    }

    /// <summary>Follows a request until it has ended or failed, up to a limit.</summary>
    private Task<string> EndAsync(string status, string? former = null) =>
        service.Http.UntilAsync(status, state => state != former && state is ("completed" or "failed" or "rejected" or "cancelled"), service.Cluster!);

    /// <summary>Follows a request until it is in another state, up to a limit.</summary>
    private Task<string> LeaveAsync(string status, string former) => service.Http.UntilAsync(status, state => state != former, service.Cluster!);

    private static (string Item, string State)[] Custody(string version)
    {
        var envelope = JsonNode.Parse(File.ReadAllText(Path.Combine(version, "certificate.dsse.json")))!;
        var statement = JsonNode.Parse(Convert.FromBase64String(envelope["payload"]!.GetValue<string>()))!;
        return [.. statement["predicate"]!["custody"]!.AsArray().Select(static c => (c!["item"]!.GetValue<string>(), c["state"]!.GetValue<string>()))];
    }

    /// <summary>As a pipeline erases rows: another file takes the shard's place.</summary>
    private static void WriteWithout(string path, params int[] samples)
    {
        TinyData.WriteShard(path + ".new", Enumerable.Range(0, TinyFiles.TrainSamples).Except(samples)
            .Select(static i => (Id(i), TinyData.Png(TinyData.Pixels(i, i % TinyFiles.Classes, TinyFiles.Size), TinyFiles.Size), i % TinyFiles.Classes)));
        File.Move(path + ".new", path, overwrite: true);
    }

    /// <summary>Somebody who has the data as it was runs the certified once more.</summary>
    private async Task RerunAsync(string versions, string[] ids)
    {
        var list = world.NewPath("rerun.txt");
        await File.WriteAllLinesAsync(list, ids, Ct);
        var version = Path.Combine(versions, "v0001");
        var result = await CliProcess.RunAsync(
        [
            "verify", Path.Combine(version, "certificate.dsse.json"), "--rerun", "--model-before", world.ModelPath, "--data", world.TrainPath, "--test-data", world.TestPath,
            "--forget", list, "--withheld", Path.Combine(version, "withheld.jsonl"), "--cache", "none",
        ]);
        Assert.True(result.ExitCode == 0, string.Join('\n', result.Output) + result.Describe());
    }

    private async Task<string> LocalAsync(string model, string[] forget, string[] forgotten, params string[] more)
    {
        var output = world.NewPath("local");
        var (list, earlier) = (world.NewPath("forget.txt"), world.NewPath("forgotten.txt"));
        await File.WriteAllLinesAsync(list, forget, Ct);
        await File.WriteAllLinesAsync(earlier, forgotten, Ct);
        var result = await CliProcess.RunAsync(
        [
            "run", "--model", model, "--data", world.TrainPath, "--test-data", world.TestPath, "--forget", list,
            .. forgotten.Length > 0 ? (string[])["--forgotten", earlier] : [],
            "--out", output, .. more, .. world.Settings(),
        ]);
        Assert.True(result.ExitCode == 0, result.Describe());
        return output;
    }

    private async Task VerifyAsync(string version, string? earlier, string[] ids, params string[] more)
    {
        var list = world.NewPath("ids.txt");
        await File.WriteAllLinesAsync(list, ids, Ct);
        var result = await CliProcess.RunAsync(
        [
            "verify", Path.Combine(version, "certificate.dsse.json"), "--ids", list, "--proofs", Path.Combine(version, "openings.jsonl"),
            .. earlier is null ? (string[])[] : ["--earlier", Path.Combine(earlier, "certificate.dsse.json")], .. more,
        ]);
        Assert.True(result.ExitCode == 0, string.Join('\n', result.Output) + result.Describe());
    }

    private sealed class SilentProgress : IInputProgress
    {
        public void Data(string source, DataProgress progress)
        {
        }

        public void Say(string line)
        {
        }
    }

    [GeneratedRegex("```js\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex JavaScriptBlock();
}
