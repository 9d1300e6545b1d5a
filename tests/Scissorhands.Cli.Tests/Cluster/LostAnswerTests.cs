using System.Net;
using System.Net.Sockets;
using System.Text;
using Scissorhands.Cli.Tests.Runs;

namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>What the commands make of a coordinator that is lost while they wait for its answer.</summary>
public sealed class LostAnswerTests
{
    private const string View = """{"runId":"ab","status":"cancelled","generation":1,"members":[],"progress":[],"submittedAt":"2026-01-01T00:00:00Z","out":"/o","pool":"default","files":{}}""";

    [Fact]
    public async Task Status_coordinatorLostBeforeItsAnswer_asksAgain()
    {
        using var coordinator = new ScriptedCoordinator(null, "503 Service Unavailable", View);
        var result = await CliProcess.RunAsync(["status", "ab", "--coordinator", coordinator.Address]);

        Assert.True(result.ExitCode == 0, result.Describe());
        Assert.Contains("run ab:", result.Output[0], StringComparison.Ordinal);
        Assert.Single(result.Errors, static line => line.Contains("asking again", StringComparison.Ordinal));
        Assert.Equal(3, coordinator.Requests.Count);
    }

    [Fact]
    public async Task Status_tooManyCalls_asksAgainAfterTheTimeTold()
    {
        using var coordinator = new ScriptedCoordinator("429 Too Many Requests\r\nRetry-After: 1", View);
        var result = await CliProcess.RunAsync(["status", "ab", "--coordinator", coordinator.Address]);

        Assert.True(result.ExitCode == 0, result.Describe());
        Assert.Single(result.Errors, static line => line.Contains("too many calls", StringComparison.Ordinal));
        Assert.Equal(2, coordinator.Requests.Count);
    }

    [Fact]
    public async Task Status_tooManyCallsForLong_endsAtOnceWithWhatTheCoordinatorSays()
    {
        using var coordinator = new ScriptedCoordinator("429 Too Many Requests\r\nRetry-After: 3600", View);
        var result = await CliProcess.RunAsync(["status", "ab", "--coordinator", coordinator.Address]);

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("scripted", Assert.Single(result.Errors), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cancel_answerLost_repeatsAndTakesItsOwnEffectForDone()
    {
        using var coordinator = new ScriptedCoordinator(null, "409 Conflict", View);
        var result = await CliProcess.RunAsync(["cancel", "ab", "--coordinator", coordinator.Address]);

        Assert.True(result.ExitCode == 0, result.Describe());
        Assert.Equal(["POST /v1/runs/ab/cancel", "POST /v1/runs/ab/cancel", "GET /v1/runs/ab"], coordinator.Requests);
    }

    [Fact]
    public async Task Status_nothingListens_endsAtOnceAndNamesTheOption()
    {
        string address;
        using (var coordinator = new ScriptedCoordinator())
        {
            address = coordinator.Address;
        }

        var result = await CliProcess.RunAsync(["status", "--coordinator", address]);

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("--coordinator", Assert.Single(result.Errors, static line => line.Length > 0), StringComparison.Ordinal);
    }

    /// <summary>Answers one request a connection: null closes it without a word, a status is an error, anything else a body.</summary>
    private sealed class ScriptedCoordinator : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly Queue<string?> _answers;

        internal ScriptedCoordinator(params string?[] answers)
        {
            _answers = new Queue<string?>(answers);
            _listener.Start();
            Address = $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";
            _ = ServeAsync();
        }

        internal string Address { get; }

        internal List<string> Requests { get; } = [];

        public void Dispose() => _listener.Dispose();

        private async Task ServeAsync()
        {
            while (_answers.TryDequeue(out var answer))
            {
                using var client = await _listener.AcceptTcpClientAsync();
                await using var stream = client.GetStream();
                using var reader = new StreamReader(stream, Encoding.ASCII);
                Requests.Add((await reader.ReadLineAsync() ?? "")[..^" HTTP/1.1".Length]);
                while (await reader.ReadLineAsync() is { Length: > 0 })
                {
                }

                if (answer is not null)
                {
                    var isStatus = char.IsAsciiDigit(answer[0]);
                    var body = isStatus ? """{"error":"scripted"}""" : answer;
                    await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {(isStatus ? answer : "200 OK")}\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n{body}"));
                }
            }
        }
    }
}
