using System.Text.RegularExpressions;
using MassTransit;
using Scissorhands.Messaging.Control;
using Scissorhands.Messaging.Rabbit;
using Scissorhands.Messaging.Tests.Collectives;

namespace Scissorhands.Messaging.Tests.Rabbit;

/// <summary>
/// Nothing is declared that newer brokers refuse: RabbitMQ 4.3 has neither transient queues that are not exclusive, nor a
/// prefetch count for a whole channel, nor mirrored, lazy or version 1 classic queues.
/// </summary>
public sealed class TopologyTests(BrokerFixture fixture) : IClassFixture<BrokerFixture>
{
    [Fact]
    public async Task Whatever_links_coordinators_and_workers_declare_is_such_as_new_brokers_accept()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        await using var link = await RabbitDataLink.ConnectAsync(fixture.Broker.Address, "link", TestContext.Current.CancellationToken);
        var coordinator = Bus.Factory.CreateUsingRabbitMq(rabbit => rabbit.UseAsCoordinator(fixture.Broker.Address, static endpoint => endpoint.Handler<Said>(TakeAsync)));
        var worker = Bus.Factory.CreateUsingRabbitMq(rabbit => rabbit.UseAsWorker(fixture.Broker.Address, "topology", static endpoint => endpoint.Handler<Said>(TakeAsync)));
        await using var claim = new BrokerClaim(fixture.Broker.Address, ControlBus.BrokerVariable, "topology", takesOverFrom: null, TimeProvider.System);
        await claim.HoldAsync(TestContext.Current.CancellationToken);
        await coordinator.StartAsync(TestContext.Current.CancellationToken);
        await worker.StartAsync(TestContext.Current.CancellationToken);
        try
        {
            await ExchangeAsync(coordinator, ControlBus.CommandAddress("topology"));
            await ExchangeAsync(worker, ControlBus.CoordinatorAddress);
            await ExchangeAsync(worker, ControlBus.CommandAddress("topology"));
            var (control, commands) = (ControlBus.CoordinatorQueue, ControlBus.WorkerQueue("topology"));

            // Two buses' own queues for answers, and those for messages that nobody could take.
            var expected = new[] { link.QueueName, control, control + "_error", control + "_skipped", commands, ControlBus.WorkersErrorQueue, ControlBus.WorkersSkippedQueue };
            var queues = await QueuesAsync(all => expected.All(all.ContainsKey) && all.Count >= expected.Length + 2);
            foreach (var (name, queue) in queues)
            {
                Assert.True(queue.Durable || queue.Exclusive, $"Queue {name} is neither durable nor exclusive.");
                Assert.DoesNotMatch("x-queue-mode|x-queue-version|x-queue-master-locator|x-ha-", queue.Arguments);
                Assert.Equal("", queue.Policy);
                Assert.Contains(queue.Type, new[] { "quorum", "classic", "rabbit_quorum_queue", "rabbit_classic_queue" });
            }

            // Tensors go with the connection, commands with the worker; what coordinators are told survives the broker.
            Assert.Equal((false, true, true), (queues[link.QueueName].Durable, queues[link.QueueName].Exclusive, queues[link.QueueName].AutoDelete));
            Assert.Equal((true, true), (queues[commands].Durable, queues[commands].AutoDelete));
            Assert.Equal((true, false), (queues[control].Durable, queues[control].AutoDelete));
            Assert.Contains("quorum", queues[control].Type, StringComparison.Ordinal);

            var exchanges = (await fixture.Broker.ListAsync("exchanges", "name", "durable", "auto_delete"))
                .Select(static line => line.Split('\t'))
                .Where(static columns => columns[0].Length > 0 && !columns[0].StartsWith("amq.", StringComparison.Ordinal))
                .ToArray();
            Assert.Contains(exchanges, exchange => exchange[0] == control);
            Assert.Contains(exchanges, static exchange => exchange[0] == BrokerClaim.Exchange && exchange[1] == "true");
            Assert.All(exchanges, static exchange => Assert.True(exchange[1] == "true" || exchange[2] == "true", $"Exchange {exchange[0]} is neither durable nor deleted by itself."));

            // The broker tells a channel's own prefetch count apart from that of its consumers.
            var channels = (await fixture.Broker.ListAsync("channels", "consumer_count", "prefetch_count", "global_prefetch_count")).Select(static line => line.Split('\t')).ToArray();
            Assert.True(channels.Count(static channel => channel[0] != "0") >= 5, "The link, two endpoints and two buses' own queues have a consumer each.");
            Assert.All(channels, static channel => Assert.Equal("0", channel[2]));
        }
        finally
        {
            using var deadline = new CancellationTokenSource(RankThreads.Deadline);
            await worker.StopAsync(deadline.Token);
            await coordinator.StopAsync(deadline.Token);
        }
    }

    /// <summary>What failed in a worker is kept, but in no queue of the worker's own: each would stay for ever.</summary>
    [Fact]
    public async Task Worker_that_has_left_leaves_no_queue_behind()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        foreach (var id in (string[])["gone-1", "gone-2"])
        {
            var worker = Bus.Factory.CreateUsingRabbitMq(rabbit => rabbit.UseAsWorker(fixture.Broker.Address, id, static endpoint => endpoint.Handler<Said>(TakeAsync)));
            using var deadline = new CancellationTokenSource(RankThreads.Deadline);
            await worker.StartAsync(deadline.Token);
            await ExchangeAsync(worker, ControlBus.CommandAddress(id));
            await worker.StopAsync(deadline.Token);
        }

        var queues = await QueuesAsync(static all => all.ContainsKey(ControlBus.WorkersErrorQueue) && all.ContainsKey(ControlBus.WorkersSkippedQueue) && !all.Keys.Any(name => name.StartsWith(ControlBus.WorkerQueue("gone"), StringComparison.Ordinal) && all[name].AutoDelete));
        Assert.DoesNotContain(queues.Keys, static name => name.Contains("gone-", StringComparison.Ordinal));
        Assert.Equal((true, false), (queues[ControlBus.WorkersErrorQueue].Durable, queues[ControlBus.WorkersErrorQueue].AutoDelete));
        Assert.Equal((true, false), (queues[ControlBus.WorkersSkippedQueue].Durable, queues[ControlBus.WorkersSkippedQueue].AutoDelete));
    }

    [Fact]
    public void Sources_set_no_prefetch_count_for_a_channel_and_no_refused_argument()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (root is not null && !File.Exists(Path.Combine(root.FullName, "Scissorhands.Distributed.sln")))
        {
            root = root.Parent;
        }

        Assert.NotNull(root);
        var files = Directory.EnumerateFiles(Path.Combine(root.FullName, "src"), "*.cs", SearchOption.AllDirectories).ToArray();
        Assert.Contains(files, static file => file.EndsWith("RabbitDataLink.cs", StringComparison.Ordinal));
        foreach (var file in files)
        {
            var text = File.ReadAllText(file);
            Assert.False(Regex.IsMatch(text, @"BasicQos\w*\s*\([^;]*?\b(global\s*:\s*)?true\b"), $"{file} sets a prefetch count for a whole channel.");
            Assert.False(Regex.IsMatch(text, "x-queue-mode|x-queue-version|x-queue-master-locator|x-ha-|SetQueueArgument|\\bLazy\\s*="), $"{file} sets an argument that new brokers refuse.");
            foreach (Match declaration in Regex.Matches(text, @"QueueDeclareAsync\s*\([^;]*;"))
            {
                Assert.Matches("durable: true|exclusive: true", declaration.Value);
            }
        }
    }

    /// <summary>Sends a message that is answered, one that fails and one that nobody takes.</summary>
    private static async Task ExchangeAsync(IBus bus, Uri target)
    {
        var answer = await bus.CreateRequestClient<Said>(target, RankThreads.Deadline).GetResponse<Said>(new Said("question"), TestContext.Current.CancellationToken);
        Assert.Equal("answer", answer.Message.What);
        var endpoint = await bus.GetSendEndpoint(target);
        await endpoint.Send(new Said("failure"), TestContext.Current.CancellationToken);
        await endpoint.Send(new Unheard("nonsense"), TestContext.Current.CancellationToken);
    }

    private static Task TakeAsync(ConsumeContext<Said> context) => context.Message.What == "question"
        ? context.RespondAsync(new Said("answer"))
        : throw new InvalidOperationException("The test's message fails.");

    /// <summary>The broker's queues, as soon as they are such as is waited for or a deadline has passed.</summary>
    private async Task<Dictionary<string, Declared>> QueuesAsync(Predicate<Dictionary<string, Declared>> complete)
    {
        using var deadline = new CancellationTokenSource(RankThreads.Deadline);
        Dictionary<string, Declared> queues;
        do
        {
            queues = (await fixture.Broker.ListAsync("queues", "name", "durable", "exclusive", "auto_delete", "type", "policy", "arguments"))
                .Select(static line => line.Split('\t'))
                .ToDictionary(static columns => columns[0], static columns => new Declared(columns[1] == "true", columns[2] == "true", columns[3] == "true", columns[4], columns[5], columns[6]));
        }
        while (!complete(queues) && !deadline.IsCancellationRequested);
        Assert.True(complete(queues), $"Of the expected queues there are {string.Join(", ", queues.Keys)}.");
        return queues;
    }

    private sealed record Declared(bool Durable, bool Exclusive, bool AutoDelete, string Type, string Policy, string Arguments);

    /// <summary>A message.</summary>
    /// <param name="What">Text.</param>
    public sealed record Said(string What);

    /// <summary>A message that nobody takes.</summary>
    /// <param name="What">Text.</param>
    public sealed record Unheard(string What);
}
