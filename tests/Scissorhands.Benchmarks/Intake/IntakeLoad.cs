using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Scissorhands.Drill.World;

namespace Scissorhands.Benchmarks.Intake;

/// <summary>What a caller saw. Times are in milliseconds, of accepted requests.</summary>
internal sealed record LoadOutcome(double Seconds, int Accepted, int Refused, double Median, double P95, double P99, double Slowest);

/// <summary>The caller of <see cref="IntakeBenchmark"/>: <c>intake-load ADDRESS MODEL SECONDS CONNECTIONS SAMPLES PREFIX</c>; prints what it saw as JSON.</summary>
internal static class IntakeLoad
{
    private const int IdsOfRequest = 3;
    private const int Stride = 29;

    /// <summary>Runs the caller.</summary>
    public static int Run(string[] args)
    {
        int Number(int index) => int.Parse(args[index], CultureInfo.InvariantCulture);
        var outcome = RunAsync(new Uri(args[0]), args[1], TimeSpan.FromSeconds(Number(2)), Number(3), Number(4), args[5]).GetAwaiter().GetResult();
        Console.WriteLine(JsonSerializer.Serialize(outcome));
        return 0;
    }

    private static async Task<LoadOutcome> RunAsync(Uri address, string model, TimeSpan time, int connections, int samples, string prefix)
    {
        using var http = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = connections }) { BaseAddress = address };
        var target = new Uri(address, "v1/deletion-requests");
        var type = new MediaTypeHeaderValue("application/json");
        var start = Stopwatch.GetTimestamp();
        var all = await Task.WhenAll(Enumerable.Range(0, connections).Select(connection => Task.Run(async () =>
        {
            var times = new List<double>();
            var refused = 0;
            for (var number = 0; Stopwatch.GetElapsedTime(start) < time; number++)
            {
                var ids = Enumerable.Range(0, IdsOfRequest).Select(i => $"\"{TinyData.Id("train", ((((number * connections) + connection) * IdsOfRequest) + i) * Stride % samples)}\"");
                var body = string.Create(CultureInfo.InvariantCulture, $$"""{"requestId":"{{prefix}}-{{connection}}-{{number}}","model":"{{model}}","ids":[{{string.Join(',', ids)}}]}""");
                using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body)) { Headers = { ContentType = type } };
                var sent = Stopwatch.GetTimestamp();
                using var response = await http.PostAsync(target, content);
                await response.Content.ReadAsByteArrayAsync();
                if (response.StatusCode == HttpStatusCode.Accepted)
                {
                    times.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
                }
                else
                {
                    refused++;
                }
            }

            return (Times: times, Refused: refused);
        })));
        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        var sorted = all.SelectMany(static a => a.Times).Order().ToArray();
        double Within(double share) => sorted.Length == 0 ? double.NaN : sorted[Math.Min(sorted.Length - 1, (int)Math.Ceiling(share * sorted.Length) - 1)];
        return new LoadOutcome(seconds, sorted.Length, all.Sum(static a => a.Refused), Within(0.5), Within(0.95), Within(0.99), Within(1));
    }
}
