using System.Security.Cryptography;
using RabbitMQ.Client;
using Scissorhands.Messaging.Control;
using Scissorhands.Planning;
using Scissorhands.Testing;

namespace Scissorhands.Messaging.Tests.Rabbit;

/// <summary>A virtual host is one installation's, whoever comes first, for as long as the broker remembers.</summary>
public sealed class BrokerClaimTests(BrokerFixture fixture) : IClassFixture<BrokerFixture>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Claim_ofAnotherInstallation_isRefusedByVirtualHostAndNames()
    {
        // The longest name with which the broker's words are whole.
        var name = "two stores" + new string('s', 51);
        var host = await HostAsync(Uri.EscapeDataString(name), "two-stores");
        var (one, other) = (Installation(), Installation());
        await using var first = Claim(host, one);
        await using var second = Claim(host, other);
        Assert.Null(await first.HoldAsync(Ct));

        var refused = await Assert.ThrowsAsync<InputException>(() => second.HoldAsync(Ct));

        Assert.StartsWith($"VARIABLE: virtual host {name} of the broker at 127.0.0.1:{fixture.Broker.Port} belongs to ", refused.Message, StringComparison.Ordinal);
        Assert.Contains($"(installation {one[..16]}; that of this store is {other[..16]})", refused.Message, StringComparison.Ordinal);
        Assert.EndsWith($"--take-over-broker {one[..16]}", refused.Message, StringComparison.Ordinal);
        Assert.Null(await first.HoldAsync(Ct));
        Assert.DoesNotContain("\n", refused.Message, StringComparison.Ordinal);
    }

    /// <summary>The broker cuts what it says.</summary>
    [Fact]
    public async Task Claim_ofAVirtualHostWithAVeryLongName_isRefusedWithAWayToTheName()
    {
        var host = await HostAsync(new string('v', 200), "very-long");
        var one = Installation();
        await using var first = Claim(host, one);
        await using var second = Claim(host, Installation());
        Assert.Null(await first.HoldAsync(Ct));

        var refused = await Assert.ThrowsAsync<InputException>(() => second.HoldAsync(Ct));

        Assert.Contains("(another installation; that of ", refused.Message, StringComparison.Ordinal);
        Assert.Contains($"`rabbitmqctl list_exchanges -p '{new string('v', 200)}' name arguments`", refused.Message, StringComparison.Ordinal);
        var exchanges = await fixture.Broker.ControlAsync("--no-table-headers", "list_exchanges", "-p", new string('v', 200), "name", "arguments");
        Assert.Contains("sh." + one[..16], Assert.Single(exchanges, static e => e.StartsWith(BrokerClaim.Exchange, StringComparison.Ordinal)), StringComparison.Ordinal);

        await using var taker = Claim(host, Installation(), takesOverFrom: one);
        Assert.Equal(one[..16], await taker.HoldAsync(Ct));
    }

    [Fact]
    public async Task Claim_byManyAtOnce_isOneInstallations()
    {
        var host = await HostAsync("race");
        var (even, odd) = (Installation(), Installation());
        var claims = Enumerable.Range(0, 12).Select(i => (Owner: i % 2 == 0 ? even : odd, Claim: Claim(host, i % 2 == 0 ? even : odd))).ToArray();
        try
        {
            var held = await Task.WhenAll(claims.Select(async c => await HoldsAsync(c.Claim) ? c.Owner : null));

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
        var (one, two, three) = (Installation(), Installation(), Installation());
        await using var former = Claim(host, one);
        await using var taker = Claim(host, two, takesOverFrom: one[..16]);
        await former.HoldAsync(Ct);

        Assert.Equal(one[..16], await taker.HoldAsync(Ct));
        await Assert.ThrowsAsync<InputException>(() => former.HoldAsync(Ct));
        Assert.Null(await taker.HoldAsync(Ct));

        // Taken from it in turn it does not take it again, started anew neither: two that both were told to would take it from each other for ever.
        await using var last = Claim(host, three, takesOverFrom: two);
        Assert.Equal(two[..16], await last.HoldAsync(Ct));
        await Assert.ThrowsAsync<InputException>(() => taker.HoldAsync(Ct));
        await using var anew = Claim(host, two, takesOverFrom: one);
        Assert.Contains(three[..16], (await Assert.ThrowsAsync<InputException>(() => anew.HoldAsync(Ct))).Message, StringComparison.Ordinal);
        Assert.Null(await last.HoldAsync(Ct));
    }

    /// <summary>Each of two that take it over at the same moment finds the former's mark, and then only one of them does.</summary>
    [Fact]
    public async Task Claim_takenOverByManyAtOnce_isOneInstallations()
    {
        var host = await HostAsync("taken-at-once");
        var (even, odd) = (Installation(), Installation());
        for (var round = 0; round < 8; round++)
        {
            var gone = Installation();
            await EmptyAsync(host);
            await using (var former = Claim(host, gone))
            {
                await former.HoldAsync(Ct);
            }

            var claims = Enumerable.Range(0, 8).Select(i => (Owner: i % 2 == 0 ? even : odd, Claim: Claim(host, i % 2 == 0 ? even : odd, takesOverFrom: gone))).ToArray();
            try
            {
                var held = await Task.WhenAll(claims.Select(async c => await HoldsAsync(c.Claim) ? c.Owner : null));
                var owner = Assert.Single(held.OfType<string>().Distinct());

                // Nobody's mark was deleted by one that came after.
                Assert.Equal(claims.Select(c => c.Owner == owner), await Task.WhenAll(claims.Select(static c => HoldsAsync(c.Claim))));
            }
            finally
            {
                foreach (var (_, claim) in claims)
                {
                    await claim.DisposeAsync();
                }
            }
        }
    }

    /// <summary>What the client library calls cancelled is a broker that does not answer, and no end.</summary>
    [Fact]
    public async Task Claim_onABrokerThatDoesNotAnswer_failsInTimeAndHoldsLater()
    {
        var host = await HostAsync("silent");
        await using var relay = new FaultyRelay(host);
        var address = new UriBuilder(host) { Port = relay.Address.Port }.Uri;
        await using var claim = new BrokerClaim(address, "VARIABLE", Installation(), null, TimeProvider.System) { Patience = TimeSpan.FromSeconds(1) };
        relay.Stall();
        await SilentAsync(claim);
        relay.Resume();
        await HoldInTimeAsync(claim);

        relay.Stall();
        await SilentAsync(claim);
        relay.Resume();
        await HoldInTimeAsync(claim);

        // Its own end is told apart.
        relay.Stall();
        using var end = new CancellationTokenSource();
        var held = claim.HoldAsync(end.Token);
        await end.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => held);
        relay.Resume();
    }

    /// <summary>The rights that the documentation names.</summary>
    [Fact]
    public async Task Claim_byAUserWithTheRightsForItAlone_isHeldAndTakenOver()
    {
        var host = await HostAsync("rights");
        await fixture.Broker.ControlAsync("set_permissions", "-p", "rights", "user-rights", @"^scissorhands\.owner$", @"^sh\.", @"^scissorhands\.owner$");
        var one = Installation();
        await using var former = Claim(host, one);
        Assert.Null(await former.HoldAsync(Ct));
        await using var taker = Claim(host, Installation(), takesOverFrom: one);
        Assert.Equal(one[..16], await taker.HoldAsync(Ct));
    }

    [Fact]
    public async Task Claim_onABrokerThatWasEmptied_isSetAgain()
    {
        var host = await HostAsync("emptied");
        await using var owner = Claim(host, Installation());
        await owner.HoldAsync(Ct);
        await EmptyAsync(host);

        Assert.Null(await owner.HoldAsync(Ct));
        await using var other = Claim(host, Installation());
        await Assert.ThrowsAsync<InputException>(() => other.HoldAsync(Ct));
    }

    [Fact]
    public async Task Claim_afterTheBrokersRestart_holdsWithoutItsOwner()
    {
        var host = await HostAsync("restarted");
        var installation = Installation();
        await using (var owner = Claim(host, installation))
        {
            await owner.HoldAsync(Ct);
        }

        await fixture.Broker.RestartAsync();
        await using var other = Claim(host, Installation());
        await Assert.ThrowsAsync<InputException>(() => other.HoldAsync(Ct));
        await using var again = Claim(host, installation);
        Assert.Null(await again.HoldAsync(Ct));
    }

    [Fact]
    public async Task Claim_leavesOneDurableExchangeAndNothingElse()
    {
        var host = await HostAsync("left");
        await using (var owner = Claim(host, Installation()))
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

    private static BrokerClaim Claim(Uri host, string owner, string? takesOverFrom = null) => new(host, "VARIABLE", owner, takesOverFrom, TimeProvider.System);

    /// <summary>A name as the store gives itself one.</summary>
    private static string Installation() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    private static async Task<bool> HoldsAsync(BrokerClaim claim)
    {
        try
        {
            await claim.HoldAsync(Ct);
            return true;
        }
        catch (InputException)
        {
            return false;
        }
    }

    private static async Task SilentAsync(BrokerClaim claim)
    {
        var failed = await Assert.ThrowsAsync<RunFailedException>(() => claim.HoldAsync(Ct));
        Assert.True(failed.MayPass);
        Assert.EndsWith(": no answer", failed.Message, StringComparison.Ordinal);
    }

    /// <summary>A busy machine may be slower than the patience that the test gave the claim.</summary>
    private static async Task HoldInTimeAsync(BrokerClaim claim)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                Assert.Null(await claim.HoldAsync(Ct));
                return;
            }
            catch (RunFailedException) when (attempt < 20)
            {
                // Another try has a second of its own.
            }
        }
    }

    private static async Task EmptyAsync(Uri host)
    {
        await using var connection = await BrokerConnection.OpenAsync(host, "empties", null, Ct);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Ct);
        await channel.ExchangeDeleteAsync(BrokerClaim.Exchange, cancellationToken: Ct);
    }

    private async Task<Uri> HostAsync(string path, string? user = null)
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        user = "user-" + (user ?? path);
        await fixture.Broker.AddVirtualHostAsync(Uri.UnescapeDataString(path), user);
        return new UriBuilder(fixture.Broker.Address) { UserName = user, Password = user, Path = path }.Uri;
    }
}
