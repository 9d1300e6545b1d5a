using MassTransit;
using Scissorhands.Messaging.Control;
using Scissorhands.Messaging.Rabbit;
using Scissorhands.Planning;
using Scissorhands.Testing;

namespace Scissorhands.Messaging.Tests.Rabbit;

/// <summary>A broker that takes encrypted connections, of clients with a certificate of its authority alone.</summary>
public sealed class EncryptedBroker : IAsyncLifetime
{
    public TestCertificates Certificates { get; } = new();

    public TestCertificates Strangers { get; } = new();

    public Broker Broker { get; } = new();

    public async ValueTask InitializeAsync() => await Broker.StartAsync(Certificates);

    public async ValueTask DisposeAsync()
    {
        await Broker.DisposeAsync();
        Certificates.Dispose();
        Strangers.Dispose();
    }

    public Uri Address(string authority, (string Certificate, string Key)? own, string more = "") =>
        new($"{Broker.EncryptedAddress}?cacertfile={Uri.EscapeDataString(authority)}{(own is { } files ? $"&certfile={Uri.EscapeDataString(files.Certificate)}&keyfile={Uri.EscapeDataString(files.Key)}" : "")}{more}");
}

/// <summary>Whom clients of an encrypted broker trust, and what they say where they do not.</summary>
public sealed class EncryptedBrokerTests(EncryptedBroker fixture) : IClassFixture<EncryptedBroker>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Clients_rightAuthorityAndCertificate_linkAndBusConnect()
    {
        Skip();
        var address = fixture.Address(fixture.Certificates.Authority, fixture.Certificates.Issue("client"));
        await BrokerConnection.CheckAsync(address, Ct);
        await using var link = await RabbitDataLink.ConnectAsync(address, "link", Ct);
        var heard = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var bus = Bus.Factory.CreateUsingRabbitMq(rabbit => rabbit.UseAsWorker(address, "encrypted", endpoint => endpoint.Handler<Heard>(_ =>
        {
            heard.TrySetResult();
            return Task.CompletedTask;
        })));
        await bus.StartAsync(Ct);
        try
        {
            await (await bus.GetSendEndpoint(ControlBus.CommandAddress("encrypted"))).Send(new Heard(), Ct);
            await heard.Task.WaitAsync(TimeSpan.FromMinutes(1), Ct);
        }
        finally
        {
            await bus.StopAsync(Ct);
        }

        Assert.Null(link.LostReason);
    }

    [Fact]
    public async Task Clients_anotherAuthority_areRefusedAndToldTheSetting()
    {
        Skip();
        var address = fixture.Address(fixture.Strangers.Authority, fixture.Certificates.Issue("client"));
        foreach (var connect in (Func<Task>[])[() => BrokerConnection.CheckAsync(address, Ct), () => RabbitDataLink.ConnectAsync(address, "link", Ct)])
        {
            var refused = await Assert.ThrowsAsync<RunFailedException>(connect);
            Assert.Contains($"does not hold against cacertfile {fixture.Strangers.Authority}", refused.Message, StringComparison.Ordinal);
            Assert.DoesNotContain("guest", refused.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Clients_authorityNotNamed_areRefusedAndToldTheSetting()
    {
        Skip();
        var refused = await Assert.ThrowsAsync<RunFailedException>(() => BrokerConnection.CheckAsync(fixture.Broker.EncryptedAddress, Ct));
        Assert.Contains("cacertfile in the broker's address", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Clients_certificateForAnotherName_areRefusedAndToldTheSetting()
    {
        Skip();
        var address = fixture.Address(fixture.Certificates.Authority, fixture.Certificates.Issue("client"), "&server_name_indication=other.example.org");
        var refused = await Assert.ThrowsAsync<RunFailedException>(() => BrokerConnection.CheckAsync(address, Ct));
        Assert.Contains("is not for other.example.org; server_name_indication", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Clients_withoutTheirCertificate_areRefused()
    {
        Skip();
        await Assert.ThrowsAsync<RunFailedException>(() => BrokerConnection.CheckAsync(fixture.Address(fixture.Certificates.Authority, null), Ct));
        await Assert.ThrowsAsync<RunFailedException>(() => BrokerConnection.CheckAsync(fixture.Address(fixture.Certificates.Authority, fixture.Strangers.Issue("stranger")), Ct));
    }

    private void Skip() => Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
}

/// <summary>What a bus of the tests carries.</summary>
public sealed record Heard;
