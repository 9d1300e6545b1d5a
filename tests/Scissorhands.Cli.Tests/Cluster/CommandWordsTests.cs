using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Scissorhands.Drill.World;
using Scissorhands.Testing;

namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>What commands and coordinator say where there is nothing, or something is not in order: what it is, and what to do.</summary>
public sealed class CommandWordsTests(LoneCoordinator service) : IClassFixture<LoneCoordinator>
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("no runs yet", "status")]
    [InlineData("no deletion requests yet", "requests")]
    [InlineData("no deletion requests yet", "requests", "--wait")]
    public async Task List_ofNothing_saysSoBesideTheOutput(string expected, params string[] arguments)
    {
        var result = await service.CommandAsync("operator", arguments);
        Assert.True(result.ExitCode == 0, result.Describe());
        Assert.Empty(result.Output);
        Assert.StartsWith(expected, Assert.Single(result.Errors), StringComparison.Ordinal);

        var json = await service.CommandAsync("operator", [.. arguments, "--json"]);
        Assert.Equal((0, 0, 0), (json.ExitCode, json.Output.Count, json.Errors.Count));
    }

    [Fact]
    public async Task Models_registered_areShownWithWhatTheyAre_andWhatDiffersIsNamed()
    {
        var none = await service.CommandAsync("operator", "models");
        Assert.StartsWith("no models yet", Assert.Single(none.Errors), StringComparison.Ordinal);

        var files = new TinyFiles(service.Root);
        await files.WriteAsync();
        var policy = Path.Combine(service.Folder, "policy.yaml");
        await File.WriteAllTextAsync(policy, "minRequests: 7\ngate: {retainDrop: 3.5}\n", Ct);
        string[] Add(string versions) => ["models", "add", "m", "--model", files.ModelPath, "--data-set", "d", "--data", files.TrainPath, "--versions", Path.Combine(service.Root, versions), "--set", "repair.epochs=3", "--policy", policy];
        var added = await service.CommandAsync("operator", Add("versions"));
        Assert.True(added.ExitCode == 0, added.Describe());

        var shown = string.Join('\n', (await service.CommandAsync("operator", "models", "m")).Output);
        foreach (var part in (string[])[files.ModelPath, $"{files.TrainPath} (data set d)", "test data      none", Path.Combine(service.Root, "versions"), "configuration  repair.epochs=3\n", "policy         minRequests=7 gate.retainDrop=3.5\n", "version 0"])
        {
            Assert.Contains(part, shown, StringComparison.Ordinal);
        }

        var elsewhere = await service.CommandAsync("operator", Add("elsewhere"));
        Assert.Equal(2, elsewhere.ExitCode);
        Assert.StartsWith($"model m: is registered already, with versions {Path.Combine(service.Root, "versions")} (given: {Path.Combine(service.Root, "elsewhere")}); ", Assert.Single(elsewhere.Errors), StringComparison.Ordinal);
    }

    /// <summary>Who operates the service is told its folders; who hands requests in only that the path it named is in none.</summary>
    [Fact]
    public async Task Path_outsideOfTheRoots_isNamedAndTheRootsToOperatorsOnly()
    {
        using var http = service.As("operator");
        using var added = await http.PutAsJsonAsync("v1/models/outside", new { file = "/etc/hostname", dataSet = "d", data = "/etc", versions = "/etc/v" }, Ct);
        Assert.Equal(HttpStatusCode.BadRequest, added.StatusCode);
        var line = (string)(await added.Content.ReadFromJsonAsync<JsonObject>(Ct))!["error"]!;
        Assert.StartsWith("file /etc/hostname: lies outside of the folders", line, StringComparison.Ordinal);
        Assert.Contains(service.Root, line, StringComparison.Ordinal);
        Assert.Contains("--root", line, StringComparison.Ordinal);

        var submitted = await service.CommandAsync("operator", "requests", "submit", "--request-id", "outside", "--model", "outside", "--file", "/etc/hostname");
        Assert.Equal(2, submitted.ExitCode);
        line = Assert.Single(submitted.Errors);
        Assert.StartsWith("file /etc/hostname: lies outside of the folders", line, StringComparison.Ordinal);
        Assert.DoesNotContain(service.Root, line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Request_withAMisspeltKey_isToldWhichWasMeant()
    {
        using var http = service.As("operator");
        using var answer = await http.PostAsJsonAsync("v1/deletion-requests", new { requestId = "r", model = "m", id = new[] { "alice" }, dedline = "soon" }, Ct);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        var error = (string?)(await answer.Content.ReadFromJsonAsync<JsonObject>(Ct))!["error"];
        Assert.StartsWith("the request: unknown key 'id'; ", error, StringComparison.Ordinal);
        Assert.DoesNotContain("alice", error, StringComparison.Ordinal);
    }

    /// <summary>A key is taken once its line is there, and no longer once it is not; a file that is not in order changes nothing.</summary>
    [Fact]
    public async Task Keys_fileThatChanges_isReadAnewAndAFaultyOneIsNot()
    {
        var folder = Directory.CreateDirectory(Path.Combine(service.Folder, "changing")).FullName;
        var keys = new CallerKeys(folder);
        await keys.AddAsync("first", "submit");
        var ports = Ports.Free(3);
        await using var coordinator = service.Start("--http", $"http://127.0.0.1:{ports[0]}", "--silo-port", $"{ports[1]}", "--gateway-port", $"{ports[2]}", "--keys", keys.File, "--root", service.Root, "--limit-refusals", "0");
        await coordinator.SaysAsync("Now listening", anywhere: true).WaitAsync(Deadline, Ct);
        async Task<(HttpStatusCode Status, string? Error)> CallAsync(string? name)
        {
            using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{ports[0]}") };
            http.DefaultRequestHeaders.Authorization = keys.Header(name);
            using var answer = await http.GetAsync("v1/deletion-requests", Ct);
            return (answer.StatusCode, answer.IsSuccessStatusCode ? null : (string?)(await answer.Content.ReadFromJsonAsync<JsonObject>(Ct))!["error"]);
        }

        Assert.Equal(HttpStatusCode.OK, (await CallAsync("first")).Status);
        var (status, error) = await CallAsync("second");
        Assert.Equal(HttpStatusCode.Unauthorized, status);
        Assert.StartsWith("the key is none of this coordinator's", error, StringComparison.Ordinal);
        Assert.StartsWith("a key or token is needed", (await CallAsync(null)).Error, StringComparison.Ordinal);

        await keys.AddAsync("second", "submit");
        Assert.Equal(HttpStatusCode.OK, (await CallAsync("second")).Status);
        var lines = await File.ReadAllLinesAsync(keys.File, Ct);

        await File.WriteAllTextAsync(keys.File, lines[1][..20], Ct);
        Assert.Equal(HttpStatusCode.OK, (await CallAsync("first")).Status);
        Assert.Equal(HttpStatusCode.OK, (await CallAsync("second")).Status);
        await coordinator.SaysAsync($"callers' keys are those from before: {keys.File}, line 1: not a key", anywhere: true).WaitAsync(Deadline, Ct);

        await File.WriteAllTextAsync(keys.File, lines[1] + "\n", Ct);
        Assert.Equal(HttpStatusCode.Unauthorized, (await CallAsync("first")).Status);
        Assert.Equal(HttpStatusCode.OK, (await CallAsync("second")).Status);

        Assert.DoesNotContain("challenged", coordinator.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("ServerGC", coordinator.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(keys["second"], coordinator.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Command_httpsToAPortOfHttp_isToldTheRightAddress()
    {
        var result = await service.CommandAsync("operator", "status", "--coordinator", $"https://127.0.0.1:{service.Address.Port}");
        Assert.Equal(2, result.ExitCode);
        Assert.Contains($"speaks http, not https; name it as http://127.0.0.1:{service.Address.Port}/", Assert.Single(result.Errors), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Command_callsThatAreTooMany_saysWhenToTryAgain()
    {
        using var http = service.As("pipeline");
        HttpResponseMessage answer;
        do
        {
            answer = await http.PostAsJsonAsync("v1/deletion-requests", new { }, Ct);
        }
        while (answer.StatusCode == HttpStatusCode.BadRequest);

        Assert.Equal(HttpStatusCode.TooManyRequests, answer.StatusCode);
        Assert.Matches("try again in [0-9]+ s$", (string?)(await answer.Content.ReadFromJsonAsync<JsonObject>(Ct))!["error"]);
    }

    [Theory]
    [InlineData("--http")]
    [InlineData("--silo-port")]
    [InlineData("--gateway-port")]
    public async Task Coordinator_portThatIsTaken_endsWithOneLine(string option)
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        var ports = Ports.Free(3);
        await using var coordinator = service.Start(
            "--http", $"http://127.0.0.1:{(option == "--http" ? port : ports[0])}",
            "--silo-port", $"{(option == "--silo-port" ? port : ports[1])}",
            "--gateway-port", $"{(option == "--gateway-port" ? port : ports[2])}");
        await coordinator.Exited.WaitAsync(Deadline, Ct);

        Assert.Equal(2, coordinator.ExitCode);
        var line = Assert.Single(coordinator.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith(option, line, StringComparison.Ordinal);
        Assert.Contains($"port {port} is taken", line, StringComparison.Ordinal);
        Assert.EndsWith($"name another port with {option}", line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--root")]
    [InlineData("--port")]
    public async Task LocalCluster_optionThatIsNotInOrder_endsWithOneLine(string option)
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var value = option == "--root" ? Path.Combine(service.Folder, "nowhere") : $"{((IPEndPoint)taken.LocalEndpoint).Port}";
        var (code, output) = await ChildProcess.RunAsync(Path.Combine(AppContext.BaseDirectory, "Scissorhands.Drill"), ["cluster", option, value]);

        Assert.Equal(2, code);
        Assert.StartsWith($"{option} {value}: ", Assert.Single(output.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }
}
