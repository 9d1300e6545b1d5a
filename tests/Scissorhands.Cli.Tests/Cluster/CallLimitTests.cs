using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Scissorhands.Cli.Tests.Runs;
using Scissorhands.Drill.Cluster;

namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>A coordinator with keys and the lowest limits.</summary>
public sealed class LimitedCluster : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("scissorhands-limited-").FullName;

    public BrokerFixture Fixture { get; } = new();

    public LocalCluster? Cluster { get; private set; }

    private CallerKeys Keys => field ??= new CallerKeys(_folder);

    public async ValueTask InitializeAsync()
    {
        await Fixture.InitializeAsync();
        if (Fixture.Broker.Missing is not null)
        {
            return;
        }

        foreach (var name in (string[])["busy", "calm", "wordy"])
        {
            await Keys.AddAsync(name, "submit");
        }

        Cluster = await LocalCluster.StartAsync(
            new ClusterOptions { Broker = Fixture.Broker, CoordinatorArguments = ["--keys", Keys.File, "--limit-submissions", "1", "--limit-names", "1", "--limit-refusals", "3"] },
            workers: 0);
    }

    /// <summary>A client with a caller's key, or nobody's, that calls from an address of this machine.</summary>
    public HttpClient From(string address, string? name)
    {
        var http = new HttpClient(LocalAddress.Handler(address)) { BaseAddress = new Uri(Cluster!.Address) };
        http.DefaultRequestHeaders.Authorization = Keys.Header(name);
        return http;
    }

    public async ValueTask DisposeAsync()
    {
        if (Cluster is not null)
        {
            await Cluster.DisposeAsync();
        }

        await Fixture.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}

/// <summary>What is answered to callers who ask too much.</summary>
public sealed class CallLimitTests(LimitedCluster service) : IClassFixture<LimitedCluster>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Submissions_moreThanACallerMaySend_areRefusedWithTheTimeAndOthersAreNot()
    {
        Skip();
        using var busy = service.From("127.0.0.1", "busy");
        using var calm = service.From("127.0.0.1", "calm");
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => SubmitAsync(busy, 1)));

        Assert.Contains(answers, static answer => answer.StatusCode != HttpStatusCode.TooManyRequests);
        await AssertLimitedAsync(answers.First(static answer => answer.StatusCode == HttpStatusCode.TooManyRequests), "too many calls");
        Assert.NotEqual(HttpStatusCode.TooManyRequests, (await SubmitAsync(calm, 1)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await busy.GetAsync("v1/deletion-requests", Ct)).StatusCode);
    }

    [Fact]
    public async Task Names_moreThanACallerMaySend_areRefusedWithTheTime()
    {
        Skip();
        using var http = service.From("127.0.0.1", "wordy");

        Assert.NotEqual(HttpStatusCode.TooManyRequests, (await SubmitAsync(http, 100_000)).StatusCode);
        await AssertLimitedAsync(await SubmitAsync(http, 50_000), "too many names");
    }

    [Fact]
    public async Task Keys_wrongOnesTooOften_shutTheirAddressAlone()
    {
        Skip();
        using var guesser = service.From("127.0.0.7", "nobody");
        for (var guess = 0; guess < 3; guess++)
        {
            Assert.Equal(HttpStatusCode.Unauthorized, (await guesser.GetAsync("v1/deletion-requests", Ct)).StatusCode);
        }

        await AssertLimitedAsync(await guesser.GetAsync("v1/deletion-requests", Ct), "were refused");
        using var right = service.From("127.0.0.7", "calm");
        await AssertLimitedAsync(await right.GetAsync("v1/deletion-requests", Ct), "were refused");
        using var keyless = service.From("127.0.0.7", null);
        Assert.Equal(HttpStatusCode.Unauthorized, (await keyless.GetAsync("v1/deletion-requests", Ct)).StatusCode);
        using var elsewhere = service.From("127.0.0.8", "calm");
        Assert.Equal(HttpStatusCode.OK, (await elsewhere.GetAsync("v1/deletion-requests", Ct)).StatusCode);
    }

    [Theory]
    [InlineData("--limit-submissions")]
    [InlineData("--limit-names")]
    [InlineData("--limit-refusals")]
    public async Task Coordinator_limitOutOfRange_endsWithOneLine(string option)
    {
        await using var process = CliProcess.Start(["coordinator", option, "-1"], environment: [("SCISSORHANDS_RABBITMQ", "amqp://localhost"), ("SCISSORHANDS_INTAKE", "")]);
        var result = await process.FinishAsync();

        Assert.Equal(2, result.ExitCode);
        Assert.StartsWith(option + " -1: must be between", Assert.Single(result.Errors), StringComparison.Ordinal);
    }

    private static async Task<HttpResponseMessage> SubmitAsync(HttpClient http, int names) =>
        await http.PostAsJsonAsync("v1/deletion-requests", new { requestId = "r", model = "none", ids = Enumerable.Range(0, names).Select(static i => $"{i}") }, Ct);

    private static async Task AssertLimitedAsync(HttpResponseMessage answer, string reason)
    {
        Assert.Equal(HttpStatusCode.TooManyRequests, answer.StatusCode);
        Assert.True(answer.Headers.RetryAfter?.Delta >= TimeSpan.FromSeconds(1));
        Assert.Contains(reason, (await answer.Content.ReadFromJsonAsync<JsonObject>(Ct))!["error"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    private void Skip() => Assert.SkipWhen(service.Fixture.Broker.Missing is not null, service.Fixture.Broker.Missing ?? "");
}
