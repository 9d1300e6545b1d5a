using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Scissorhands.Cli.Tests.Runs;
using Scissorhands.Coordinator.Cluster;
using Scissorhands.Coordinator.Hosting;
using Scissorhands.Grains.Store;
using Scissorhands.Messaging.Control;
using Scissorhands.Planning;

namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>When a coordinator may use the virtual hosts that it claims.</summary>
public sealed class BrokerClaimsTests(BrokerFixture fixture) : IClassFixture<BrokerFixture>
{
    private const string Own = "0123456789abcdef0123456789abcdef";
    private const string Former = "fedcba9876543210fedcba9876543210";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task VirtualHosts_ofNobody_areUsedAtOnce()
    {
        var (options, time) = await OptionsAsync("nobody");
        await using var claims = Claims(options, time);
        await claims.BeginAsync(Own, Ct);

        Assert.True(await claims.HoldIntakeAsync(Ct));
        Assert.True(claims.BusHeld.IsCompletedSuccessfully);
    }

    /// <summary>The former owner's coordinators take messages until they find out, which is with their next claim.</summary>
    [Fact]
    public async Task VirtualHosts_takenOver_areUsedOnceTheFormerOwnerHasFoundOut()
    {
        var (options, time) = await OptionsAsync("former");
        await using var bus = new BrokerClaim(options.Broker, "BUS", Former, null, TimeProvider.System);
        await using var intake = new BrokerClaim(options.Intake!, "INTAKE", Former, null, TimeProvider.System);
        await bus.HoldAsync(Ct);
        await intake.HoldAsync(Ct);
        await using var claims = Claims(options with { TakesOverBrokerFrom = Former }, time);
        await claims.BeginAsync(Own, Ct);

        time.Advance(BrokerClaims.Settling - TimeSpan.FromMilliseconds(1));
        Assert.False(await claims.HoldBusAsync(Ct));
        Assert.False(await claims.HoldIntakeAsync(Ct));
        Assert.False(claims.BusHeld.IsCompleted);
        await Assert.ThrowsAsync<InputException>(() => bus.HoldAsync(Ct));

        time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.True(await claims.HoldBusAsync(Ct));
        Assert.True(await claims.HoldIntakeAsync(Ct));
        Assert.True(claims.BusHeld.IsCompletedSuccessfully);
    }

    private static BrokerClaims Claims(ClusterCoordinatorOptions options, TimeProvider time) =>
        new(options, new ApplicationLifetime(NullLogger<ApplicationLifetime>.Instance), time, NullLogger<BrokerClaims>.Instance);

    private async Task<(ClusterCoordinatorOptions Options, FakeTimeProvider Time)> OptionsAsync(string name)
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        var options = new ClusterCoordinatorOptions
        {
            Broker = await fixture.Broker.AddVirtualHostAsync(name + "-bus", name + "-bus"),
            Intake = await fixture.Broker.AddVirtualHostAsync(name + "-intake", name + "-intake"),
            Store = StoreOptions.Parse("sqlite:none.db", "STORE"),
        };
        return (options, new FakeTimeProvider());
    }
}
