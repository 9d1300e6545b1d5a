using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using RabbitMQ.Client;
using Scissorhands.Cli.Tests.Cluster;
using Scissorhands.Cli.Tests.Runs;
using Scissorhands.Coordinator.Hooks;
using Scissorhands.Deletion.Batching;
using Scissorhands.Deletion.Models;
using Scissorhands.Grains.Cluster;
using Scissorhands.Grains.Deletion;
using Scissorhands.Grains.Store;
using Scissorhands.Messaging.Control;
using Scissorhands.Testing;

namespace Scissorhands.Cli.Tests.Hooks;

/// <summary>Events from the store's outbox to receivers that fail, are away, or take the same again.</summary>
public sealed class HookDeliveryTests(BrokerFixture fixture) : IAsyncLifetime, IClassFixture<BrokerFixture>
{
    private static readonly DateTimeOffset Start = new(2026, 3, 4, 5, 6, 7, TimeSpan.Zero);
    private readonly string _folder = Directory.CreateTempSubdirectory("scissorhands-hooks-").FullName;
    private readonly FakeTimeProvider _time = new(Start);
    private readonly byte[] _secret = RandomNumberGenerator.GetBytes(32);
    private ServiceProvider _provider = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private IDeletionStore Store => _provider.GetRequiredService<IDeletionStore>();

    public ValueTask InitializeAsync()
    {
        _provider = new ServiceCollection().AddSingleton<TimeProvider>(_time).AddRunStore(StoreOptions.Parse($"sqlite:{Path.Combine(_folder, "store.db")}")).BuildServiceProvider();
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _provider.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Webhook_failsFirst_isTriedAgainLaterWithTheSameIdSignedAnew()
    {
        var answers = new Queue<int>([500, 429, 204]);
        await using var receiver = await HookReceiver.StartAsync(_ => (answers.Dequeue(), ""));
        await using var hook = Webhook(receiver.Address);
        var served = Serve(hook);
        var delivery = Delivery(served);
        await PublishAsync("m", 1);

        Assert.Equal(1, await delivery.DeliverAsync(served, Ct));
        Assert.Equal(0, await delivery.DeliverAsync(served, Ct));
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(1, await delivery.DeliverAsync(served, Ct));
        _time.Advance(TimeSpan.FromSeconds(9));
        Assert.Equal(0, await delivery.DeliverAsync(served, Ct));
        _time.Advance(TimeSpan.FromSeconds(11));
        Assert.Equal(1, await delivery.DeliverAsync(served, Ct));

        Assert.Empty(await _provider.GetRequiredService<IOutbox>().WaitingAsync(Ct));
        Assert.Single(receiver.Requests.Select(static r => r.Headers["webhook-id"]).Distinct());
        Assert.Equal(3, receiver.Requests.Select(static r => r.Headers["webhook-signature"]).Distinct().Count());
        Assert.All(receiver.Requests, static r => Assert.Equal(("POST", "/hook", "application/cloudevents+json"), (r.Method, r.Target, r.Headers["Content-Type"])));
        Assert.Null(Refusal(receiver.Requests[^1]));
        Assert.Equal("m", (string?)JsonNode.Parse(receiver.Requests[^1].Body)!["data"]!["model"]);
    }

    [Fact]
    public async Task Webhook_whatWasRecorded_isRefusedByTimeOrSignatureWhenSentAgain()
    {
        await using var receiver = await HookReceiver.StartAsync();
        await using var hook = Webhook(receiver.Address);
        var served = Serve(hook);
        await PublishAsync("m", 1);
        await Delivery(served).DeliverAsync(served, Ct);
        var recorded = Assert.Single(receiver.Requests);
        Assert.Null(Refusal(recorded));

        _time.Advance(TimeSpan.FromMinutes(6));
        Assert.Equal("too old", Refusal(recorded));
        var now = _time.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        Assert.Equal("signature", Refusal(recorded with { Headers = new Dictionary<string, string>(recorded.Headers) { ["webhook-timestamp"] = now } }));
    }

    [Fact]
    public async Task Hook_refusesOneMessage_othersAreDeliveredMeanwhile()
    {
        await using var receiver = await HookReceiver.StartAsync(static r => (r.Body.Contains("\"bad\"", StringComparison.Ordinal) ? 500 : 204, ""));
        await using var hook = Webhook(receiver.Address);
        var served = Serve(hook);
        await PublishAsync("bad", 1);
        await PublishAsync("good", 1);

        await Delivery(served).DeliverAsync(served, Ct);

        Assert.Equal(["bad", "good"], receiver.Requests.Select(static r => (string?)JsonNode.Parse(r.Body)!["subject"]));
        Assert.Equal(1, (await _provider.GetRequiredService<IOutbox>().WaitingAsync(Ct))["hook:h"]);
    }

    [Fact]
    public async Task Hook_deliveredButNotMarked_isDeliveredAgainWithTheSameId()
    {
        await using var receiver = await HookReceiver.StartAsync();
        await using var hook = Webhook(receiver.Address);
        var served = Serve(hook);
        await PublishAsync("m", 1);
        await Assert.ThrowsAsync<IOException>(() => new HookDelivery([served], new ForgetfulOutbox(_provider.GetRequiredService<IOutbox>()), _time, new LivenessOptions(), NullLogger<HookDelivery>.Instance).DeliverAsync(served, Ct));

        // Another coordinator, once the lease is over.
        Assert.Equal(0, await Delivery(served).DeliverAsync(served, Ct));
        _time.Advance(TimeSpan.FromMinutes(5));
        Assert.Equal(1, await Delivery(served).DeliverAsync(served, Ct));
        Assert.Equal(2, receiver.Requests.Count);
        Assert.Single(receiver.Requests.Select(static r => r.Headers["webhook-id"]).Distinct());
    }

    [Fact]
    public async Task Webhook_redirects_isNotFollowed()
    {
        await using var receiver = await HookReceiver.StartAsync(static _ => (307, ""));
        await using var hook = Webhook(receiver.Address);
        var served = Serve(hook);
        await PublishAsync("m", 1);

        await Delivery(served).DeliverAsync(served, Ct);

        Assert.Equal(["/hook"], receiver.Requests.Select(static r => r.Target));
        Assert.Single(await _provider.GetRequiredService<IOutbox>().WaitingAsync(Ct));
    }

    /// <summary>Every call to the registry fails in turn, before or after it had its effect: there is one version and the alias points at it.</summary>
    [Fact]
    public async Task Mlflow_anyOneCallFails_entersTheVersionOnce()
    {
        await PublishAsync("m", 1);
        var told = await EventAsync();
        var calls = await EnterAsync(told, -1, after: false);
        Assert.Equal(5, calls);
        for (var fails = 0; fails < calls; fails++)
        {
            await EnterAsync(told, fails, after: false);
            await EnterAsync(told, fails, after: true);
        }
    }

    [Fact]
    public async Task Mlflow_earlierVersionComesLate_aliasStaysAtTheNewer()
    {
        var registry = new FakeRegistry();
        await using var server = await HookReceiver.StartAsync(registry.Answer);
        await using var hook = Mlflow(server.Address);
        var served = Serve(hook);
        await PublishAsync("m", 1);
        await PublishAsync("m", 2);
        var (first, second) = (await EventAsync(), await EventAsync());

        await hook.DeliverAsync(second, Ct);
        await hook.DeliverAsync(first, Ct);

        Assert.Equal(["s3://models/m/v2", "s3://models/m/v1"], registry.Versions.Select(static v => v.Source));
        Assert.Equal("1", Assert.Single(registry.Aliases).Value);
        Assert.Equal("h", served.Hook.Name);
    }

    [Fact]
    public async Task RabbitMq_brokerStartsAnew_eventsAreConfirmedAndPersistent()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        var broker = await fixture.Broker.AddVirtualHostAsync("events", "teller");
        await using var hook = new RabbitHook("h", broker);
        var served = Serve(hook);
        var delivery = Delivery(served);
        await PublishAsync("m", 1);
        await delivery.DeliverAsync(served, Ct);
        await using (var connection = await BrokerConnection.OpenAsync(broker, "test", null, Ct))
        {
            await using var channel = await connection.CreateChannelAsync(cancellationToken: Ct);
            await channel.QueueDeclareAsync("told", durable: true, exclusive: false, autoDelete: false, cancellationToken: Ct);
            await channel.QueueBindAsync("told", RabbitHook.Exchange, "dev.scissorhands.model.published.#", cancellationToken: Ct);
        }

        await PublishAsync("m.n", 2);
        await delivery.DeliverAsync(served, Ct);
        await fixture.Broker.RestartAsync();
        await PublishAsync("m", 3);
        for (var attempts = 0; (await _provider.GetRequiredService<IOutbox>().WaitingAsync(Ct)).Count > 0; attempts++)
        {
            Assert.True(attempts < 10, "it is not delivered");
            await delivery.DeliverAsync(served, Ct);
            _time.Advance(TimeSpan.FromHours(1));
        }

        // Those from after the binding: the first had no queue to go to.
        await using var after = await BrokerConnection.OpenAsync(broker, "test", null, Ct);
        await using var reading = await after.CreateChannelAsync(cancellationToken: Ct);
        foreach (var (model, version) in ((string, int)[])[("m.n", 2), ("m", 3)])
        {
            var got = await reading.BasicGetAsync("told", autoAck: true, Ct);
            Assert.NotNull(got);
            var told = JsonNode.Parse(got.Body.Span)!;
            Assert.Equal((model, version), ((string?)told["data"]!["model"], (int)told["data"]!["version"]!));
            Assert.Equal(((string?)told["id"], true, "application/cloudevents+json"), (got.BasicProperties.MessageId, got.BasicProperties.Persistent, got.BasicProperties.ContentType));
        }

        Assert.Null(await reading.BasicGetAsync("told", autoAck: true, Ct));
    }

    /// <summary>Every type of event, read and checked against the schema by the CloudEvents SDK for JavaScript.</summary>
    [Fact]
    public async Task RabbitMq_receiverWithTheSdkOfAnotherLanguage_readsEveryEvent()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        var node = await JavaScriptPrograms.StartAsync();
        var broker = await fixture.Broker.AddVirtualHostAsync("events-js", "js");
        await using var connection = await BrokerConnection.OpenAsync(broker, "test", null, Ct);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Ct);
        await channel.ExchangeDeclareAsync(RabbitHook.Exchange, ExchangeType.Topic, durable: true, autoDelete: false, cancellationToken: Ct);
        await channel.QueueDeclareAsync("told", durable: true, exclusive: false, autoDelete: false, cancellationToken: Ct);
        await channel.QueueBindAsync("told", RabbitHook.Exchange, "#", cancellationToken: Ct);

        var expected = EveryEvent("m.n_o-1");
        await using (var hook = new RabbitHook("h", broker))
        {
            foreach (var told in expected)
            {
                await hook.DeliverAsync(told, Ct);
            }
        }

        var got = JsonNode.Parse(await node.RunAsync(JavaScriptPrograms.PathOf("events.js"), Ct, null, broker.ToString(), "told"))!.AsArray();
        Assert.Equal(PublicationEvents.Types, got.Select(static g => (string?)g!["event"]!["type"]));
        foreach (var (told, read) in expected.Zip(got))
        {
            // Equal attributes, and none that the SDK made up or did not know.
            var (sent, parsed) = (JsonNode.Parse(told.Body)!.AsObject(), read!["event"]!.AsObject());
            Assert.Equal((told.Id, true), ((string?)read["messageId"], (bool)read["same"]!));
            Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$", (string?)sent["time"]);
            Assert.Equal(DateTimeOffset.Parse((string)sent["time"]!, CultureInfo.InvariantCulture), DateTimeOffset.Parse((string)parsed["time"]!, CultureInfo.InvariantCulture));
            Assert.True(sent.Remove("time") && parsed.Remove("time"));
            Assert.True(JsonNode.DeepEquals(sent, parsed), $"{sent}\n{parsed}");
        }
    }

    private static ServedHook Serve(IPublicationHook hook) => new(hook, "webhook", TimeSpan.FromSeconds(10), TimeSpan.FromMinutes(10));

    private HookDelivery Delivery(ServedHook served) => new([served], _provider.GetRequiredService<IOutbox>(), _time, new LivenessOptions(), NullLogger<HookDelivery>.Instance);

    private WebhookHook Webhook(Uri receiver)
    {
        var file = Path.Combine(_folder, "secret");
        File.WriteAllText(file, $"whsec_{Convert.ToBase64String(_secret)}\n");
        return new WebhookHook("h", new Uri(receiver, "hook"), WebhookSignature.Read(file), _time);
    }

    private MlflowHook Mlflow(Uri server) => new(new HookOptions { Name = "h", Kind = HookKind.Mlflow, Url = server, Alias = "champion", Source = "s3://models/{model}/{version}" }, Store);

    private async Task<int> EnterAsync(HookEvent told, int fails, bool after)
    {
        var registry = new FakeRegistry { Fails = fails, After = after };
        await using var server = await HookReceiver.StartAsync(registry.Answer);
        await using var hook = Mlflow(server.Address);
        if (fails >= 0)
        {
            await Assert.ThrowsAsync<HookRefusedException>(() => hook.DeliverAsync(told, Ct));
        }

        await hook.DeliverAsync(told, Ct);
        var version = Assert.Single(registry.Versions);
        Assert.Equal(("m", "s3://models/m/v1"), (version.Name, version.Source));
        Assert.Equal(("m@champion", "1"), (registry.Aliases.Single().Key, registry.Aliases.Single().Value));
        Assert.Contains(version.Tags, t => (string?)t!["key"] == "scissorhands.event" && (string?)t["value"] == told.Id);
        return registry.Calls;
    }

    private async Task<HookEvent> EventAsync() => HookEvent.Read(Assert.Single(await _provider.GetRequiredService<IOutbox>().ClaimAsync("hook:h", "test", 1, TimeSpan.FromHours(1), Ct)).Body);

    /// <summary>Writes a version and its event, as the last step of a batch does.</summary>
    private async Task PublishAsync(string name, int version)
    {
        var record = Record(name);
        var model = await Store.RegisterAsync(record, new ModelVersion { Model = name, Number = 0, File = "/v/v0/m", Sha256 = "0", PublishedAt = Start, State = VersionState.Superseded }, DeletionAudit.Registered("t", record, "p", Start), Ct);
        var published = Published(name, version);
        await Store.CommitAsync(model, new ModelChange { Versions = [published], Messages = Events.Published(Ended(name, version), published, "c", Start) }, Ct);
    }

    /// <summary>One event of each type.</summary>
    private static HookEvent[] EveryEvent(string name)
    {
        var version = Published(name, 2) with { Retrain = "Zu viel vergessen: 12 %", Certificate = "c" };
        var batch = Ended(name, 2) with { Reason = "the gate: no attempt got through", Attempts = [new BatchAttempt(1, "mild", "r", null, "beyond its bounds")] };
        OutgoingMessage[] messages =
        [
            .. Events.Published(batch, version, "c", Start),
            .. Events.Failed(batch, null, Start),
            .. Events.RolledBack(new StoredModel { Record = Record(name), Version = 7, CurrentVersion = 2, LastBatch = 2 }, Published(name, 1), [version], ["a"], Start),
            .. Events.RetrainRecommended(batch, version, Start),
        ];
        return [.. messages.Select(static m => HookEvent.Read(m.Body))];
    }

    private static PublicationEvents Events { get; } = new([new PublicationTarget("h", PublicationEvents.Types)]);

    private static ModelRecord Record(string name) => new() { Name = name, File = "/m", Sha256 = "0", DataSet = "d", Data = "/d", Versions = "/v", Policy = new DeletionPolicy() };

    private static ModelVersion Published(string name, int version) =>
        new() { Model = name, Number = version, File = $"/v/v{version}/m", Sha256 = "1", RunId = "r", Batch = version, PublishedAt = Start, State = VersionState.Superseded };

    private static DeletionBatch Ended(string name, int number) =>
        new() { Model = name, Number = number, Phase = BatchPhase.Completed, Requests = ["a"], Samples = 1, From = 0, Deadline = Start, CreatedAt = Start, Attempts = [] };

    /// <summary>What a receiver checks; null where it takes the event.</summary>
    private string? Refusal(Received received)
    {
        var time = long.Parse(received.Headers["webhook-timestamp"], CultureInfo.InvariantCulture);
        if (Math.Abs(_time.GetUtcNow().ToUnixTimeSeconds() - time) > 300)
        {
            return "too old";
        }

        var expected = HMACSHA256.HashData(_secret, Encoding.UTF8.GetBytes($"{received.Headers["webhook-id"]}.{received.Headers["webhook-timestamp"]}.{received.Body}"));
        return received.Headers["webhook-signature"] == "v1," + Convert.ToBase64String(expected) ? null : "signature";
    }

    /// <summary>Loses its store when a message is to be marked.</summary>
    private sealed class ForgetfulOutbox(IOutbox outbox) : IOutbox
    {
        public Task<IReadOnlyList<PendingMessage>> ClaimAsync(string destination, string claimer, int limit, TimeSpan lease, CancellationToken ct) => outbox.ClaimAsync(destination, claimer, limit, lease, ct);

        public Task PostponeAsync(long id, string claimer, TimeSpan wait, CancellationToken ct) => outbox.PostponeAsync(id, claimer, wait, ct);

        public Task<IReadOnlyDictionary<string, int>> WaitingAsync(CancellationToken ct) => outbox.WaitingAsync(ct);

        public Task DoneAsync(IReadOnlyList<long> ids, CancellationToken ct) => throw new IOException("the store is away");
    }
}
