using System.Text.RegularExpressions;
using MassTransit;
using Scissorhands.Messaging.Control;
using Scissorhands.Messaging.Rabbit;

namespace Scissorhands.Messaging.Tests.Rabbit;

/// <summary>
/// Nothing is declared that newer brokers refuse: RabbitMQ 4.3 has neither transient queues that are not exclusive, nor a
/// prefetch count for a whole channel, nor mirrored, lazy or version 1 classic queues.
/// </summary>
public sealed class TopologyTests(BrokerFixture fixture) : IClassFixture<BrokerFixture>
{
    [Fact]
    public async Task Queues_of_a_link_and_of_control_messages_are_such_as_new_brokers_accept()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        await using var link = await RabbitDataLink.ConnectAsync(fixture.Broker.Address, "link", TestContext.Current.CancellationToken);
        var control = ControlBus.WorkerQueue("topology");
        var bus = Bus.Factory.CreateUsingRabbitMq(rabbit =>
        {
            rabbit.ConnectTo(fixture.Broker.Address);
            rabbit.ReceiveEndpoint(control, static endpoint =>
            {
                endpoint.ForControl();
                endpoint.Handler<Said>(static _ => Task.CompletedTask);
            });
        });
        await bus.StartAsync(TestContext.Current.CancellationToken);
        try
        {
            var queues = (await fixture.Broker.ListAsync("queues", "name", "durable", "exclusive", "auto_delete", "type", "policy", "arguments"))
                .Select(static line => line.Split('\t'))
                .ToDictionary(static columns => columns[0], static columns => columns[1..]);
            foreach (var (name, queue) in queues)
            {
                var (durable, exclusive, type, policy, arguments) = (queue[0] == "true", queue[1] == "true", queue[3], queue[4], queue[5]);
                Assert.True(durable || exclusive, $"Queue {name} is neither durable nor exclusive.");
                Assert.DoesNotContain("x-queue-mode", arguments, StringComparison.Ordinal);
                Assert.DoesNotContain("x-queue-version", arguments, StringComparison.Ordinal);
                Assert.DoesNotContain("x-ha-", arguments, StringComparison.Ordinal);
                Assert.Equal("", policy);
                Assert.Contains(type, new[] { "quorum", "classic", "rabbit_quorum_queue", "rabbit_classic_queue" });
            }

            // Tensors go with the connection; control messages survive the broker.
            Assert.Equal(["false", "true", "true"], queues[link.QueueName][..3]);
            Assert.Equal("true", queues[control][0]);
            Assert.Contains("quorum", queues[control][3] + queues[control][5], StringComparison.Ordinal);

            var exchanges = (await fixture.Broker.ListAsync("exchanges", "name", "durable", "auto_delete"))
                .Select(static line => line.Split('\t'))
                .Where(static columns => columns[0].Length > 0 && !columns[0].StartsWith("amq.", StringComparison.Ordinal))
                .ToArray();
            Assert.Contains(exchanges, exchange => exchange[0] == control);
            Assert.All(exchanges, static exchange => Assert.True(exchange[1] == "true" || exchange[2] == "true", $"Exchange {exchange[0]} is neither durable nor deleted by itself."));

            // The broker tells a channel's own prefetch count apart from that of its consumers.
            var channels = (await fixture.Broker.ListAsync("channels", "consumer_count", "prefetch_count", "global_prefetch_count")).Select(static line => line.Split('\t')).ToArray();
            Assert.Contains(channels, static channel => channel[0] != "0");
            Assert.All(channels, static channel => Assert.Equal("0", channel[2]));
        }
        finally
        {
            await bus.StopAsync(CancellationToken.None);
        }
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
            Assert.False(Regex.IsMatch(text, "x-queue-mode|x-queue-version|x-ha-|SetQueueArgument|\\bLazy\\s*="), $"{file} sets an argument that new brokers refuse.");
            foreach (Match declaration in Regex.Matches(text, @"QueueDeclareAsync\s*\([^;]*;"))
            {
                Assert.Matches("durable: true|exclusive: true", declaration.Value);
            }
        }
    }

    /// <summary>A message.</summary>
    /// <param name="What">Text.</param>
    public sealed record Said(string What);
}
