using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Polly;
using Polly.Retry;
using Polly.Timeout;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Coordinator.Api;
using Scissorhands.Messaging.Control;
using Scissorhands.Planning;

namespace Scissorhands.Cli.Cluster;

/// <summary>Talks to a coordinator over HTTP.</summary>
internal sealed class CoordinatorClient : IDisposable
{
    /// <summary>Environment variable with the coordinator's address.</summary>
    public const string AddressVariable = "SCISSORHANDS_COORDINATOR";

    /// <summary>Environment variable with the path of the file that holds the caller's key.</summary>
    public const string KeyFileVariable = "SCISSORHANDS_KEY_FILE";

    /// <summary>Environment variable with the path of the file of the authorities (PEM) that a coordinator's certificate must come from; without it, those that the machine trusts.</summary>
    public const string AuthoritiesVariable = "SCISSORHANDS_COORDINATOR_CA";

    // A coordinator that was killed is restarted, and the loss of one of several noticed, well within this time.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly HttpClient _http;
    private readonly ResiliencePipeline<HttpResponseMessage> _again;
    private bool _heard;
    private bool _limited;

    public CoordinatorClient(Uri address, TimeProvider time)
    {
        _http = new HttpClient(Handler()) { BaseAddress = address, Timeout = Patience };
        if (Key() is { } key)
        {
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        }

        _again = Again(time);
    }

    /// <summary>The address from the option, the environment or the default. Its path, where a proxy gives the coordinator one, ends with a slash.</summary>
    public static Uri Address(string? option)
    {
        var text = option ?? (Environment.GetEnvironmentVariable(AddressVariable) is { Length: > 0 } variable ? variable : "http://localhost:8080");
        return Uri.TryCreate(text, UriKind.Absolute, out var address) && address.Scheme is "http" or "https" && address.Query.Length == 0 && address.Fragment.Length == 0
            ? new UriBuilder(address) { Path = address.AbsolutePath.TrimEnd('/') + "/" }.Uri
            : throw new InputException($"{(option is null ? AddressVariable : "--coordinator")} {text}: must be an address such as http://localhost:8080, or http://HOST/PATH behind a proxy");
    }

    /// <summary>Asks for JSON.</summary>
    /// <param name="path">The path below the coordinator's address.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public Task<JsonElement> GetAsync(string path, CancellationToken cancellationToken) => AskAsync(ct => _http.GetAsync(path, ct), cancellationToken);

    /// <summary>Sends JSON; the same again has no other effect.</summary>
    /// <param name="method">PUT or POST.</param>
    /// <param name="path">The path below the coordinator's address.</param>
    /// <param name="body">What is sent.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public Task<JsonElement> SendAsync(HttpMethod method, string path, JsonNode body, CancellationToken cancellationToken) =>
        AskAsync(
            async ct =>
            {
                using var request = new HttpRequestMessage(method, path) { Content = JsonContent.Create(body) };
                return await _http.SendAsync(request, ct);
            },
            cancellationToken);

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    /// <summary>Submits a run.</summary>
    /// <returns>Its id, and what it waits for.</returns>
    public async Task<(string Run, string? Reason)> SubmitAsync(RunSubmission submission, CancellationToken cancellationToken)
    {
        using var response = await SendAsync(ct => _http.PostAsJsonAsync("v1/runs", submission, JsonSerializerOptions.Web, ct), cancellationToken);
        var body = await BodyAsync(response, cancellationToken);
        return response.IsSuccessStatusCode
            ? (body.GetProperty("run").GetString()!, body.GetProperty("reason").GetString())
            : throw Refusal(response, body);
    }

    /// <summary>Shows a run.</summary>
    public async Task<RunView> ViewAsync(string run, CancellationToken cancellationToken)
    {
        using var response = await SendAsync(ct => _http.GetAsync($"v1/runs/{Uri.EscapeDataString(run)}", ct), cancellationToken);
        var body = await BodyAsync(response, cancellationToken);
        return response.IsSuccessStatusCode ? body.Deserialize<RunView>(JsonSerializerOptions.Web)! : throw Refusal(response, body);
    }

    /// <summary>Lists runs as they come.</summary>
    public async Task<JsonElement> ListAsync(CancellationToken cancellationToken)
    {
        using var response = await SendAsync(ct => _http.GetAsync("v1/runs", ct), cancellationToken);
        var body = await BodyAsync(response, cancellationToken);
        return response.IsSuccessStatusCode ? body : throw Refusal(response, body);
    }

    /// <summary>Ends a run.</summary>
    public async Task CancelAsync(string run, CancellationToken cancellationToken)
    {
        using var response = await SendAsync(ct => _http.PostAsync($"v1/runs/{Uri.EscapeDataString(run)}/cancel", null, ct), cancellationToken);
        if (response.StatusCode == HttpStatusCode.Conflict && await ViewAsync(run, cancellationToken) is { Status: "cancelled" })
        {
            // It was this one whose first answer was lost, or somebody else's: it is cancelled.
            return;
        }

        if (!response.IsSuccessStatusCode)
        {
            throw Refusal(response, await BodyAsync(response, cancellationToken));
        }
    }

    /// <summary>
    /// What happens in a run, until it has ended. A connection that breaks (the coordinator restarts) is made again, and
    /// nothing written is missed or told twice.
    /// </summary>
    public async IAsyncEnumerable<(string Kind, JsonElement Value)> WatchAsync(string run, TimeProvider time, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string? last = null;
        var failures = 0;
        while (true)
        {
            var items = Channel(run, last, cancellationToken).GetAsyncEnumerator(cancellationToken);
            await using (items)
            {
                while (true)
                {
                    SseItem<string> item;
                    try
                    {
                        if (!await items.MoveNextAsync())
                        {
                            break;
                        }

                        item = items.Current;
                        failures = 0;
                    }
                    catch (Exception e) when (e is HttpRequestException or IOException && ++failures < 60)
                    {
                        break;
                    }

                    last = item.EventId ?? last;
                    var value = JsonSerializer.Deserialize<JsonElement>(item.Data);
                    yield return (item.EventType, value);
                    if (item.EventType == "status" && value.ValueKind == JsonValueKind.Object && value.GetProperty("status").GetString() is "completed" or "failed" or "cancelled")
                    {
                        yield break;
                    }
                }
            }

            await Task.Delay(TimeSpan.FromSeconds(1), time, cancellationToken);
        }
    }

    private async IAsyncEnumerable<SseItem<string>> Channel(string run, string? last, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"v1/runs/{Uri.EscapeDataString(run)}/events");
        if (last is not null)
        {
            request.Headers.Add("Last-Event-ID", last);
        }

        using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        response.EnsureSuccessStatusCode();
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        await foreach (var item in SseParser.Create(stream).EnumerateAsync(cancellationToken))
        {
            yield return item;
        }
    }

    /// <summary>
    /// Asks, and asks again while a coordinator is away: the coordinator answers the same question in the same way, so that
    /// nothing is done twice. Where it was never heard and nothing listens, the address is at fault, not a lost coordinator.
    /// </summary>
    private async Task<HttpResponseMessage> SendAsync(Func<CancellationToken, Task<HttpResponseMessage>> send, CancellationToken cancellationToken)
    {
        try
        {
            return await _again.ExecuteAsync(
                async ct =>
                {
                    try
                    {
                        var response = await send(ct);
                        _heard = true;
                        _limited = response.StatusCode == HttpStatusCode.TooManyRequests;
                        return response;
                    }
                    catch (HttpRequestException e) when (!_heard)
                    {
                        if (await OtherScheme.AnsweringAsync(_http.BaseAddress!, e, ct) is not { } other)
                        {
                            throw;
                        }

                        throw new InputException($"coordinator {_http.BaseAddress}: speaks {other}, not {_http.BaseAddress!.Scheme}; name it as {new UriBuilder(_http.BaseAddress) { Scheme = other }.Uri} with --coordinator or {AddressVariable}", e);
                    }
                },
                cancellationToken);
        }
        catch (TimeoutRejectedException e) when (_limited)
        {
            throw new RunFailedException($"coordinator {_http.BaseAddress}: has taken no more calls from this caller for {Patience.TotalSeconds:F0} s; send fewer at once, or try again later", e);
        }
        catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.SecureConnectionError)
        {
            throw new RunFailedException($"coordinator {_http.BaseAddress}: no encrypted connection ({(e.InnerException ?? e).Message}); {AuthoritiesVariable} names the file of the authorities to trust", e);
        }
        catch (Exception e) when (e is HttpRequestException or TimeoutRejectedException)
        {
            throw new RunFailedException($"coordinator {_http.BaseAddress}: cannot be reached ({e.Message}); name it with --coordinator or {AddressVariable}", e);
        }
    }

    private static SocketsHttpHandler Handler()
    {
        var handler = new SocketsHttpHandler();
        if (Environment.GetEnvironmentVariable(AuthoritiesVariable) is { Length: > 0 } file)
        {
            handler.SslOptions.CertificateChainPolicy = CertificateTrust.Policy(PemFiles.ReadAuthorities(AuthoritiesVariable, file));
        }

        return handler;
    }

    private static string? Key()
    {
        if (Environment.GetEnvironmentVariable(KeyFileVariable) is not { Length: > 0 } file)
        {
            return null;
        }

        try
        {
            var key = File.ReadAllText(file).Trim();
            return key.All(static c => c is > ' ' and < '\u007f')
                ? key
                : throw new InputException($"{KeyFileVariable} {file}: must hold one key or token and nothing else; what a coordinator is given with --keys holds none");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{KeyFileVariable} {file}: cannot be read ({e.Message})", e);
        }
    }

    private async Task<JsonElement> AskAsync(Func<CancellationToken, Task<HttpResponseMessage>> send, CancellationToken cancellationToken)
    {
        using var response = await SendAsync(send, cancellationToken);
        var body = await BodyAsync(response, cancellationToken);
        return response.IsSuccessStatusCode ? body : throw Refusal(response, body);
    }

    private ResiliencePipeline<HttpResponseMessage> Again(TimeProvider time) => new ResiliencePipelineBuilder<HttpResponseMessage> { TimeProvider = time }
        .AddTimeout(Patience)
        .AddRetry(new RetryStrategyOptions<HttpResponseMessage>
        {
            MaxRetryAttempts = int.MaxValue,
            Delay = TimeSpan.FromMilliseconds(500),
            MaxDelay = TimeSpan.FromSeconds(5),
            BackoffType = DelayBackoffType.Exponential,
            UseJitter = true,
            ShouldHandle = new PredicateBuilder<HttpResponseMessage>()
                .Handle<HttpRequestException>(e => _heard || e.HttpRequestError is not (HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError))
                .HandleResult(static response => response.StatusCode is HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout
                    || response.StatusCode == HttpStatusCode.TooManyRequests && response.Headers.RetryAfter?.Delta is { } wait && wait < Patience),
            DelayGenerator = static args => ValueTask.FromResult(args.Outcome.Result is { StatusCode: HttpStatusCode.TooManyRequests } limited ? limited.Headers.RetryAfter?.Delta : null),
            OnRetry = args =>
            {
                // It was there, or the connection would have been refused: it may be away when asked again.
                _heard = true;
                var reason = args.Outcome.Result is { StatusCode: HttpStatusCode.TooManyRequests } ? "too many calls from this caller" : "no answer";
                args.Outcome.Result?.Dispose();
                return args.AttemptNumber == 0 ? new ValueTask(Console.Error.WriteLineAsync($"coordinator {_http.BaseAddress}: {reason}, asking again for {Patience.TotalSeconds:F0} s")) : default;
            },
        })
        .Build();

    private static async Task<JsonElement> BodyAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        try
        {
            return await response.Content.ReadFromJsonAsync<JsonElement>(cancellationToken);
        }
        catch (JsonException)
        {
            return default;
        }
    }

    private static string Again(HttpResponseMessage response) => response.Headers.RetryAfter?.Delta is { } wait ? $"; try again in {wait.TotalSeconds:F0} s" : "";

    private static Exception Refusal(HttpResponseMessage response, JsonElement body)
    {
        var reason = body.ValueKind == JsonValueKind.Object && body.TryGetProperty("error", out var error) ? error.GetString()! : $"the coordinator answered {(int)response.StatusCode}{Again(response)}";
        if (response.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden)
        {
            reason += Environment.GetEnvironmentVariable(KeyFileVariable) is { Length: > 0 } file ? $" (sent: what {KeyFileVariable} {file} holds)" : $" (none was sent: {KeyFileVariable} names no file)";
        }

        return response.StatusCode is HttpStatusCode.BadRequest or HttpStatusCode.NotFound or HttpStatusCode.Conflict or HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden or HttpStatusCode.RequestEntityTooLarge ? new InputException(reason) : new RunFailedException(reason);
    }
}
