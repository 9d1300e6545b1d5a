using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using Scissorhands.Coordinator.Access;
using Scissorhands.Coordinator.Api;
using Scissorhands.Coordinator.Cluster;
using Scissorhands.Deletion.Requests;
using Scissorhands.Grains.Store;
using Scissorhands.Grains.Telemetry;
using Scissorhands.Messaging.Control;
using Scissorhands.Planning;

namespace Scissorhands.Coordinator.Intake;

/// <summary>The virtual host that deletion requests arrive in; null for none.</summary>
/// <param name="Broker">The broker, with credentials and the virtual host.</param>
public sealed record QueueDoorOptions(Uri? Broker);

/// <summary>
/// Takes deletion requests from RabbitMQ, in a virtual host of their own, so that producers reach nothing else. A message is
/// acknowledged when its request is durable and answered; one that is no request goes to the dead-letter queue with the reason.
/// The principal is the user that the broker has checked (property <c>user-id</c>).
/// </summary>
internal sealed partial class QueueDoor(QueueDoorOptions options, BrokerClaims claims, DeletionIntake intake, CallerDirectory callers, TimeProvider time, ILogger<QueueDoor> logger) : BackgroundService
{
    /// <summary>Producers publish here, with any routing key.</summary>
    public const string Exchange = "scissorhands.deletion-requests";

    /// <summary>Requests that are not taken in yet.</summary>
    public const string Queue = "scissorhands.deletion-requests";

    /// <summary>Messages that are no requests, each with its reason in the header <see cref="ReasonHeader"/>.</summary>
    public const string DeadQueue = "scissorhands.deletion-requests.dead";

    /// <summary>Why a message is in the dead-letter queue.</summary>
    public const string ReasonHeader = "x-scissorhands-reason";

    private const ushort MostUnanswered = 256;
    private const ushort Concurrent = 64;
    private static readonly TimeSpan ConnectInterval = TimeSpan.FromSeconds(2);
    private const int MostDeliveries = 1000;
    private const int DeadDays = 30;
    private static readonly TimeSpan LongestUnreadable = TimeSpan.FromMinutes(5);

    // Without a limit of our own a current broker drops what it has delivered twenty times: a coordinator that restarts often
    // would lose requests. What reaches the limit is kept in the dead-letter queue.
    private static readonly Dictionary<string, object?> Waiting = new(StringComparer.Ordinal)
    {
        ["x-queue-type"] = "quorum",
        ["x-delivery-limit"] = MostDeliveries,
        ["x-dead-letter-exchange"] = "",
        ["x-dead-letter-routing-key"] = DeadQueue,
    };

    // Dead messages may name people: they do not stay for ever.
    private static readonly Dictionary<string, object?> Dead = new(StringComparer.Ordinal)
    {
        ["x-queue-type"] = "quorum",
        ["x-message-ttl"] = (long)TimeSpan.FromDays(DeadDays).TotalMilliseconds,
    };

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (options.Broker is not { } broker)
        {
            return;
        }

        string? told = null;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await ServeAsync(broker, stoppingToken);
                told = null;
            }
            catch (InputException e)
            {
                claims.End(e);
                return;
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                if (e.Message != told)
                {
                    told = e.Message;
                    LogNotConnected(e.Message, ConnectInterval.TotalSeconds);
                }
            }

            await Task.Delay(ConnectInterval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ServeAsync(Uri broker, CancellationToken stoppingToken)
    {
        if (!await claims.HoldIntakeAsync(stoppingToken))
        {
            return;
        }

        await using var connection = await BrokerConnection.OpenAsync(broker, "scissorhands intake", null, stoppingToken);
        await using var channel = await connection.CreateChannelAsync(
            new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true, consumerDispatchConcurrency: Concurrent),
            stoppingToken);
        await channel.ExchangeDeclareAsync(Exchange, ExchangeType.Fanout, durable: true, autoDelete: false, cancellationToken: stoppingToken);
        await channel.QueueDeclareAsync(DeadQueue, durable: true, exclusive: false, autoDelete: false, Dead, cancellationToken: stoppingToken);
        await channel.QueueDeclareAsync(Queue, durable: true, exclusive: false, autoDelete: false, Waiting, cancellationToken: stoppingToken);
        await channel.QueueBindAsync(Queue, Exchange, "", cancellationToken: stoppingToken);
        await channel.BasicQosAsync(0, MostUnanswered, false, stoppingToken);

        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        connection.ConnectionShutdownAsync += (_, _) => EndAsync(ended);
        channel.ChannelShutdownAsync += (_, _) => EndAsync(ended);
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.UnregisteredAsync += (_, _) => EndAsync(ended);
        consumer.ReceivedAsync += (_, delivery) => TakeAsync(channel, delivery, stoppingToken);
        await channel.BasicConsumeAsync(Queue, autoAck: false, consumer, stoppingToken);
        LogConnected(broker.Host, broker.Port);
        await ended.Task.WaitAsync(stoppingToken);
    }

    private static Task EndAsync(TaskCompletionSource ended)
    {
        ended.TrySetResult();
        return Task.CompletedTask;
    }

    private async Task TakeAsync(IChannel channel, BasicDeliverEventArgs delivery, CancellationToken stoppingToken)
    {
        try
        {
            object answer;
            string? reason = null;
            try
            {
                if (delivery.BasicProperties.UserId is not { Length: > 0 } user)
                {
                    throw new InputException("the message has no user-id: producers set it to the user they are connected as, which the broker checks");
                }

                using var span = ServiceMeters.Spans.StartActivity("deletion-request receive", ActivityKind.Consumer, TraceOf(delivery.BasicProperties.Headers));
                var submission = RequestMessage.Read(delivery.BasicProperties.ContentType, Texts(delivery.BasicProperties.Headers), delivery.Body);
                var caller = callers.Of(user) ?? throw new InputException("the message's user has no key with the scope submit");
                var answers = await WithoutOutageAsync(() => intake.TakeAsync(caller, submission, "queue", stoppingToken), stoppingToken);
                reason = IntakeJson.Conflict(answers);
                answer = reason is null ? IntakeJson.Answer(submission, answers) : new ErrorAnswer(reason);
            }
            catch (InputException e)
            {
                reason = e.Message;
                answer = new ErrorAnswer(e.Message);
            }
            catch (ModelDataUnreadableException e)
            {
                // One model must not keep the requests to all others waiting: whoever has put it right moves its messages back.
                reason = e.Message;
                answer = new ErrorAnswer(reason);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                // Delivered again it would fail again, and take those that came with it along.
                LogFailed(e);
                reason = "the request could not be taken in; the coordinator's log says why";
                answer = new ErrorAnswer(reason);
            }

            if (reason is not null)
            {
                ServiceMeters.Buried();
                await BuryAsync(channel, delivery, reason, stoppingToken);
            }

            await AnswerAsync(channel, delivery.BasicProperties, answer, stoppingToken);
            await channel.BasicAckAsync(delivery.DeliveryTag, false, stoppingToken);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // Not acknowledged: the broker delivers it again on the next connection, and its request is the same one.
            LogNotTaken(e);
            await channel.CloseAsync(CancellationToken.None);
        }
    }

    /// <summary>Where the store or another coordinator is away, the message waits here, unacknowledged: it is nobody's fault.</summary>
    private async Task<T> WithoutOutageAsync<T>(Func<Task<T>> work, CancellationToken stoppingToken)
    {
        var begun = time.GetTimestamp();
        while (true)
        {
            try
            {
                return await work();
            }
            catch (Exception e) when (Outage.Is(e) || e is IntakeFullException || (e is ModelDataUnreadableException && time.GetElapsedTime(begun) < LongestUnreadable))
            {
                await Task.Delay(ConnectInterval, time, stoppingToken);
            }
        }
    }

    private static async Task BuryAsync(IChannel channel, BasicDeliverEventArgs delivery, string reason, CancellationToken stoppingToken)
    {
        var given = delivery.BasicProperties;
        var properties = new BasicProperties
        {
            ContentType = given.ContentType,
            MessageId = given.MessageId,
            CorrelationId = given.CorrelationId,
            Persistent = true,
            Headers = new Dictionary<string, object?>(given.Headers ?? new Dictionary<string, object?>(), StringComparer.Ordinal) { [ReasonHeader] = reason },
        };
        await channel.BasicPublishAsync("", DeadQueue, mandatory: true, properties, delivery.Body, stoppingToken);
    }

    private static async Task AnswerAsync(IChannel channel, IReadOnlyBasicProperties given, object answer, CancellationToken stoppingToken)
    {
        if (given.ReplyTo is not { Length: > 0 } queue)
        {
            return;
        }

        // Whoever does not wait any longer has no queue any more: the answer is then dropped by the broker.
        var properties = new BasicProperties { ContentType = "application/json", CorrelationId = given.CorrelationId };
        await channel.BasicPublishAsync("", queue, mandatory: false, properties, JsonSerializer.SerializeToUtf8Bytes(answer, DeletionJson.Options), stoppingToken);
    }

    /// <summary>The trace that the producer says the message is part of, by the header of W3C's trace context or CloudEvents' extension of that name.</summary>
    private static ActivityContext TraceOf(IDictionary<string, object?>? headers)
    {
        var texts = Texts(headers);
        var parent = texts.GetValueOrDefault("traceparent") ?? texts.GetValueOrDefault("cloudEvents:traceparent") ?? texts.GetValueOrDefault("cloudEvents_traceparent");
        return ActivityContext.TryParse(parent, null, isRemote: true, out var context) ? context : default;
    }

    private static Dictionary<string, string> Texts(IDictionary<string, object?>? headers)
    {
        var texts = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in headers ?? new Dictionary<string, object?>())
        {
            if (value is byte[] bytes)
            {
                texts[name] = Encoding.UTF8.GetString(bytes);
            }
            else if (value is string text)
            {
                texts[name] = text;
            }
        }

        return texts;
    }

    [LoggerMessage(LogLevel.Warning, "Deletion requests over the broker are not taken in: {Reason}; retrying every {Seconds} s")]
    private partial void LogNotConnected(string reason, double seconds);

    [LoggerMessage(LogLevel.Information, "Deletion requests are taken in from {Host}:{Port}")]
    private partial void LogConnected(string host, int port);

    [LoggerMessage(LogLevel.Error, "A message was put into the dead-letter queue: its request could not be taken in")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(LogLevel.Warning, "A deletion request was not taken in; its connection is made anew")]
    private partial void LogNotTaken(Exception exception);
}
