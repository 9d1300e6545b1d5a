using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Data.Sqlite;
using Scissorhands.Cli.Tests.Runs;
using Scissorhands.Deletion.Audit;
using Scissorhands.Drill.Cluster;
using Scissorhands.Drill.World;
using Scissorhands.Grains.Store;

namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>A coordinator with callers' keys, an issuer of tokens, one root, and no workers.</summary>
public sealed class GuardedCluster : IAsyncLifetime
{
    public BrokerFixture Fixture { get; } = new();

    public LocalCluster? Cluster { get; private set; }

    public string Folder { get; } = Directory.CreateTempSubdirectory("scissorhands-guarded-").FullName;

    private CallerKeys Keys => field ??= new CallerKeys(Folder);

    public TinyFiles Files { get; private set; } = null!;

    public string StorePath => Path.Combine(Folder, "store.db");

    /// <summary>The key that heads of the audit are verified with.</summary>
    public string PublicKey => Path.Combine(Folder, "public.pem");

    public TokenIssuer Issuer { get; private set; } = null!;

    /// <summary>What was answered to a token while the issuer did not answer.</summary>
    public HttpStatusCode WhileIssuerWasAway { get; private set; }

    public async ValueTask InitializeAsync()
    {
        await Fixture.InitializeAsync();
        if (Fixture.Broker.Missing is not null)
        {
            return;
        }

        Directory.CreateDirectory(Path.Combine(Folder, "root"));
        Files = new TinyFiles(Path.Combine(Folder, "root"));
        await Files.WriteAsync();
        foreach (var (name, tenant, scopes) in ((string, string, string)[])[("pipeline", "a", "submit"), ("other", "b", "submit"), ("operator", "a", "submit,operate"), ("auditor", "a", "audit"), ("alone", "z", "submit,operate,audit")])
        {
            await Keys.AddAsync(name, scopes, "--tenant", tenant);
        }

        Issuer = await TokenIssuer.StartAsync(CancellationToken.None);
        string[] oidc = ["--oidc-authority", Issuer.Address, "--oidc-audience", "scissorhands", "--oidc-tenant-claim", "org"];
        using var signing = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        await File.WriteAllTextAsync(Path.Combine(Folder, "sign.pem"), signing.ExportPkcs8PrivateKeyPem());
        await File.WriteAllTextAsync(PublicKey, signing.ExportSubjectPublicKeyInfoPem());
        string[] sign = ["--sign-key", Path.Combine(Folder, "sign.pem"), "--head-interval", "0.01"];
        Cluster = await LocalCluster.StartAsync(
            new ClusterOptions { Broker = Fixture.Broker, Store = "sqlite:" + StorePath, CoordinatorArguments = ["--root", Files.Folder, "--keys", Keys.File, .. oidc, .. sign] },
            workers: 0);

        // Before the first other token: what the issuer has said once is kept.
        Issuer.Away = true;
        using var http = With(Issuer.Token(Issuer.Claims("early", "submit")));
        WhileIssuerWasAway = (await http.GetAsync("v1/deletion-requests")).StatusCode;
        Issuer.Away = false;
    }

    public HttpClient With(string token)
    {
        var http = new HttpClient { BaseAddress = new Uri(Cluster!.Address) };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return http;
    }

    public HttpClient As(string? name)
    {
        var http = new HttpClient { BaseAddress = new Uri(Cluster!.Address) };
        http.DefaultRequestHeaders.Authorization = Keys.Header(name);
        return http;
    }

    public async Task<CliResult> CommandAsync(string name, params string[] arguments)
    {
        var key = Path.Combine(Folder, $"key-of-{name}");
        await File.WriteAllTextAsync(key, Keys[name] + "\n");
        await using var process = CliProcess.Start(arguments, environment: [("SCISSORHANDS_KEY_FILE", key), ("SCISSORHANDS_COORDINATOR", Cluster!.Address)]);
        return await process.FinishAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (Cluster is not null)
        {
            await Cluster.DisposeAsync();
            await Issuer.DisposeAsync();
        }

        await Fixture.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }
}

/// <summary>Who may do what, what may be named, and the commands of the service.</summary>
public sealed class AccessTests(GuardedCluster service) : IClassFixture<GuardedCluster>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private static string Id(int sample) => TinyData.Id("train", sample);

    [Theory]
    [InlineData(null, "GET", "v1/deletion-requests", HttpStatusCode.Unauthorized)]
    [InlineData("nobody", "GET", "v1/deletion-requests", HttpStatusCode.Unauthorized)]
    [InlineData("pipeline", "GET", "v1/deletion-requests", HttpStatusCode.OK)]
    [InlineData("pipeline", "GET", "v1/models", HttpStatusCode.Forbidden)]
    [InlineData("pipeline", "GET", "v1/runs", HttpStatusCode.Forbidden)]
    [InlineData("pipeline", "GET", "v1/audit", HttpStatusCode.Forbidden)]
    [InlineData("auditor", "GET", "v1/audit", HttpStatusCode.OK)]
    [InlineData("auditor", "POST", "v1/deletion-requests", HttpStatusCode.Forbidden)]
    [InlineData("operator", "GET", "v1/models", HttpStatusCode.OK)]
    [InlineData("operator", "GET", "v1/runs", HttpStatusCode.OK)]
    [InlineData("operator", "GET", "orleans", HttpStatusCode.NotFound)]
    [InlineData("operator", "GET", "orleans/DashboardCounters", HttpStatusCode.NotFound)]
    [InlineData(null, "GET", "healthz", HttpStatusCode.OK)]
    public async Task Call_withTheKeyOf_isAnsweredAsItsScopesSay(string? name, string method, string path, HttpStatusCode expected)
    {
        Skip();
        using var http = service.As(name);
        using var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = method == "POST" ? JsonContent.Create(new { }) : null };

        Assert.Equal(expected, (await http.SendAsync(request, Ct)).StatusCode);
    }

    [Theory]
    [InlineData("submit", "v1/deletion-requests", HttpStatusCode.OK)]
    [InlineData("openid submit email", "v1/deletion-requests", HttpStatusCode.OK)]
    [InlineData("operate", "v1/models", HttpStatusCode.OK)]
    [InlineData("audit", "v1/audit", HttpStatusCode.OK)]
    [InlineData("submit", "v1/models", HttpStatusCode.Forbidden)]
    [InlineData("submit operate", "v1/audit", HttpStatusCode.Forbidden)]
    [InlineData("Audit audits", "v1/audit", HttpStatusCode.Forbidden)]
    public async Task Call_withATokenOf_isAnsweredAsItsScopesSay(string scope, string path, HttpStatusCode expected)
    {
        Skip();
        var claims = service.Issuer.Claims("s", scope);
        var listed = service.Issuer.Claims("s", "");
        listed.Remove("scope");
        listed["scp"] = new JsonArray([.. scope.Split(' ').Select(static s => (JsonNode)s)]);

        Assert.Equal(expected, await AnswerAsync(service.Issuer.Token(claims), path));
        Assert.Equal(expected, await AnswerAsync(service.Issuer.Token(claims, "RS256"), path));
        Assert.Equal(expected, await AnswerAsync(service.Issuer.Token(listed), path));
    }

    [Theory]
    [InlineData("exp", "1000000000", "ES256", "expired")]
    [InlineData("exp", null, "ES256", "never expires")]
    [InlineData("nbf", "9000000000", "ES256", "its times")]
    [InlineData("aud", "\"another\"", "ES256", "another service")]
    [InlineData("aud", null, "ES256", "another service")]
    [InlineData("iss", "\"http://127.0.0.1:1\"", "ES256", "another issuer")]
    [InlineData("sub", null, "ES256", "no subject")]
    [InlineData("sub", "\"\"", "ES256", "no subject")]
    [InlineData("sub", "\"a\\nb\"", "ES256", "no subject")]
    [InlineData("org", null, "ES256", "no tenant")]
    [InlineData("org", "[\"a\",\"b\"]", "ES256", "no tenant")]
    [InlineData("x", "1", "none", "signature")]
    [InlineData("x", "1", "HS256", "signature")]
    [InlineData("x", "1", "changed", "signature")]
    [InlineData("x", "1", "swapped", "signature")]
    [InlineData("x", "1", "garbage", "cannot be read")]
    public async Task Call_withATokenThatIsNotInOrder_isRefusedWithTheReason(string claim, string? value, string algorithm, string reason)
    {
        Skip();
        var claims = service.Issuer.Claims("s", "submit operate audit");
        claims[claim] = value is null ? null : JsonNode.Parse(value);
        if (value is null)
        {
            claims.Remove(claim);
        }

        var good = service.Issuer.Token(claims);
        var token = algorithm switch
        {
            "changed" => good[..^8] + (good[^8] == 'A' ? 'B' : 'A') + good[^7..],
            "swapped" => string.Join('.', service.Issuer.Token(service.Issuer.Claims("other", "audit")).Split('.')[0], good.Split('.')[1], service.Issuer.Token(service.Issuer.Claims("other", "audit")).Split('.')[2]),
            "garbage" => "a.b.c",
            _ => service.Issuer.Token(claims, algorithm),
        };
        using var http = service.With(token);
        var response = await http.GetAsync("v1/deletion-requests", Ct);

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Contains("Bearer", response.Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);
        Assert.Contains(reason, (await response.Content.ReadFromJsonAsync<JsonObject>(Ct))!["error"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Fact]
    public void Call_withATokenWhileTheIssuerIsAway_isAskedAgain()
    {
        Skip();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, service.WhileIssuerWasAway);
    }

    /// <summary>A key and a token of the same name are not the same caller: the id is a hash of who asks, too.</summary>
    [Fact]
    public async Task Request_withAToken_isOfItsTenantAndOfNoKeysCaller()
    {
        Skip();
        await AddAsync("tokens");
        using var key = service.As("pipeline");
        using var token = service.With(service.Issuer.Token(service.Issuer.Claims("pipeline", "submit")));
        var elsewhere = service.Issuer.Claims("pipeline", "submit");
        elsewhere["org"] = "c";
        using var other = service.With(service.Issuer.Token(elsewhere));
        var body = new { requestId = "same", model = "tokens", ids = new[] { Id(1) } };
        var byKey = await (await key.PostAsJsonAsync("v1/deletion-requests", body, Ct)).Content.ReadFromJsonAsync<JsonObject>(Ct);
        var byToken = await (await token.PostAsJsonAsync("v1/deletion-requests", body, Ct)).Content.ReadFromJsonAsync<JsonObject>(Ct);

        Assert.NotEqual(byKey!["id"]!.GetValue<string>(), byToken!["id"]!.GetValue<string>());
        var status = byToken["status"]!.GetValue<string>();
        Assert.Equal(HttpStatusCode.OK, (await token.GetAsync(status, Ct)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await key.GetAsync(status, Ct)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await other.GetAsync(status, Ct)).StatusCode);
    }

    [Theory]
    [InlineData("--oidc-authority: missing", "--oidc-audience", "a")]
    [InlineData("--oidc-authority ftp://x:", "--oidc-authority", "ftp://x", "--oidc-audience", "a")]
    [InlineData("must be https", "--oidc-authority", "http://login.example.org", "--oidc-audience", "a")]
    [InlineData("--oidc-audience: missing", "--oidc-authority", "https://login.example.org")]
    [InlineData("--keys must name", "--http", "http://0.0.0.0:1")]
    [InlineData("takes no path", "--http", "http://localhost:1/base")]
    public async Task Coordinator_oidcOptionsThatAreNotInOrder_endItWithOneLine(string expected, params string[] arguments)
    {
        await using var process = CliProcess.Start(["coordinator", .. arguments], environment: [("SCISSORHANDS_RABBITMQ", "amqp://localhost"), ("SCISSORHANDS_INTAKE", "")]);
        var result = await process.FinishAsync();

        Assert.Equal(2, result.ExitCode);
        Assert.Contains(expected, Assert.Single(result.Errors), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Key_ofACallerWhoHasOne_isMadeWithAWarning()
    {
        var file = Path.Combine(service.Folder, "twice");
        string[] make = ["key", "caller", "--scope", "submit", "--keys", file];
        Assert.Empty((await CliProcess.RunAsync(make)).Errors);
        var second = await CliProcess.RunAsync(make);

        Assert.True(second.ExitCode == 0, second.Describe());
        Assert.Contains("caller has a key already", Assert.Single(second.Errors), StringComparison.Ordinal);

        // A file with this one more would be refused by the coordinator's next start.
        var elsewhere = await CliProcess.RunAsync([.. make, "--tenant", "b"]);
        Assert.Equal(2, elsewhere.ExitCode);
        Assert.Contains("--tenant b: caller is a caller of tenant default", Assert.Single(elsewhere.Errors), StringComparison.Ordinal);
        Assert.Equal(2, (await File.ReadAllLinesAsync(file, Ct)).Length);
    }

    /// <summary>The file of keys' hashes and that of a key are easily taken for each other.</summary>
    [Fact]
    public async Task Command_withTheFileOfKeysForAKey_isToldWhatTheFileMustHold()
    {
        var file = Path.Combine(service.Folder, "hashes");
        foreach (var name in (string[])["one", "two"])
        {
            Assert.Empty((await CliProcess.RunAsync(["key", name, "--scope", "submit", "--keys", file])).Errors);
        }

        await using var process = CliProcess.Start(["status"], environment: [("SCISSORHANDS_KEY_FILE", file), ("SCISSORHANDS_COORDINATOR", "http://127.0.0.1:1")]);
        var result = await process.FinishAsync();
        Assert.Equal(2, result.ExitCode);
        Assert.StartsWith($"SCISSORHANDS_KEY_FILE {file}: must hold one key or token and nothing else", Assert.Single(result.Errors), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--policy missing.yaml: no such file", "models", "add", "m", "--model", "m.pt", "--data-set", "d", "--data", "d", "--versions", "v", "--policy", "missing.yaml")]
    [InlineData("--timeout 5: must be above 0", "requests", "--timeout", "5")]
    [InlineData("--limit 501: must be between 1 and 500", "requests", "--limit", "501")]
    [InlineData("NAME '': must hold more than blanks", "key", "", "--scope", "submit", "--keys", "keys")]
    [InlineData("--tenant ' t': must hold more than blanks, and none at its ends", "key", "n", "--tenant", " t", "--scope", "submit", "--keys", "keys")]
    [InlineData("--deadline 03.01.2027: must be a time as ISO 8601 writes it", "requests", "submit", "--request-id", "r", "--model", "m", "--id", "a", "--deadline", "03.01.2027")]
    [InlineData("--received 12:00: must be a time as ISO 8601 writes it", "requests", "submit", "--request-id", "r", "--model", "m", "--id", "a", "--received", "12:00")]
    [InlineData("VERSION 1v: must be a number, such as 1 or v0001", "rollback", "m", "1v")]
    [InlineData("--timeout 0: must be above 0", "requests", "--wait", "--timeout", "0")]
    public async Task Command_optionThatIsNotInOrder_isNamed(string expected, params string[] arguments)
    {
        var result = await CliProcess.RunAsync(arguments);
        Assert.Equal(2, result.ExitCode);
        Assert.StartsWith(expected, Assert.Single(result.Errors), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Key_nameWithTheSeparatorOfTokens_isRefused()
    {
        var result = await CliProcess.RunAsync(["key", "https://issuer|subject", "--scope", "submit", "--keys", Path.Combine(service.Folder, "unused")]);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("must not hold '|'", Assert.Single(result.Errors), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Commands_modelRequestsHoldAndAudit_fromRegistrationToTheChain()
    {
        Skip();
        await AddAsync("cli");
        var submitted = await service.CommandAsync("pipeline", "requests", "submit", "--request-id", "c1", "--model", "cli", "--id", Id(1), "--id", Id(2), "--id", "nobody");
        Assert.True(submitted.ExitCode == 0, submitted.Describe());
        Assert.Contains("received for cli, 2 samples, 1 unknown", submitted.Output[0], StringComparison.Ordinal);
        var id = submitted.Output[0].Split(' ')[1].TrimEnd(':');
        using (var http = service.As("pipeline"))
        {
            await http.UntilAsync($"v1/deletion-requests/{id}", static state => state != "received", service.Cluster!);
        }

        var rejected = await service.CommandAsync("pipeline", "requests", "submit", "--request-id", "c2", "--model", "cli", "--id", "nobody");
        Assert.Equal(1, rejected.ExitCode);
        Assert.Contains("rejected for cli", Assert.Single(rejected.Output), StringComparison.Ordinal);
        Assert.DoesNotContain("expected", rejected.Output[0], StringComparison.Ordinal);
        var waited = await service.CommandAsync("pipeline", "requests", id, "--wait", "--timeout", "0.01");
        Assert.Equal(1, waited.ExitCode);
        Assert.Contains("--timeout 0.01", Assert.Single(waited.Errors), StringComparison.Ordinal);
        Assert.Contains(Directory.EnumerateFiles(service.Files.Folder, "*", SearchOption.AllDirectories), static file => Path.GetFileName(Path.GetDirectoryName(file)) == "names");

        var held = await service.CommandAsync("operator", "hold", id);
        Assert.Contains("onHold", Assert.Single(held.Output), StringComparison.Ordinal);
        var released = await service.CommandAsync("operator", "hold", id, "--release");
        Assert.Contains("accepted", Assert.Single(released.Output), StringComparison.Ordinal);
        var cancelled = await service.CommandAsync("pipeline", "requests", "cancel", id);
        Assert.Contains("cancelled", Assert.Single(cancelled.Output), StringComparison.Ordinal);
        var again = await service.CommandAsync("operator", "requests", "retry", id);
        Assert.Equal(2, again.ExitCode);
        Assert.Contains("is cancelled", again.Errors[0], StringComparison.Ordinal);

        var models = await service.CommandAsync("operator", "models", "cli");
        Assert.Contains("version 0 in use", models.Output[0], StringComparison.Ordinal);
        var rollback = await service.CommandAsync("operator", "rollback", "cli", "3");
        Assert.Equal(2, rollback.ExitCode);

        var audit = await AuditAsync("request.cancelled");
        Assert.Contains(audit.Output, static line => line.Contains("request.on-hold", StringComparison.Ordinal));
        Assert.Contains("each follows the one before", audit.Errors[0], StringComparison.Ordinal);
        Assert.DoesNotContain(Id(1), string.Join('\n', audit.Output) + service.Cluster!.Describe(), StringComparison.Ordinal);
        var forbidden = await service.CommandAsync("pipeline", "audit");
        Assert.Equal(2, forbidden.ExitCode);
        Assert.Contains($"has not the scope audit, which is needed (sent: what SCISSORHANDS_KEY_FILE {Path.Combine(service.Folder, "key-of-pipeline")} holds)", Assert.Single(forbidden.Errors), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Request_whoseRunHasNoWorkers_tellsTheRunAndWhatItWaitsFor()
    {
        Skip();
        using var operating = service.As("operator");
        var body = Registration("waiting");
        body["policy"] = new JsonObject { ["minRequests"] = 1, ["maxWait"] = "00:00:00", ["gate"] = new JsonObject { ["smallSets"] = "accept" } };
        var added = await operating.PutAsJsonAsync("v1/models/waiting", body, Ct);
        Assert.True(added.IsSuccessStatusCode, await added.Content.ReadAsStringAsync(Ct));
        var answer = await (await operating.PostAsJsonAsync("v1/deletion-requests", new { requestId = "w", model = "waiting", ids = new[] { Id(1) } }, Ct)).Content.ReadFromJsonAsync<JsonObject>(Ct);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        limit.CancelAfter(TimeSpan.FromMinutes(2));
        JsonObject shown;
        do
        {
            shown = (await operating.GetFromJsonAsync<JsonObject>(answer!["status"]!.GetValue<string>(), limit.Token))!;
        }
        while (shown["run"] is null || shown["reason"] is null);

        Assert.Contains("worker", shown["reason"]!.GetValue<string>(), StringComparison.Ordinal);
        var listed = await service.CommandAsync("pipeline", "requests", "--model", "waiting");
        Assert.Contains($"  run {shown["run"]}  ({shown["reason"]})", Assert.Single(listed.Output), StringComparison.Ordinal);
        Assert.True((await service.CommandAsync("operator", "status", shown["run"]!.GetValue<string>())).ExitCode == 0);

        var unknown = await service.CommandAsync("pipeline", "requests", "nonsense");
        Assert.Equal(2, unknown.ExitCode);
        Assert.Equal("request nonsense: not known here", Assert.Single(unknown.Errors));
    }

    /// <summary>Rows that follow each other, but are others than were there, or fewer; with the heads taken away too, what was kept finds it.</summary>
    [Fact]
    public async Task Audit_chainRewrittenOrCutInTheStore_isFoundBySignedHeads()
    {
        Skip();
        await AddAsync("signed", "alone");
        var submitted = await service.CommandAsync("alone", "requests", "submit", "--request-id", "s1", "--model", "signed", "--id", Id(1));
        var id = submitted.Output[0].Split(' ')[1].TrimEnd(':');
        var kept = Path.Combine(service.Folder, "kept-heads");
        string[] check = ["audit", "--key", service.PublicKey, "--heads", kept];
        await AuditAsync("alone", static audit => audit.ExitCode == 0 && audit.Errors[^1].StartsWith("3 rows are under", StringComparison.Ordinal), check);
        var cancelled = await service.CommandAsync("alone", "requests", "cancel", id);
        Assert.True(cancelled.ExitCode == 0, cancelled.Describe());
        var good = await AuditAsync("alone", static audit => audit.ExitCode == 0 && audit.Errors[^1].StartsWith("5 rows are under", StringComparison.Ordinal), check);
        Assert.Contains("0 are under none yet", good.Errors[^1], StringComparison.Ordinal);
        Assert.True(File.ReadLines(kept).Count() >= 2);

        using (var another = ECDsa.Create(ECCurve.NamedCurves.nistP256))
        {
            await File.WriteAllTextAsync(Path.Combine(service.Folder, "another.pem"), another.ExportSubjectPublicKeyInfoPem(), Ct);
        }

        await AssertFoundAsync("no head is signed with this key", "audit", "--key", Path.Combine(service.Folder, "another.pem"));

        using var http = service.As("alone");
        var rows = (await http.GetFromJsonAsync<List<AuditEntry>>("v1/audit", DeletionJson.Options, Ct))!;
        var rewritten = new List<AuditEntry>();
        foreach (var row in rows)
        {
            var draft = new AuditDraft("z", row.Time, row.Kind, row.Sequence == 2 ? row.Body.Replace("alone", "nobody", StringComparison.Ordinal) : row.Body);
            rewritten.Add(AuditEntry.After(draft, row.Sequence, rewritten.Count == 0 ? AuditEntry.Beginning : rewritten[^1].Hash));
        }

        await ReplaceAsync(rewritten);
        Assert.Equal(0, (await service.CommandAsync("alone", "audit")).ExitCode);
        await AssertFoundAsync("is not the one whose head was signed", "audit", "--key", service.PublicKey);
        await ReplaceAsync(rows.GetRange(0, 3));
        Assert.Equal(0, (await service.CommandAsync("alone", "audit")).ExitCode);
        await AssertFoundAsync("rows 4 to 5 are missing", "audit", "--key", service.PublicKey);
        await ExecuteAsync("DELETE FROM audit_signed_head WHERE chain = 'z' AND sequence > 3");
        Assert.Equal(0, (await service.CommandAsync("alone", "audit", "--key", service.PublicKey)).ExitCode);
        await AssertFoundAsync("rows 4 to 5 are missing", check);
    }

    [Theory]
    [InlineData("--heads: needs --key", "--heads", "kept")]
    [InlineData("missing.pem: no such file", "--key", "missing.pem")]
    [InlineData("--signed-within 0", "--signed-within", "0")]
    public async Task Audit_optionsThatAreNotInOrder_endItWithOneLine(string expected, params string[] arguments)
    {
        var result = await CliProcess.RunAsync(["audit", .. arguments]);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(expected, Assert.Single(result.Errors), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Request_ofAnotherTenant_isAsUnknownAsNone()
    {
        Skip();
        await AddAsync("tenants");
        using var mine = service.As("pipeline");
        using var other = service.As("other");
        var answer = await (await mine.PostAsJsonAsync("v1/deletion-requests", new { requestId = "t", model = "tenants", ids = new[] { Id(1) } }, Ct)).Content.ReadFromJsonAsync<JsonObject>(Ct);
        var status = answer!["status"]!.GetValue<string>();

        Assert.Equal(HttpStatusCode.OK, (await mine.GetAsync(status, Ct)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await other.GetAsync(status, Ct)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await other.PostAsJsonAsync($"{status}/cancel", new { }, Ct)).StatusCode);
        Assert.Equal("[]", await other.GetStringAsync("v1/deletion-requests", Ct));

        // Nor is the model there for them, whose ids they could try out otherwise.
        var probe = await other.PostAsJsonAsync("v1/deletion-requests", new { requestId = "t", model = "tenants", ids = new[] { Id(1) } }, Ct);
        Assert.Equal(HttpStatusCode.BadRequest, probe.StatusCode);
        Assert.Contains("is not registered", await probe.Content.ReadAsStringAsync(Ct), StringComparison.Ordinal);
    }

    /// <summary>A run that carries out requests is its model's tenant's; it waits here, as there is no worker.</summary>
    [Fact]
    public async Task Run_ofAnotherTenantsModel_isAsUnknownAsNone()
    {
        Skip();
        using var mine = service.As("operator");
        using var other = service.As("alone");
        var body = Registration("hidden");
        body["policy"] = new JsonObject { ["maxWait"] = "00:00:00.1", ["minRequests"] = 1, ["gate"] = new JsonObject { ["smallSets"] = "accept" } };
        var registered = await mine.PutAsJsonAsync("v1/models/hidden", body, Ct);
        Assert.True(registered.IsSuccessStatusCode, await registered.Content.ReadAsStringAsync(Ct));
        var answer = await (await mine.PostAsJsonAsync("v1/deletion-requests", new { requestId = "r", model = "hidden", ids = new[] { Id(1) } }, Ct)).Content.ReadFromJsonAsync<JsonObject>(Ct);
        var status = answer!["status"]!.GetValue<string>();
        await mine.UntilAsync(status, static state => state == "running", service.Cluster!);
        var run = (await mine.GetFromJsonAsync<JsonObject>(status, Ct))!["run"]!.GetValue<string>();

        Assert.Contains(run, await mine.GetStringAsync("v1/runs", Ct), StringComparison.Ordinal);
        Assert.DoesNotContain(run, await other.GetStringAsync("v1/runs", Ct), StringComparison.Ordinal);
        foreach (var part in (string[])["", "/figures"])
        {
            Assert.Equal(HttpStatusCode.OK, (await mine.GetAsync($"v1/runs/{run}{part}", Ct)).StatusCode);
        }

        foreach (var part in (string[])["", "/figures", "/events", "/report", "/report.html"])
        {
            Assert.Equal((part, HttpStatusCode.NotFound), (part, (await other.GetAsync($"v1/runs/{run}{part}", HttpCompletionOption.ResponseHeadersRead, Ct)).StatusCode));
        }

        Assert.Equal(HttpStatusCode.NotFound, (await other.PostAsJsonAsync($"v1/runs/{run}/cancel", new { }, Ct)).StatusCode);
        Assert.Equal("queued", (await mine.GetFromJsonAsync<JsonObject>($"v1/runs/{run}", Ct))!["status"]!.GetValue<string>());
        Assert.Equal(HttpStatusCode.OK, (await mine.PostAsJsonAsync($"v1/runs/{run}/cancel", new { }, Ct)).StatusCode);
    }

    /// <summary>What stood in a file is not told back: whoever may submit could read the service's files.</summary>
    [Fact]
    public async Task Submit_namesOfAFile_areCounted()
    {
        Skip();
        await AddAsync("files");
        var list = Path.Combine(service.Files.Folder, "secret.txt");
        await File.WriteAllLinesAsync(list, [Id(1), "a secret", "another"], Ct);
        using var http = service.As("pipeline");
        var answer = await (await http.PostAsJsonAsync("v1/deletion-requests", new { requestId = "f", model = "files", file = list, ids = new[] { "mine" } }, Ct)).Content.ReadAsStringAsync(Ct);

        Assert.Contains("\"unknown\":[\"mine\",\"2 in the file\"]", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Register_againWithAnotherPolicy_changesIt_withOtherData_isRefused()
    {
        Skip();
        await AddAsync("policy");
        using var http = service.As("operator");
        var body = Registration("policy");
        body["testData"] = service.Files.TestPath;
        body["policy"] = new JsonObject { ["maxWait"] = "00:00:07" };

        var changed = await http.PutAsJsonAsync("v1/models/policy", body, Ct);
        Assert.True(changed.IsSuccessStatusCode, await changed.Content.ReadAsStringAsync(Ct));
        Assert.Contains("00:00:07", await http.GetStringAsync("v1/models/policy", Ct), StringComparison.Ordinal);
        body["data"] = service.Files.TestPath;
        Assert.Equal(HttpStatusCode.Conflict, (await http.PutAsJsonAsync("v1/models/policy", body, Ct)).StatusCode);
        body = Registration("policy");
        Assert.Equal(HttpStatusCode.Conflict, (await http.PutAsJsonAsync("v1/models/policy-beside", body, Ct)).StatusCode);
    }

    [Theory]
    [InlineData("""{"verisons":"/m"}""", "the body: unknown key 'verisons'; did you mean 'versions'?")]
    [InlineData("""{"configuration":3}""", "configuration: must be a section of keys and values")]
    [InlineData("""{"policy":{"maxWiat":"00:00:01"}}""", "the body: unknown key 'policy.maxWiat'; did you mean 'maxWait'?")]
    [InlineData("""{"policy":{"maxWait":"soon"}}""", "the body: policy.maxWait: must be a duration")]
    [InlineData("""{"workers":1,"workers":2}""", "the body: not the JSON that is expected, line 1")]
    public async Task Register_wrongBody_namesTheKeyAndWhatIsExpected(string body, string expected)
    {
        Skip();
        using var http = service.As("operator");
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        var answer = await http.PutAsync("v1/models/wrong", content, Ct);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.StartsWith(expected, (await answer.Content.ReadFromJsonAsync<JsonObject>(Ct))!["error"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    /// <summary>Nobody who asks is at fault: it is not for 400, nor for a dead-letter queue, and names no path.</summary>
    [Fact]
    public async Task Request_whileTheTrainingDataAreAway_isToBeAskedAgain()
    {
        Skip();
        var data = Path.Combine(service.Files.Folder, "away-0.tar");
        File.Copy(service.Files.TrainPath, data);
        using var http = service.As("operator");
        var body = Registration("away");
        body["data"] = data;
        Assert.True((await http.PutAsJsonAsync("v1/models/away", body, Ct)).IsSuccessStatusCode);
        File.Move(data, data + ".bak");
        using var pipeline = service.As("pipeline");
        object request = new { requestId = "away", model = "away", ids = new[] { Id(1) } };
        var refused = await pipeline.PostAsJsonAsync("v1/deletion-requests", request, Ct);

        Assert.Equal((HttpStatusCode.ServiceUnavailable, true), (refused.StatusCode, refused.Headers.RetryAfter is not null));
        var words = await refused.Content.ReadAsStringAsync(Ct);
        Assert.Contains("model away: its training data cannot be looked at at the moment", words, StringComparison.Ordinal);
        Assert.DoesNotContain(data, words, StringComparison.Ordinal);

        File.Move(data + ".bak", data);
        Assert.Equal(HttpStatusCode.Accepted, (await pipeline.PostAsJsonAsync("v1/deletion-requests", request, Ct)).StatusCode);
    }

    /// <summary>What lies in a model's folder is numbered, and destroyed in time: no run writes there.</summary>
    [Fact]
    public async Task Run_intoAModelsFolderOfVersions_isRefused()
    {
        Skip();
        await AddAsync("owning");
        using var http = service.As("operator");
        var folder = Path.Combine(service.Files.Folder, "versions", "owning");
        foreach (var output in (string[])[Path.Combine(folder, "v0005"), folder, Path.Combine(service.Files.Folder, "versions")])
        {
            var answer = await http.PostAsJsonAsync("v1/runs", new { model = service.Files.ModelPath, data = service.Files.TrainPath, forget = service.Files.ForgetPath, @out = output }, Ct);
            Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
            Assert.Contains($"out {output}: lies in, or holds, the folder of versions of ", await answer.Content.ReadAsStringAsync(Ct), StringComparison.Ordinal);
        }
    }

    /// <summary>A model that is no longer in use: what is open is carried out first, and what was taken before keeps its answer.</summary>
    [Fact]
    public async Task Model_retired_takesNoMoreRequestsUntilItIsRegisteredAgain()
    {
        Skip();
        await AddAsync("retiring");
        using var http = service.As("operator");
        using var pipeline = service.As("pipeline");
        object Request(string id) => new { requestId = id, model = "retiring", ids = new[] { Id(1) }, legalHold = true };
        var taken = await (await pipeline.PostAsJsonAsync("v1/deletion-requests", Request("before"), Ct)).Content.ReadFromJsonAsync<JsonObject>(Ct);

        Assert.Equal(HttpStatusCode.Forbidden, (await pipeline.PostAsJsonAsync("v1/models/retiring/retire", new { }, Ct)).StatusCode);
        var refused = await service.CommandAsync("operator", "models", "retire", "retiring");
        Assert.Equal((2, true), (refused.ExitCode, refused.Errors.Single().Contains("1 of its requests are open", StringComparison.Ordinal)));
        Assert.True((await pipeline.PostAsJsonAsync($"v1/deletion-requests/{taken!["id"]}/cancel", new { }, Ct)).IsSuccessStatusCode);

        var retired = await service.CommandAsync("operator", "models", "retire", "retiring");
        Assert.True(retired.ExitCode == 0, retired.Describe());
        Assert.Contains(", retired ", retired.Output.Single(), StringComparison.Ordinal);
        Assert.Equal(0, (await service.CommandAsync("operator", "models", "retire", "retiring")).ExitCode);
        var late = await pipeline.PostAsJsonAsync("v1/deletion-requests", Request("after"), Ct);
        Assert.Equal(HttpStatusCode.BadRequest, late.StatusCode);
        Assert.Contains("model retiring: was retired", await late.Content.ReadAsStringAsync(Ct), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Accepted, (await pipeline.PostAsJsonAsync("v1/deletion-requests", Request("before"), Ct)).StatusCode);
        await AuditAsync("model.retired");

        await AddAsync("retiring");
        await AuditAsync("model.reinstated");
        Assert.Equal(HttpStatusCode.Accepted, (await pipeline.PostAsJsonAsync("v1/deletion-requests", Request("after"), Ct)).StatusCode);
    }

    [Theory]
    [InlineData("file", "/etc/passwd")]
    [InlineData("file", "ROOT/../../../etc/passwd")]
    [InlineData("file", "ROOT/link/passwd")]
    [InlineData("file", "relative")]
    [InlineData("data", "/")]
    [InlineData("versions", "ROOT/../elsewhere")]
    [InlineData("versions", "ROOT-beside")]
    [InlineData("versions", "ROOT")]
    public async Task Register_pathOutsideOfTheRoots_isRefusedAndNamesTheKey(string key, string path)
    {
        Skip();
        var root = service.Files.Folder;
        if (!Path.Exists(Path.Combine(root, "link")))
        {
            File.CreateSymbolicLink(Path.Combine(root, "link"), "/etc");
        }

        var body = Registration("evil");
        body[key] = path.Replace("ROOT", root, StringComparison.Ordinal);
        using var http = service.As("operator");
        var response = await http.PutAsJsonAsync("v1/models/evil", body, Ct);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        var error = (await response.Content.ReadFromJsonAsync<JsonObject>(Ct))!["error"]!.GetValue<string>();

        // The root itself is none of those, but holds the data.
        Assert.StartsWith(path == "ROOT" ? $"{key}: is, lies in, or holds" : $"{key} {body[key]}: ", error, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, (await http.GetAsync("v1/models/evil", Ct)).StatusCode);
    }

    [Theory]
    [InlineData("{", "application/json", HttpStatusCode.BadRequest)]
    [InlineData("""{"requestId":"r","model":"nope","ids":["x"]}""", "application/json", HttpStatusCode.BadRequest)]
    [InlineData("""{"requestId":"r","model":"';DROP TABLE model;--","ids":["x"]}""", "application/json", HttpStatusCode.BadRequest)]
    [InlineData("""{"requestId":"r\r\nlevel=critical","model":"m","ids":["x"]}""", "application/json", HttpStatusCode.BadRequest)]
    [InlineData("""{"requestId":"r","model":"m","file":"/etc/passwd"}""", "application/json", HttpStatusCode.BadRequest)]
    [InlineData("""{"requestId":"r","model":"m","ids":["x"],"deadline":"0001-01-01T00:00:00Z"}""", "application/json", HttpStatusCode.BadRequest)]
    [InlineData("""{"requestId":"r","model":"m","ids":["x"],"deadline":"9999-01-01T00:00:00Z"}""", "application/json", HttpStatusCode.BadRequest)]
    [InlineData("""{"requestId":"\ud800","model":"m","ids":["x"]}""", "application/json", HttpStatusCode.BadRequest)]
    [InlineData("""{"requestId":"r","model":"m","ids":["x"]}""", "text/plain", HttpStatusCode.UnsupportedMediaType)]
    public async Task Submit_hostileBody_isRefused(string body, string contentType, HttpStatusCode expected)
    {
        Skip();
        using var http = service.As("pipeline");
        using var content = new StringContent(body, Encoding.UTF8, contentType);
        var response = await http.PostAsync("v1/deletion-requests", content, Ct);

        Assert.Equal(expected, response.StatusCode);
        Assert.DoesNotContain("at Scissorhands", await response.Content.ReadAsStringAsync(Ct), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Submit_tooManyIdsOrTooLarge_isRefusedWithTheWayOut()
    {
        Skip();
        using var http = service.As("pipeline");
        var many = await http.PostAsJsonAsync("v1/deletion-requests", new { requestId = "many", model = "m", ids = Enumerable.Range(0, 200_000).Select(static i => $"i{i}") }, Ct);
        Assert.Equal(HttpStatusCode.BadRequest, many.StatusCode);
        Assert.Contains("file", await many.Content.ReadAsStringAsync(Ct), StringComparison.Ordinal);

        // Asks before it sends: what is refused without being read ends the connection.
        http.DefaultRequestHeaders.ExpectContinue = true;
        using var large = new StringContent(new string(' ', 17 << 20), Encoding.UTF8, "application/json");
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await http.PostAsync("v1/deletion-requests", large, Ct)).StatusCode);
    }

    private async Task<HttpStatusCode> AnswerAsync(string token, string path)
    {
        using var http = service.With(token);
        return (await http.GetAsync(path, Ct)).StatusCode;
    }

    private async Task AssertFoundAsync(string fault, params string[] command)
    {
        var result = await service.CommandAsync("alone", command);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains(fault, result.Errors[^1], StringComparison.Ordinal);
    }

    private async Task ReplaceAsync(List<AuditEntry> rows)
    {
        await ExecuteAsync("DELETE FROM audit_entry WHERE chain = 'z'");
        foreach (var row in rows)
        {
            await ExecuteAsync(
                "INSERT INTO audit_entry (chain, sequence, time, kind, body, previous, hash) VALUES ($0, $1, $2, $3, $4, $5, $6)",
                row.Chain, row.Sequence, row.Time.UtcTicks, row.Kind, row.Body, row.Previous, row.Hash);
        }

        await ExecuteAsync("UPDATE audit_head SET sequence = $0, hash = $1 WHERE chain = 'z'", rows.Count, rows[^1].Hash);
    }

    private async Task ExecuteAsync(string sql, params object[] values)
    {
        await using var connection = new SqliteConnection($"Data Source={service.StorePath};Pooling=False");
        await connection.OpenAsync(Ct);
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var (index, value) in values.Index())
        {
            command.Parameters.AddWithValue($"${index}", value);
        }

        await command.ExecuteNonQueryAsync(Ct);
    }

    [Fact]
    public async Task Register_dataThatIsNotThere_isRefusedAndTheNameStaysFree()
    {
        Skip();
        var body = Registration("nodata");
        body["data"] = Path.Combine(service.Files.Folder, "none-*.tar");
        using var http = service.As("operator");

        Assert.Equal(HttpStatusCode.BadRequest, (await http.PutAsJsonAsync("v1/models/nodata", body, Ct)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await http.GetAsync("v1/models/nodata", Ct)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await http.GetAsync("v1/deletion-requests?model=nodata", Ct)).StatusCode);
    }

    private void Skip() => Assert.SkipWhen(service.Cluster is null, service.Fixture.Broker.Missing ?? "");

    private JsonObject Registration(string name) => new()
    {
        ["file"] = service.Files.ModelPath,
        ["dataSet"] = "tiny",
        ["data"] = service.Files.TrainPath,
        ["versions"] = Path.Combine(service.Files.Folder, "versions", name),
    };

    private async Task AddAsync(string name, string caller = "operator")
    {
        var added = await service.CommandAsync(
            caller, "models", "add", name, "--model", service.Files.ModelPath, "--data-set", "tiny", "--data", service.Files.TrainPath, "--test-data", service.Files.TestPath,
            "--versions", Path.Combine(service.Files.Folder, "versions", name), "--set", "repair.epochs=2");
        Assert.True(added.ExitCode == 0, added.Describe());
    }

    /// <summary>Rows get their places soon after what they tell of, not with it: asked for until one is there, up to a limit.</summary>
    private Task<CliResult> AuditAsync(string kind) => AuditAsync("auditor", audit =>
    {
        Assert.True(audit.ExitCode == 0, audit.Describe());
        return audit.Output.Any(line => line.Contains(kind, StringComparison.Ordinal));
    });

    private async Task<CliResult> AuditAsync(string caller, Func<CliResult, bool> reached, params string[] arguments)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        limit.CancelAfter(TimeSpan.FromMinutes(1));
        while (true)
        {
            var audit = await service.CommandAsync(caller, arguments is [] ? ["audit"] : arguments);
            if (reached(audit))
            {
                return audit;
            }

            limit.Token.ThrowIfCancellationRequested();
        }
    }
}
