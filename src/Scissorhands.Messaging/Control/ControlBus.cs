using MassTransit;
using Scissorhands.Planning;

namespace Scissorhands.Messaging.Control;

/// <summary>Names and settings of the control messages' queues, the same for coordinator and workers.</summary>
public static class ControlBus
{
    /// <summary>Environment variable that holds the broker's address with its credentials.</summary>
    public const string BrokerVariable = "SCISSORHANDS_RABBITMQ";

    /// <summary>Environment variable with the virtual host that deletion requests arrive in: an address as of <see cref="BrokerVariable"/>.</summary>
    public const string IntakeVariable = "SCISSORHANDS_INTAKE";

    private const string Form = "amqp://USER:PASSWORD@HOST:PORT/VHOST (amqps:// where the connection is encrypted; the default port is 5672 or 5671, the default virtual host '/'; after ?, for amqps:// alone, cacertfile=, certfile=, keyfile= and server_name_indication=)";

    /// <summary>The coordinator's queue.</summary>
    public const string CoordinatorQueue = "scissorhands.coordinator";

    /// <summary>Where the coordinator's messages are sent. An exchange: sending must not declare the queue in another way than its owner.</summary>
    public static Uri CoordinatorAddress { get; } = new("exchange:" + CoordinatorQueue);

    /// <summary>Where commands go that failed in a worker: one queue for all workers, for those of each would outlive it.</summary>
    public const string WorkersErrorQueue = "scissorhands.worker_error";

    /// <summary>Where commands go that a worker does not know: one queue for all workers.</summary>
    public const string WorkersSkippedQueue = "scissorhands.worker_skipped";

    /// <summary>A worker's command queue.</summary>
    /// <param name="workerId">The worker.</param>
    /// <returns>The queue's name.</returns>
    public static string WorkerQueue(string workerId) => "scissorhands.worker." + workerId;

    /// <summary>Where the commands of a cluster's worker are sent: its queue goes with it, and so does the exchange.</summary>
    /// <param name="workerId">The worker.</param>
    /// <returns>The address.</returns>
    public static Uri CommandAddress(string workerId) => new("exchange:" + WorkerQueue(workerId) + "?autodelete=true");

    /// <summary>The broker's address from the environment, the only place secrets come from.</summary>
    /// <returns>An amqp or amqps address.</returns>
    /// <exception cref="InputException">The variable is missing or not an address. The message does not repeat it, for it may hold a password.</exception>
    public static Uri BrokerFromEnvironment() =>
        FromEnvironment(BrokerVariable) ?? throw new InputException($"{BrokerVariable} is not set: it names the broker, as {Form}; {BrokerVariable}_FILE may name a file that holds it");

    /// <summary>The virtual host that deletion requests arrive in, from the environment.</summary>
    /// <returns>An amqp or amqps address; null where none is named.</returns>
    /// <exception cref="InputException">The variable is not an address. The message does not repeat it, for it may hold a password.</exception>
    public static Uri? IntakeFromEnvironment() => FromEnvironment(IntakeVariable);

    private static Uri? FromEnvironment(string variable)
    {
        if (EnvironmentSetting.Read(variable) is not { } text)
        {
            return null;
        }

        // One segment at most: what follows the host is the virtual host's name, in which '/' is written %2F.
        return Uri.TryCreate(text, UriKind.Absolute, out var broker) && broker.Scheme is "amqp" or "amqps" && broker.Host.Length > 0 && broker.Segments.Length <= 2 && broker.UserInfo.Split(':').Length <= 2 && broker.Fragment.Length == 0
            ? BrokerTls.Checked(broker, variable)
            : throw new InputException($"{variable} does not name a broker: expected {Form}; characters such as '@', '/' and ':' within user name and password are written %40, %2F and %3A");
    }

    /// <summary>A coordinator's bus: messages of workers in a queue that all coordinators share, replicated, bounded in flight.</summary>
    /// <param name="bus">The bus.</param>
    /// <param name="broker">The broker.</param>
    /// <param name="consumers">Adds who takes the messages.</param>
    public static void UseAsCoordinator(this IRabbitMqBusFactoryConfigurator bus, Uri broker, Action<IRabbitMqReceiveEndpointConfigurator> consumers)
    {
        ArgumentNullException.ThrowIfNull(consumers);
        bus.ConnectTo(broker);
        bus.ReceiveEndpoint(CoordinatorQueue, endpoint =>
        {
            endpoint.SetQuorumQueue();
            endpoint.PrefetchCount = 32;
            consumers(endpoint);
        });
    }

    /// <summary>A worker's bus. Commands are sent again until they have had their effect, so their queue may go with the worker.</summary>
    /// <param name="bus">The bus.</param>
    /// <param name="broker">The broker.</param>
    /// <param name="workerId">The worker.</param>
    /// <param name="consumers">Adds who takes the commands.</param>
    public static void UseAsWorker(this IRabbitMqBusFactoryConfigurator bus, Uri broker, string workerId, Action<IRabbitMqReceiveEndpointConfigurator> consumers)
    {
        ArgumentNullException.ThrowIfNull(consumers);
        bus.ConnectTo(broker);
        bus.SendTopology.ErrorQueueNameFormatter = WorkersLeftovers.Instance;
        bus.SendTopology.DeadLetterQueueNameFormatter = WorkersLeftovers.Instance;

        // By default as short-lived as the queue that the message was in; all workers must declare them alike.
        bus.SendTopology.ConfigureErrorSettings = static queue => (queue.Durable, queue.AutoDelete) = (true, false);
        bus.SendTopology.ConfigureDeadLetterSettings = static queue => (queue.Durable, queue.AutoDelete) = (true, false);
        bus.ReceiveEndpoint(WorkerQueue(workerId), endpoint =>
        {
            endpoint.Durable = true;
            endpoint.AutoDelete = true;
            endpoint.PrefetchCount = 16;
            consumers(endpoint);
        });
    }

    private static void ConnectTo(this IRabbitMqBusFactoryConfigurator bus, Uri broker)
    {
        ArgumentNullException.ThrowIfNull(bus);
        ArgumentNullException.ThrowIfNull(broker);
        var credentials = broker.UserInfo.Split(':', 2);
        bus.Host(
            new UriBuilder("rabbitmq", broker.Host, BrokerConnection.PortOf(broker), broker.AbsolutePath).Uri,
            host =>
            {
                if (credentials.Length == 2)
                {
                    host.Username(Uri.UnescapeDataString(credentials[0]));
                    host.Password(Uri.UnescapeDataString(credentials[1]));
                }

                if (BrokerTls.Of(broker) is { } tls)
                {
                    host.UseSsl(tls.Configure);
                }
            });
    }

    private sealed class WorkersLeftovers : IErrorQueueNameFormatter, IDeadLetterQueueNameFormatter
    {
        public static WorkersLeftovers Instance { get; } = new();

        public string FormatErrorQueueName(string queueName) => WorkersErrorQueue;

        public string FormatDeadLetterQueueName(string queueName) => WorkersSkippedQueue;
    }
}
