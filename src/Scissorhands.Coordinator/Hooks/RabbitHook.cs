using System.Text;
using RabbitMQ.Client;
using Scissorhands.Messaging.Control;

namespace Scissorhands.Coordinator.Hooks;

/// <summary>Publishes events to a topic exchange in the virtual host that deletion requests arrive in, persistent and confirmed.</summary>
internal sealed class RabbitHook(string name, Uri broker) : IPublicationHook
{
    /// <summary>Receivers bind their queues to it; routing keys are the event's type, a full stop and the model's name.</summary>
    public const string Exchange = "scissorhands.events";

    private IConnection? _connection;
    private IChannel? _channel;

    public string Name => name;

    public async Task DeliverAsync(HookEvent told, CancellationToken ct)
    {
        try
        {
            var channel = _channel is { IsOpen: true } open ? open : await OpenAsync(ct);
            var properties = new BasicProperties { ContentType = HookEvent.MediaType, MessageId = told.Id, Type = told.Type, Persistent = true };
            await channel.BasicPublishAsync(Exchange, $"{told.Type}.{told.Subject}", mandatory: false, properties, Encoding.UTF8.GetBytes(told.Body), ct);
        }
        catch
        {
            // Whatever it was, the next attempt begins with a connection of its own.
            await CloseAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync() => await CloseAsync();

    private async Task<IChannel> OpenAsync(CancellationToken ct)
    {
        await CloseAsync();
        _connection = await BrokerConnection.OpenAsync(broker, "scissorhands events", null, ct);
        _channel = await _connection.CreateChannelAsync(new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true), ct);
        await _channel.ExchangeDeclareAsync(Exchange, ExchangeType.Topic, durable: true, autoDelete: false, cancellationToken: ct);
        return _channel;
    }

    private async Task CloseAsync()
    {
        var connection = _connection;
        (_connection, _channel) = (null, null);
        if (connection is not null)
        {
            await connection.DisposeAsync();
        }
    }
}
