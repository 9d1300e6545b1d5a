using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Scissorhands.Cli.Tests.Hooks;

/// <summary>A request as a receiver got it.</summary>
public sealed record Received(string Method, string Target, IReadOnlyDictionary<string, string> Headers, string Body);

/// <summary>An HTTP server that takes down what it gets and answers as the test says.</summary>
public sealed class HookReceiver : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<Received> _received = new();
    private readonly SemaphoreSlim _arrived = new(0);

    private HookReceiver(Func<Received, (int Status, string Body)> answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _app = builder.Build();
        _app.Run(async http =>
        {
            using var reader = new StreamReader(http.Request.Body);
            var received = new Received(
                http.Request.Method,
                http.Request.Path + http.Request.QueryString,
                http.Request.Headers.ToDictionary(static h => h.Key, static h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase),
                await reader.ReadToEndAsync(http.RequestAborted));
            var (status, body) = answer(received);
            _received.Enqueue(received);
            _arrived.Release();
            http.Response.StatusCode = status;
            http.Response.ContentType = "application/json";
            if (status is >= 300 and < 400)
            {
                http.Response.Headers.Location = "/elsewhere";
            }

            await http.Response.WriteAsync(body);
        });
    }

    /// <summary>Where it listens.</summary>
    public Uri Address => new(_app.Urls.Single());

    /// <summary>All requests so far.</summary>
    public IReadOnlyList<Received> Requests => [.. _received];

    public static async Task<HookReceiver> StartAsync(Func<Received, (int Status, string Body)>? answer = null)
    {
        var receiver = new HookReceiver(answer ?? (static _ => (204, "")));
        await receiver._app.StartAsync(TestContext.Current.CancellationToken);
        return receiver;
    }

    /// <summary>Waits until a condition on what has arrived holds, up to a limit.</summary>
    public async Task<IReadOnlyList<Received>> UntilAsync(Func<IReadOnlyList<Received>, bool> condition, TimeSpan limit, CancellationToken ct)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(ct);
        deadline.CancelAfter(limit);
        while (!condition(Requests))
        {
            await _arrived.WaitAsync(deadline.Token);
        }

        return Requests;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
