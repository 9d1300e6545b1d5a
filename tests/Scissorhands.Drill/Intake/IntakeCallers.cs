using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using RabbitMQ.Client;
using Scissorhands.Messaging.Control;
using Scissorhands.Planning;

namespace Scissorhands.Drill.Intake;

/// <summary>Callers that send each request until it is accepted: by an answer over HTTP, by the broker's confirmation over the queue.</summary>
internal sealed class IntakeCallers(string address, Uri intake, IReadOnlyDictionary<string, string> keys, Progress progress)
{
    private static readonly TimeSpan AttemptLimit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);
    private readonly ConcurrentQueue<string> _faults = new();

    /// <summary>Answers that are wrong whatever is away.</summary>
    public IEnumerable<string> Faults => _faults;

    /// <summary>Sends requests over HTTP, one after the other, each as often as it says.</summary>
    public async Task OverHttpAsync(IEnumerable<DrilledRequest> requests, CancellationToken ct)
    {
        using var http = new HttpClient { BaseAddress = new Uri(address), Timeout = AttemptLimit };
        foreach (var request in requests)
        {
            await progress.EnterAsync(ct);
            while (await TryHttpAsync(http, request, ct) is { } again)
            {
                await Task.Delay(again, TimeProvider.System, ct);
            }

            progress.Add();
        }
    }

    /// <summary>Sends requests over the broker.</summary>
    public async Task OverBrokerAsync(IEnumerable<DrilledRequest> requests, CancellationToken ct)
    {
        IConnection? connection = null;
        IChannel? channel = null;
        try
        {
            foreach (var request in requests)
            {
                await progress.EnterAsync(ct);
                for (var sent = false; !sent;)
                {
                    try
                    {
                        if (channel is not { IsOpen: true })
                        {
                            await (connection?.DisposeAsync() ?? ValueTask.CompletedTask);
                            connection = await BrokerConnection.OpenAsync(intake, "drill", null, ct);
                            channel = await connection.CreateChannelAsync(new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true), ct);
                        }

                        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
                        limit.CancelAfter(AttemptLimit);
                        var properties = new BasicProperties { ContentType = "application/json", UserId = IntakeDrill.Pipeline, Persistent = true };
                        await channel.BasicPublishAsync("scissorhands.deletion-requests", "", mandatory: true, properties, JsonSerializer.SerializeToUtf8Bytes(Body(request)), limit.Token);
                        sent = true;
                    }
                    catch (Exception e) when (!ct.IsCancellationRequested && e is not OutOfMemoryException)
                    {
                        // Whatever it was: not confirmed, so it is sent again, on a connection of its own.
                        await (connection?.DisposeAsync() ?? ValueTask.CompletedTask);
                        (connection, channel) = (null, null);
                        await Task.Delay(Pause, TimeProvider.System, ct);
                    }
                }

                progress.Add();
            }
        }
        finally
        {
            await (connection?.DisposeAsync() ?? ValueTask.CompletedTask);
        }
    }

    private static object Body(DrilledRequest request) => new { requestId = request.RequestId, model = IntakeDrill.Model, ids = request.Ids, legalHold = request.Held };

    /// <summary>How long to wait before the same is sent again; null where it was accepted, or refused for good.</summary>
    private async Task<TimeSpan?> TryHttpAsync(HttpClient http, DrilledRequest request, CancellationToken ct)
    {
        using var message = new HttpRequestMessage(HttpMethod.Post, "v1/deletion-requests") { Content = JsonContent.Create(Body(request)) };
        message.Headers.Authorization = new AuthenticationHeaderValue("Bearer", keys[request.Principal]);
        try
        {
            using var response = await http.SendAsync(message, ct);
            switch (response.StatusCode)
            {
                case HttpStatusCode.Accepted:
                    var answer = await response.Content.ReadFromJsonAsync<JsonElement>(ct);
                    if (answer.GetProperty("id").GetString() != request.Id)
                    {
                        _faults.Enqueue($"{request.RequestId}: answered with id {answer.GetProperty("id")}, not {request.Id}");
                    }

                    return null;
                case HttpStatusCode.ServiceUnavailable:
                    return response.Headers.RetryAfter?.Delta ?? Pause;
                default:
                    _faults.Enqueue($"{request.RequestId}: {(int)response.StatusCode} {await response.Content.ReadAsStringAsync(ct)}");
                    return null;
            }
        }
        catch (Exception e) when (!ct.IsCancellationRequested && e is HttpRequestException or IOException or OperationCanceledException or JsonException)
        {
            return Pause;
        }
    }
}
