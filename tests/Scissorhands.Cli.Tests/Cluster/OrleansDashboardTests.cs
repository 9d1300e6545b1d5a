using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Scissorhands.Drill.Cluster;
using Scissorhands.Testing;

namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>Two coordinators that serve Orleans' dashboard to callers with keys or tokens, and look at few wrong ones.</summary>
public sealed class DashboardCluster : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("scissorhands-dashboard-").FullName;
    private readonly Broker _broker = new();
    private readonly Redis _redis = new();

    public string? Missing => _broker.Missing ?? _redis.Missing;

    public LocalCluster? Cluster { get; private set; }

    public TokenIssuer Issuer { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        await _broker.StartAsync();
        await _redis.StartAsync();
        if (Missing is not null)
        {
            return;
        }

        foreach (var (name, scopes) in ((string, string)[])[("pipeline", "submit,audit"), ("operator", "operate")])
        {
            await Keys.AddAsync(name, scopes);
        }

        Issuer = await TokenIssuer.StartAsync(CancellationToken.None);
        Cluster = await LocalCluster.StartAsync(
            new ClusterOptions
            {
                Broker = _broker,
                Redis = _redis.Address,
                Coordinators = 2,
                CoordinatorArguments = ["--keys", Keys.File, "--oidc-authority", Issuer.Address, "--oidc-audience", "scissorhands", "--limit-refusals", "3", "--orleans-dashboard"],
            },
            workers: 0);
    }

    public CallerKeys Keys => field ??= new CallerKeys(_folder);

    public async ValueTask DisposeAsync()
    {
        if (Cluster is not null)
        {
            await Cluster.DisposeAsync();
            await Issuer.DisposeAsync();
        }

        await _broker.DisposeAsync();
        await _redis.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}

/// <summary>Who is shown Orleans' dashboard, by a password too, and what of it. Each test calls from an address of its own: wrong keys shut it.</summary>
public sealed class OrleansDashboardTests(DashboardCluster service) : IClassFixture<DashboardCluster>
{
    private const string Data = "orleans/DashboardCounters";
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("orleans/", null, HttpStatusCode.Unauthorized)]
    [InlineData("orleans/index.min.js", null, HttpStatusCode.Unauthorized)]
    [InlineData(Data, null, HttpStatusCode.Unauthorized)]
    [InlineData("orleans/", "pipeline", HttpStatusCode.Forbidden)]
    [InlineData(Data, "pipeline", HttpStatusCode.Forbidden)]
    [InlineData("orleans/", "operator", HttpStatusCode.OK)]
    [InlineData("orleans/index.min.js", "operator", HttpStatusCode.OK)]
    [InlineData(Data, "operator", HttpStatusCode.OK)]
    [InlineData("orleans/Reminders", "operator", HttpStatusCode.OK)]
    [InlineData("orleans/Trace", "operator", HttpStatusCode.NotFound)]
    [InlineData("orleans/GrainState?grainId=x&grainType=y", "operator", HttpStatusCode.NotFound)]
    [InlineData("orleans/index.min.js.map", "operator", HttpStatusCode.NotFound)]
    [InlineData("orleans/SiloProperties/127.0.0.1:1@1", "operator", HttpStatusCode.NotFound)]
    [InlineData("orleans/SiloStats/127.0.0.1:1@1", "operator", HttpStatusCode.NotFound)]
    [InlineData("orleans/SiloMetadata/x", "operator", HttpStatusCode.NotFound)]
    [InlineData("orleans/SiloCounters/", "operator", HttpStatusCode.NotFound)]
    [InlineData("orleans/HistoricalStats/127.0.0.1:1@1", "operator", HttpStatusCode.NotFound)]
    public async Task Call_withTheKeyOf_isAnsweredAsItsScopesSayAndStrictly(string path, string? name, HttpStatusCode expected)
    {
        Skip();
        foreach (var sent in (AuthenticationHeaderValue?[])(name is null ? [null] : [Password(service.Keys[name]), Bearer(service.Keys[name])]))
        {
            using var http = From("127.0.1.1", sent);
            var answer = await http.GetAsync(path, Ct);

            Assert.Equal(expected, answer.StatusCode);
            if (expected == HttpStatusCode.Unauthorized)
            {
                AssertAsksForPassword(answer);
            }
            else if (expected == HttpStatusCode.OK)
            {
                var policy = Assert.Single(answer.Headers.GetValues("Content-Security-Policy"));
                Assert.StartsWith("default-src 'none'; script-src 'self'; ", policy, StringComparison.Ordinal);
                Assert.Contains("frame-ancestors 'none'", policy, StringComparison.Ordinal);
                Assert.DoesNotContain("http", policy, StringComparison.Ordinal);
                Assert.Equal(("nosniff", "no-referrer"), (Assert.Single(answer.Headers.GetValues("X-Content-Type-Options")), Assert.Single(answer.Headers.GetValues("Referrer-Policy"))));
                Assert.True(answer.Headers.CacheControl!.NoStore);
            }
        }
    }

    [Fact]
    public async Task Password_thatIsAToken_isTakenAsTheTokenIs()
    {
        Skip();
        using var right = From("127.0.1.2", Password(service.Issuer.Token(service.Issuer.Claims("s", "operate"))));
        Assert.Equal(HttpStatusCode.OK, (await right.GetAsync(Data, Ct)).StatusCode);
        using var other = From("127.0.1.2", Password(service.Issuer.Token(service.Issuer.Claims("s", "submit"))));
        Assert.Equal(HttpStatusCode.Forbidden, (await other.GetAsync(Data, Ct)).StatusCode);
        var late = service.Issuer.Claims("s", "operate");
        late["exp"] = 1_000_000_000;
        using var expired = From("127.0.1.2", Password(service.Issuer.Token(late)));
        var answer = await expired.GetAsync(Data, Ct);
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        AssertAsksForPassword(answer);
        Assert.Contains("expired", await answer.Content.ReadAsStringAsync(Ct), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Password_anywhereElse_isNotTakenNorCounted()
    {
        Skip();
        using var right = From("127.0.1.3", Password(service.Keys["operator"]));
        using var wrong = From("127.0.1.3", Password("sh_nobodys"));
        for (var call = 0; call < 5; call++)
        {
            foreach (var http in (HttpClient[])[right, wrong])
            {
                var answer = await http.GetAsync("v1/models", Ct);
                Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
                Assert.Equal("Bearer", answer.Headers.WwwAuthenticate.ToString());
            }
        }

        Assert.Equal(HttpStatusCode.OK, (await right.GetAsync("orleans/", Ct)).StatusCode);
    }

    [Theory]
    [InlineData("127.0.1.4", "Basic")]
    [InlineData("127.0.1.5", "Bearer")]
    public async Task Keys_wrongOnesTooOften_shutTheirAddressEverywhere(string address, string scheme)
    {
        Skip();
        string[] guesses = scheme == "Basic" ? [Pair("sh_nobodys"), "not base 64", Convert.ToBase64String("sh_nobodys"u8)] : ["sh_nobodys", "a", "a:b"];
        foreach (var guess in guesses)
        {
            using var http = From(address, null);
            http.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", $"{scheme} {guess}");
            AssertAsksForPassword(await http.GetAsync("orleans/", Ct));
        }

        using var byPassword = From(address, Password(service.Keys["operator"]));
        Assert.Equal(HttpStatusCode.TooManyRequests, (await byPassword.GetAsync("orleans/", Ct)).StatusCode);
        using var byHeader = From(address, Bearer(service.Keys["operator"]));
        Assert.Equal(HttpStatusCode.TooManyRequests, (await byHeader.GetAsync("v1/models", Ct)).StatusCode);
        using var elsewhere = From("127.0.1.1", Password(service.Keys["operator"]));
        Assert.Equal(HttpStatusCode.OK, (await elsewhere.GetAsync("orleans/", Ct)).StatusCode);
    }

    [Theory]
    [InlineData("POST", "orleans/", HttpStatusCode.MethodNotAllowed)]
    [InlineData("POST", Data, HttpStatusCode.MethodNotAllowed)]
    [InlineData("DELETE", "orleans/index.html", HttpStatusCode.MethodNotAllowed)]
    [InlineData("POST", "orleans", HttpStatusCode.MethodNotAllowed)]
    public async Task Call_thatDoesMoreThanRead_isRefused(string method, string path, HttpStatusCode expected)
    {
        Skip();
        using var http = From("127.0.1.1", Password(service.Keys["operator"]));
        using var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = JsonContent.Create(new { }) };

        Assert.Equal(expected, (await http.SendAsync(request, Ct)).StatusCode);
    }

    /// <summary>Browsers send a password again to all that lies in the folder of the address that asked for it.</summary>
    [Fact]
    public async Task Address_withoutItsSlash_leadsToTheFolderBeforeAPasswordIsAskedFor()
    {
        Skip();
        using var http = From("127.0.1.1", null);
        var answer = await http.GetAsync("orleans", Ct);

        Assert.Equal((HttpStatusCode.Redirect, "orleans/"), (answer.StatusCode, answer.Headers.Location?.ToString()));
        Assert.False(answer.Headers.Contains("WWW-Authenticate"));
    }

    [Fact]
    public async Task Data_ofEitherCoordinator_isOfBothAndLeavesTheLogClean()
    {
        Skip();
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        patience.CancelAfter(Deadline);
        for (var coordinator = 0; coordinator < 2; coordinator++)
        {
            using var http = From("127.0.1.1", Password(service.Keys["operator"]), coordinator);
            string[] silos = [];

            // It asks the silos once a second.
            while (silos.Length < 2)
            {
                var counters = await http.GetFromJsonAsync<JsonObject>(Data, patience.Token);
                silos = [.. counters!["hosts"]!.AsArray().Where(static host => host!["status"]?.GetValue<string>() == "Active").Select(static host => host!["siloAddress"]!.GetValue<string>())];
            }

            Assert.Equal(2, silos.Length);
            foreach (var path in silos.SelectMany(static silo => (string[])[$"SiloStats/{silo}", $"SiloProperties/{silo}", $"SiloMetadata/{silo}", $"SiloCounters/{silo}", $"HistoricalStats/{silo}"])
                .Concat(["version", "ClusterStats", "TopGrainMethods", "GrainTypes", "LifecycleStages", "Reminders", "Reminders/2"]))
            {
                Assert.Equal((path, HttpStatusCode.OK), (path, (await http.GetAsync($"orleans/{path}", patience.Token)).StatusCode));
            }
        }

        var said = service.Cluster!.Describe();
        Assert.DoesNotContain("Dashboard", said, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("eminder", said, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("fail: ", said, StringComparison.Ordinal);
        Assert.DoesNotContain(service.Keys["operator"], said, StringComparison.Ordinal);
        Assert.DoesNotContain(Pair(service.Keys["operator"]), said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Description_ofTheInterface_knowsNothingOfIt()
    {
        Skip();
        using var http = From("127.0.1.1", null);
        Assert.DoesNotContain("orleans", await http.GetStringAsync("openapi/v1.json", Ct), StringComparison.OrdinalIgnoreCase);
    }

    private static void AssertAsksForPassword(HttpResponseMessage answer)
    {
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        var asked = Assert.Single(answer.Headers.WwwAuthenticate);
        Assert.Equal("Basic", asked.Scheme);
        Assert.StartsWith("realm=\"", asked.Parameter, StringComparison.Ordinal);
    }

    private static string Pair(string key) => Convert.ToBase64String(Encoding.UTF8.GetBytes($"whoever:{key}"));

    private static AuthenticationHeaderValue Password(string key) => new("Basic", Pair(key));

    private static AuthenticationHeaderValue Bearer(string key) => new("Bearer", key);

    private HttpClient From(string address, AuthenticationHeaderValue? sent, int coordinator = 0)
    {
        var handler = LocalAddress.Handler(address);
        handler.AllowAutoRedirect = false;
        var http = new HttpClient(handler) { BaseAddress = new Uri(service.Cluster!.AddressOf(coordinator)) };
        http.DefaultRequestHeaders.Authorization = sent;
        return http;
    }

    private void Skip() => Assert.SkipWhen(service.Missing is not null, service.Missing ?? "");
}
