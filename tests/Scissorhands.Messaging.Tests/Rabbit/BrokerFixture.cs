using Scissorhands.Testing;

namespace Scissorhands.Messaging.Tests.Rabbit;

/// <summary>The broker of a test class.</summary>
public sealed class BrokerFixture : IAsyncLifetime
{
    /// <summary>The broker.</summary>
    public Broker Broker { get; } = new();

    /// <inheritdoc/>
    public ValueTask InitializeAsync() => Broker.StartAsync();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => Broker.DisposeAsync();
}
