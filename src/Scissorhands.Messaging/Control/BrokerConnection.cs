using System.Globalization;
using System.Net.Sockets;
using System.Security.Authentication;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;
using Scissorhands.Planning;

namespace Scissorhands.Messaging.Control;

/// <summary>Plain connections to the broker, and what is wrong where there is none, in words that hold no credentials.</summary>
public static class BrokerConnection
{
    private const ushort NotAllowed = 530;

    /// <summary>The broker as it is named to people: host and port, without its credentials.</summary>
    /// <param name="broker">The broker.</param>
    /// <returns>HOST:PORT.</returns>
    public static string NameOf(Uri broker)
    {
        ArgumentNullException.ThrowIfNull(broker);
        return string.Create(CultureInfo.InvariantCulture, $"{broker.Host}:{PortOf(broker)}");
    }

    /// <summary>Finds out whether the broker is there and takes the credentials.</summary>
    /// <param name="broker">The broker, with credentials.</param>
    /// <param name="cancellationToken">Gives up connecting.</param>
    /// <returns>Completes once it is.</returns>
    /// <exception cref="RunFailedException">It cannot be reached, or refuses.</exception>
    public static async Task CheckAsync(Uri broker, CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(broker, "check", null, cancellationToken);
    }

    /// <summary>Connects; the connection is not recovered once it is lost.</summary>
    /// <param name="broker">The broker, with credentials.</param>
    /// <param name="name">Shown in the broker's list of connections.</param>
    /// <param name="heartbeat">How often both ends show each other that they live; null for the broker's wish.</param>
    /// <param name="cancellationToken">Gives up connecting.</param>
    /// <returns>The connection.</returns>
    /// <exception cref="RunFailedException">The broker cannot be reached, or refuses.</exception>
    public static async Task<IConnection> OpenAsync(Uri broker, string name, TimeSpan? heartbeat, CancellationToken cancellationToken)
    {
        var factory = Factory(broker);
        if (heartbeat is { } interval)
        {
            factory.RequestedHeartbeat = interval;
        }

        try
        {
            return await factory.CreateConnectionAsync(name, cancellationToken);
        }
        catch (Exception e) when (IsFailure(e))
        {
            throw Failed(broker, e);
        }
    }

    /// <summary>Connects as the address says, encrypted or not; connections are not recovered once they are lost.</summary>
    internal static ConnectionFactory Factory(Uri broker)
    {
        var factory = new ConnectionFactory { Uri = broker, AutomaticRecoveryEnabled = false, TopologyRecoveryEnabled = false };
        if (BrokerTls.Of(broker) is { } tls)
        {
            factory.Ssl = tls.Option();
        }

        return factory;
    }

    /// <summary>Whether an exception of the client library says that the broker is away or refuses.</summary>
    internal static bool IsFailure(Exception thrown) => thrown is RabbitMQClientException or IOException or SocketException or TimeoutException;

    /// <summary>The failure as people read it.</summary>
    internal static RunFailedException Failed(Uri broker, Exception thrown) => new($"broker at {NameOf(broker)}: {ReasonOf(thrown)}", thrown) { MayPass = true };

    internal static int PortOf(Uri broker) => broker.Port > 0 ? broker.Port : broker.Scheme == "amqps" ? 5671 : 5672;

    private static string ReasonOf(Exception thrown)
    {
        for (var e = thrown; e is not null; e = e.InnerException)
        {
            switch (e)
            {
                case AuthenticationFailureException or PossibleAuthenticationFailureException:
                    return $"it refuses the user name or the password in {ControlBus.BrokerVariable}";
                case OperationInterruptedException { ShutdownReason: { ReplyCode: NotAllowed } reason }:
                    return $"it refuses the virtual host in {ControlBus.BrokerVariable} ({reason.ReplyText})";
                case OperationInterruptedException { ShutdownReason: { } reason }:
                    return reason.ReplyText;
                case AuthenticationException:
                    return $"no encrypted connection: {e.Message}";
                case SocketException:
                    return char.ToLowerInvariant(e.Message[0]) + e.Message[1..];
                case TimeoutException:
                    return "no answer";
            }
        }

        return thrown.GetBaseException().Message;
    }
}
