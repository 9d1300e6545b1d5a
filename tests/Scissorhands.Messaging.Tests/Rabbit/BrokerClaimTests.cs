using RabbitMQ.Client;
using Scissorhands.Messaging.Control;
using Scissorhands.Planning;

namespace Scissorhands.Messaging.Tests.Rabbit;

/// <summary>A virtual host is one installation's, whoever comes first, for as long as the broker remembers.</summary>
public sealed class BrokerClaimTests(BrokerFixture fixture) : IClassFixture<BrokerFixture>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Claim_ofAnotherInstallation_isRefusedByVirtualHostAndNames()
    {
        var host = await HostAsync("two%20stores");
        await using var first = Claim(host, "aaaa");
        await using var second = Claim(host, "bbbb");
        Assert.Null(await first.HoldAsync(Ct));

        var refused = await Assert.ThrowsAsync<InputException>(() => second.HoldAsync(Ct));

        Assert.StartsWith($"VARIABLE: virtual host two stores of the broker at 127.0.0.1:{fixture.Broker.Port} belongs to ", refused.Message, StringComparison.Ordinal);
        Assert.Contains("installation aaaa; that of this store is bbbb", refused.Message, StringComparison.Ordinal);
        Assert.Contains("--take-over-broker", refused.Message, StringComparison.Ordinal);
        Assert.Null(await first.HoldAsync(Ct));
        Assert.DoesNotContain("\n", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Claim_byManyAtOnce_isOneInstallations()
    {
        var host = await HostAsync("race");
        var claims = Enumerable.Range(0, 12).Select(i => (Owner: i % 2 == 0 ? "even" : "odd", Claim: Claim(host, i % 2 == 0 ? "even" : "odd"))).ToArray();
        try
        {
            var held = await Task.WhenAll(claims.Select(async c =>
            {
                try
                {
                    await c.Claim.HoldAsync(Ct);
                    return c.Owner;
                }
                catch (InputException)
                {
                    return null;
                }
            }));

            // All of one, for coordinators of one store share it, and none of the other.
            var owners = held.OfType<string>().ToArray();
            Assert.Equal(6, owners.Length);
            Assert.Single(owners.Distinct());
        }
        finally
        {
            foreach (var (_, claim) in claims)
            {
                await claim.DisposeAsync();
            }
        }
    }

    [Fact]
    public async Task Claim_takenOver_isLostByTheFormerOwnerAndOnlyOnce()
    {
        var host = await HostAsync("taken");
        await using var former = Claim(host, "former");
        await using var taker = Claim(host, "taker", takesOver: true);
        await former.HoldAsync(Ct);

        Assert.Equal("former", await taker.HoldAsync(Ct));
        await Assert.ThrowsAsync<InputException>(() => former.HoldAsync(Ct));
        Assert.Null(await taker.HoldAsync(Ct));

        // Taken from it in turn it does not take it again: two that both were told to would take it from each other for ever.
        await using var last = Claim(host, "last", takesOver: true);
        Assert.Equal("taker", await last.HoldAsync(Ct));
        await Assert.ThrowsAsync<InputException>(() => taker.HoldAsync(Ct));
    }

    [Fact]
    public async Task Claim_onABrokerThatWasEmptied_isSetAgain()
    {
        var host = await HostAsync("emptied");
        await using var owner = Claim(host, "owner");
        await owner.HoldAsync(Ct);
        await EmptyAsync(host);

        Assert.Null(await owner.HoldAsync(Ct));
        await using var other = Claim(host, "other");
        await Assert.ThrowsAsync<InputException>(() => other.HoldAsync(Ct));
    }

    [Fact]
    public async Task Claim_afterTheBrokersRestart_holdsWithoutItsOwner()
    {
        var host = await HostAsync("restarted");
        await using (var owner = Claim(host, "owner"))
        {
            await owner.HoldAsync(Ct);
        }

        await fixture.Broker.RestartAsync();
        await using var other = Claim(host, "other");
        await Assert.ThrowsAsync<InputException>(() => other.HoldAsync(Ct));
        await using var again = Claim(host, "owner");
        Assert.Null(await again.HoldAsync(Ct));
    }

    [Fact]
    public async Task Claim_leavesOneDurableExchangeAndNothingElse()
    {
        var host = await HostAsync("left");
        await using (var owner = Claim(host, "owner"))
        {
            for (var i = 0; i < 5; i++)
            {
                await owner.HoldAsync(Ct);
            }

            var connections = await fixture.Broker.ListAsync("connections", "vhost", "channels");
            Assert.Equal("left\t0", Assert.Single(connections, static c => c.StartsWith("left\t", StringComparison.Ordinal)));
        }

        var exchanges = (await fixture.Broker.ControlAsync("--no-table-headers", "list_exchanges", "-p", "left", "name", "durable", "auto_delete")).Where(static e => e.StartsWith("scissorhands", StringComparison.Ordinal));
        Assert.Equal($"{BrokerClaim.Exchange}\ttrue\tfalse", Assert.Single(exchanges));
        Assert.Empty(await fixture.Broker.ControlAsync("--no-table-headers", "list_queues", "-p", "left", "name"));
    }

    private static BrokerClaim Claim(Uri host, string owner, bool takesOver = false) => new(host, "VARIABLE", owner, takesOver);

    private static async Task EmptyAsync(Uri host)
    {
        await using var connection = await BrokerConnection.OpenAsync(host, "empties", null, Ct);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Ct);
        await channel.ExchangeDeleteAsync(BrokerClaim.Exchange, cancellationToken: Ct);
    }

    private async Task<Uri> HostAsync(string name)
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        await fixture.Broker.AddVirtualHostAsync(Uri.UnescapeDataString(name), "user-" + name.Replace('%', '-'));
        return new UriBuilder(fixture.Broker.Address) { UserName = "user-" + name.Replace('%', '-'), Password = "user-" + name.Replace('%', '-'), Path = name }.Uri;
    }
}
