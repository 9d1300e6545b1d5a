using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Scissorhands.Cli.Tests.Telemetry;

/// <summary>A span as it was exported.</summary>
/// <param name="Service">The process that wrote it: coordinator or worker.</param>
/// <param name="Trace">Its trace, hex.</param>
/// <param name="Id">Its id, hex.</param>
/// <param name="Parent">Its parent's id, hex; empty for a root.</param>
/// <param name="Name">Its name.</param>
public sealed record ExportedSpan(string Service, string Trace, string Id, string Parent, string Name);

/// <summary>Takes OTLP over HTTP in, and reads of traces what the tests look at.</summary>
public sealed class TraceReceiver : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<ExportedSpan> _spans = new();
    private readonly SemaphoreSlim _arrived = new(0);

    private TraceReceiver()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _app = builder.Build();
        _app.MapPost("/v1/traces", async (HttpContext http) =>
        {
            using var body = new MemoryStream();
            await http.Request.Body.CopyToAsync(body, http.RequestAborted);
            Take(body.ToArray());
            _arrived.Release();
            return Results.Bytes([], "application/x-protobuf");
        });
        _app.MapPost("/v1/metrics", static () => Results.Bytes([], "application/x-protobuf"));
    }

    /// <summary>What the processes are told in their environment.</summary>
    public IReadOnlyDictionary<string, string> Variables => new Dictionary<string, string>
    {
        ["OTEL_EXPORTER_OTLP_ENDPOINT"] = _app.Urls.Single(),
        ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
        ["OTEL_BSP_SCHEDULE_DELAY"] = "200",
    };

    /// <summary>All spans so far.</summary>
    public IReadOnlyList<ExportedSpan> Spans => [.. _spans];

    public static async Task<TraceReceiver> StartAsync()
    {
        var receiver = new TraceReceiver();
        await receiver._app.StartAsync(TestContext.Current.CancellationToken);
        return receiver;
    }

    /// <summary>Waits until a condition on the spans holds, up to a limit.</summary>
    public async Task<IReadOnlyList<ExportedSpan>> UntilAsync(Func<IReadOnlyList<ExportedSpan>, bool> condition, TimeSpan limit, CancellationToken ct)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(ct);
        deadline.CancelAfter(limit);
        try
        {
            while (!condition(Spans))
            {
                await _arrived.WaitAsync(deadline.Token);
            }
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            Assert.Fail("Spans so far:\n" + string.Join('\n', Spans.Select(static s => s.ToString()).Order(StringComparer.Ordinal)));
        }

        return Spans;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _arrived.Dispose();
    }

    // ExportTraceServiceRequest: 1 resource spans { 1 resource { 1 attributes }, 2 scope spans { 2 span } }.
    private void Take(ReadOnlyMemory<byte> request)
    {
        foreach (var (_, resourceSpans) in Fields(request).Where(static f => f.Number == 1))
        {
            var service = "";
            foreach (var (number, part) in Fields(resourceSpans))
            {
                if (number == 1)
                {
                    service = Fields(part).Where(static f => f.Number == 1).Select(static f => Fields(f.Bytes).ToList())
                        .Where(static a => a.Count == 2 && Text(a[0].Bytes) == "service.name").Select(static a => Text(Fields(a[1].Bytes).First().Bytes)).FirstOrDefault("");
                }
                else if (number == 2)
                {
                    foreach (var (_, span) in Fields(part).Where(static f => f.Number == 2))
                    {
                        var fields = Fields(span).GroupBy(static f => f.Number).ToDictionary(static g => g.Key, static g => g.First().Bytes);
                        _spans.Enqueue(new ExportedSpan(service, Hex(fields, 1), Hex(fields, 2), Hex(fields, 4), Text(fields[5])));
                    }
                }
            }
        }
    }

    private static string Hex(Dictionary<int, ReadOnlyMemory<byte>> fields, int number) => fields.TryGetValue(number, out var bytes) ? Convert.ToHexStringLower(bytes.Span) : "";

    private static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);

    /// <summary>The length-delimited fields of a message of the protocol buffers' encoding.</summary>
    private static IEnumerable<(int Number, ReadOnlyMemory<byte> Bytes)> Fields(ReadOnlyMemory<byte> message)
    {
        for (var at = 0; at < message.Length;)
        {
            var key = Varint(message.Span, ref at);
            switch (key & 7)
            {
                case 0:
                    Varint(message.Span, ref at);
                    break;
                case 1:
                    at += sizeof(ulong);
                    break;
                case 2:
                    var length = (int)Varint(message.Span, ref at);
                    yield return ((int)(key >> 3), message.Slice(at, length));
                    at += length;
                    break;
                default:
                    at += sizeof(uint);
                    break;
            }
        }
    }

    private static ulong Varint(ReadOnlySpan<byte> bytes, ref int at)
    {
        ulong value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var next = bytes[at++];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }
    }
}
