using System.Text.Json;
using System.Text.RegularExpressions;
using Scissorhands.Cli.Tests.Runs;
using Scissorhands.Drill.Cluster;
using Scissorhands.Messaging.Control;
using Scissorhands.Testing;

namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>What workers and coordinators say and do until they are ready, and whose a worker's name is.</summary>
public sealed partial class StartTests(BrokerFixture fixture) : IClassFixture<BrokerFixture>, IAsyncDisposable
{
    private const string Secret = "hush7";

    // Far from the client library's 30 seconds for each virtual host, and from the 5 that are meant.
    private static readonly TimeSpan WithoutBroker = TimeSpan.FromSeconds(25);
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);
    private readonly string _folder = Directory.CreateTempSubdirectory("scissorhands-start-").FullName;
    private readonly List<ChildProcess> _started = [];

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _started)
        {
            await process.DisposeAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Worker_nameInUse_isRefusedAndTheFirstGoesOn()
    {
        await using var cluster = await LocalCluster.StartAsync(new ClusterOptions { Broker = Broker() }, workers: 1);
        var second = Start(["worker", "--id", "w0", "--beat", "0.5"]);
        await second.Exited.WaitAsync(Deadline, TestContext.Current.CancellationToken);

        Assert.Equal(2, second.ExitCode);
        var line = Assert.Single(second.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("worker w0: another worker of that name", line, StringComparison.Ordinal);
        Assert.Contains("--id", line, StringComparison.Ordinal);
        Assert.Equal("free", await StateAsync(cluster, "w0"));
        Assert.False(cluster.Worker("w0").Exited.IsCompleted, cluster.Describe());
    }

    [Fact]
    public async Task Worker_killedAndStartedAgain_hasItsNameAtOnce()
    {
        await using var cluster = await LocalCluster.StartAsync(new ClusterOptions { Broker = Broker() }, workers: 1);
        cluster.Worker("w0").Signal("KILL");
        await cluster.Worker("w0").Exited.WaitAsync(Deadline, TestContext.Current.CancellationToken);
        await cluster.StartWorkerAsync("w0");

        Assert.DoesNotContain("does not answer", cluster.Worker("w0").Output, StringComparison.Ordinal);
        Assert.Equal("free", await StateAsync(cluster, "w0"));
    }

    /// <summary>The broker drops the connection of a process that stands still; only then is its name another's.</summary>
    [Fact]
    public async Task Worker_nameOfOneThatStandsStill_isTakenOnceTheBrokerHasDroppedIt()
    {
        await using var cluster = await LocalCluster.StartAsync(new ClusterOptions { Broker = Broker() }, workers: 1);
        var first = cluster.Worker("w0");
        first.Signal("STOP");
        await cluster.StartWorkerAsync("w0");
        Assert.Contains("does not answer", cluster.Worker("w0").Output, StringComparison.Ordinal);

        first.Signal("CONT");
        await first.Exited.WaitAsync(Deadline, TestContext.Current.CancellationToken);

        Assert.Equal(2, first.ExitCode);
        Assert.Contains("worker w0: another worker", first.Output, StringComparison.Ordinal);
        Assert.Equal("free", await StateAsync(cluster, "w0"));
        Assert.False(cluster.Worker("w0").Exited.IsCompleted, cluster.Describe());
    }

    /// <summary>Its own former connection, of which the broker does not know yet that it is dead, keeps it out for a moment only.</summary>
    [Fact]
    public async Task Worker_thatLostItsNetwork_hasItsNameAgain()
    {
        await using var relay = new FaultyRelay(Broker().Address);
        await using var cluster = await LocalCluster.StartAsync(new ClusterOptions { Broker = Broker(), AddressFor = _ => relay.Address }, workers: 1);
        var worker = cluster.Worker("w0");
        relay.Stall();
        await worker.SaysAsync("waiting", anywhere: true).WaitAsync(Deadline, TestContext.Current.CancellationToken);
        relay.Cut();
        relay.Resume();
        await worker.SaysAsync("is back", anywhere: true).WaitAsync(Deadline, TestContext.Current.CancellationToken);

        Assert.Equal("free", await StateAsync(cluster, "w0"));
        Assert.False(worker.Exited.IsCompleted, cluster.Describe());
    }

    [Theory]
    [InlineData("worker")]
    [InlineData("coordinator")]
    public async Task Ready_brokerThatIsNotThereYet_isWaitedForInOneLine(string role)
    {
        var broker = Broker();
        await LocalCluster.ForgetOwnerAsync(broker.Address);
        var port = Ports.Free(1)[0];
        var process = Start(Role(role), Address(broker, port: port));
        await process.SaysAsync($"waiting for the broker at 127.0.0.1:{port}: connection refused; retrying every ", anywhere: true).WaitAsync(Deadline, TestContext.Current.CancellationToken);
        Assert.DoesNotContain("ready", process.Output, StringComparison.Ordinal);

        await using var network = new FaultyRelay(broker.Address, port);
        await process.SaysAsync(role).WaitAsync(Deadline, TestContext.Current.CancellationToken);

        Assert.Contains(" ready ", process.Output, StringComparison.Ordinal);
        Assert.Equal(2, process.Output.Split("waiting for the broker").Length);
        Assert.DoesNotContain("   at ", process.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("worker")]
    [InlineData("coordinator")]
    public async Task Ready_wrongPassword_isSaidWithoutIt(string role)
    {
        var process = Start(Role(role), Address(Broker(), password: Secret));
        var line = await process.SaysAsync("waiting for the broker", anywhere: true).WaitAsync(Deadline, TestContext.Current.CancellationToken);

        Assert.Contains($"it refuses the user name or the password in {ControlBus.BrokerVariable}", line, StringComparison.Ordinal);
        Assert.DoesNotContain("ready", process.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, process.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ready_storeThatIsNotThere_isWaitedForInOneLine()
    {
        var port = Ports.Free(1)[0];
        var process = Start(Role("coordinator"), store: $"postgres://user:{Secret}@127.0.0.1:{port}/runs");
        var line = await process.SaysAsync("waiting for the store", anywhere: true).WaitAsync(Deadline, TestContext.Current.CancellationToken);

        Assert.Contains($"127.0.0.1:{port}", line, StringComparison.Ordinal);
        Assert.DoesNotContain("ready", process.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, process.Output, StringComparison.Ordinal);
    }

    /// <summary>Hosts may have addresses of either family, or of both; which of them are served is the operator's to say.</summary>
    [Theory]
    [InlineData("0.0.0.0", false)]
    [InlineData("[::]", true)]
    public async Task Coordinator_onEveryAddress_answersThoseOfItsFamilies(string host, bool both)
    {
        Assert.SkipUnless(File.Exists("/proc/net/if_inet6") && (await File.ReadAllTextAsync("/proc/net/if_inet6", TestContext.Current.CancellationToken)).Contains(" lo", StringComparison.Ordinal), "This machine has no IPv6.");
        var keys = Path.Combine(_folder, "keys");
        Assert.Equal(0, (await CliProcess.RunAsync(["key", "k", "--scope", "submit", "--keys", keys])).ExitCode);
        var arguments = Role("coordinator");
        var port = new Uri(arguments[2]).Port;
        arguments[2] = $"http://{host}:{port}";
        await LocalCluster.ForgetOwnerAsync(Broker().Address);
        var process = Start([.. arguments, "--keys", keys]);
        await process.SaysAsync("coordinator ready").WaitAsync(Deadline, TestContext.Current.CancellationToken);

        using var http = new HttpClient();
        Assert.Equal("ok", await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/healthz"), TestContext.Current.CancellationToken));
        var other = http.GetStringAsync(new Uri($"http://[::1]:{port}/healthz"), TestContext.Current.CancellationToken);
        if (both)
        {
            Assert.Equal("ok", await other);
        }
        else
        {
            await Assert.ThrowsAsync<HttpRequestException>(() => other);
        }
    }

    /// <summary>Otherwise each would take every other message, and workers would come and go in both.</summary>
    [Fact]
    public async Task Coordinator_brokerOfAnotherStore_isRefusedAndTheFirstGoesOn()
    {
        await using var cluster = await LocalCluster.StartAsync(new ClusterOptions { Broker = Broker() }, workers: 1);
        var second = Start(Role("coordinator"));
        await second.Exited.WaitAsync(Deadline, TestContext.Current.CancellationToken);

        Assert.Equal(2, second.ExitCode);
        var line = Assert.Single(second.Output.Split('\n'), static l => l.StartsWith(ControlBus.BrokerVariable, StringComparison.Ordinal));
        Assert.Contains("virtual host / of the broker", line, StringComparison.Ordinal);
        Assert.Contains($"(installation {InstallationOf(cluster.Coordinator)}; that of this store is {InstallationOf(second)})", line, StringComparison.Ordinal);
        Assert.EndsWith($"--take-over-broker {InstallationOf(cluster.Coordinator)}", line, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", second.Output, StringComparison.Ordinal);
        Assert.Equal("free", await StateAsync(cluster, "w0"));
        Assert.False(cluster.Coordinator.Exited.IsCompleted, cluster.Describe());

        // The same coordinator, ended and started anew, has its broker at once.
        cluster.Coordinator.Signal("TERM");
        await cluster.Coordinator.Exited.WaitAsync(Deadline, TestContext.Current.CancellationToken);
        await cluster.StartCoordinatorAsync();
        Assert.Equal("free", await StateAsync(cluster, "w0"));
    }

    [Fact]
    public async Task Coordinator_brokerTakenOver_endsAndSaysWhy()
    {
        await using var cluster = await LocalCluster.StartAsync(new ClusterOptions { Broker = Broker() }, workers: 0);
        var former = InstallationOf(cluster.Coordinator);
        var taker = Start([.. Role("coordinator"), "--take-over-broker", former]);
        await taker.SaysAsync("coordinator ready").WaitAsync(Deadline, TestContext.Current.CancellationToken);
        await cluster.Coordinator.Exited.WaitAsync(Deadline, TestContext.Current.CancellationToken);

        Assert.Contains($"taken over from installation {former} ", taker.Output, StringComparison.Ordinal);
        Assert.Equal(2, cluster.Coordinator.ExitCode);
        Assert.Contains($"{ControlBus.BrokerVariable}: virtual host / ", cluster.Coordinator.Output, StringComparison.Ordinal);
        Assert.Contains($"(installation {InstallationOf(taker)}; that of this store is {former})", cluster.Coordinator.Output, StringComparison.Ordinal);
        Assert.False(taker.Exited.IsCompleted, taker.Output);
    }

    [Theory]
    [InlineData("yes")]
    [InlineData("0123456789abcde")]
    [InlineData("0123456789ABCDEF")]
    public async Task Coordinator_toTakeOverFromNoInstallation_isRefusedByTheOption(string given)
    {
        var process = Start([.. Role("coordinator"), "--take-over-broker", given], "amqp://127.0.0.1:1/");
        await process.Exited.WaitAsync(Deadline, TestContext.Current.CancellationToken);

        Assert.Equal(2, process.ExitCode);
        Assert.StartsWith($"--take-over-broker {given}: must be the installation that the refusal names", Assert.Single(process.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    /// <summary>A broker that swallows what it is sent would keep the service away for as long as its client waits, twice where requests come over it.</summary>
    [Fact]
    public async Task Coordinator_brokerThatDoesNotAnswer_servesHttpWithoutIt()
    {
        await using var relay = new FaultyRelay(Broker().Address);
        relay.Stall();
        var arguments = Role("coordinator");
        var process = Start(arguments, relay.Address.ToString(), intake: relay.Address.ToString());
        await process.SaysAsync("is new", anywhere: true).WaitAsync(Deadline, TestContext.Current.CancellationToken);

        using var http = new HttpClient();
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(WithoutBroker);
        while (!await IsServedAsync(http, new Uri(arguments[2] + "/healthz"), patience.Token))
        {
            Assert.False(process.Exited.IsCompleted, process.Output);
        }

        Assert.DoesNotContain("coordinator ready", process.Output, StringComparison.Ordinal);
        await LocalCluster.ForgetOwnerAsync(Broker().Address);
        relay.Resume();
        await process.SaysAsync("coordinator ready").WaitAsync(Deadline, TestContext.Current.CancellationToken);
    }

    /// <summary>A broker that was away when the coordinator started is no way around it.</summary>
    [Fact]
    public async Task Coordinator_brokerOfAnotherStoreThatComesLater_isRefusedThen()
    {
        await using var cluster = await LocalCluster.StartAsync(new ClusterOptions { Broker = Broker() }, workers: 0);
        var port = Ports.Free(1)[0];
        var second = Start(Role("coordinator"), Address(Broker(), port: port));
        await second.SaysAsync("waiting for the broker", anywhere: true).WaitAsync(Deadline, TestContext.Current.CancellationToken);
        await using var network = new FaultyRelay(Broker().Address, port);
        await second.Exited.WaitAsync(Deadline, TestContext.Current.CancellationToken);

        Assert.Equal(2, second.ExitCode);
        Assert.Contains($"{ControlBus.BrokerVariable}: virtual host / ", second.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("ready", second.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", second.Output, StringComparison.Ordinal);
    }

    /// <summary>Each would take every other deletion request, into a store that nobody looks into.</summary>
    [Fact]
    public async Task Coordinator_deletionRequestsOfAnotherStore_areRefused()
    {
        var intake = await Broker().AddVirtualHostAsync("requests", "requests");

        // The rights that the documentation names, and no more.
        var rights = Rights().Match(await File.ReadAllTextAsync(Path.Combine(RepositoryFiles.Root, "docs", "deletion.md"), TestContext.Current.CancellationToken));
        await Broker().ControlAsync("set_permissions", "-p", "requests", "requests", rights.Groups[1].Value, rights.Groups[2].Value, rights.Groups[1].Value);
        var own = await Broker().AddVirtualHostAsync("second", "second");
        await using var cluster = await LocalCluster.StartAsync(new ClusterOptions { Broker = Broker(), Intake = intake }, workers: 0);
        await cluster.Coordinator.SaysAsync("Deletion requests are taken in from", anywhere: true).WaitAsync(Deadline, TestContext.Current.CancellationToken);
        var second = Start(Role("coordinator"), own.ToString(), intake: intake.ToString());
        await second.Exited.WaitAsync(Deadline, TestContext.Current.CancellationToken);

        Assert.Equal(2, second.ExitCode);
        Assert.Contains($"{ControlBus.IntakeVariable}: virtual host requests ", second.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Coordinator_ofANewStore_saysSoAndOfAnEmptyOneLater()
    {
        var file = Path.Combine(_folder, "own.db");
        await LocalCluster.ForgetOwnerAsync(Broker().Address);
        foreach (var words in (string[])[$"store {file} is new: it was created and holds nothing", $"store {file} is empty: no models and no runs"])
        {
            var process = Start(Role("coordinator"), store: "sqlite:" + file);
            await process.SaysAsync("coordinator ready").WaitAsync(Deadline, TestContext.Current.CancellationToken);
            Assert.Contains(words, process.Output, StringComparison.Ordinal);
            process.Signal("TERM");
            await process.Exited.WaitAsync(Deadline, TestContext.Current.CancellationToken);
        }
    }

    [Theory]
    [InlineData("worker", "foo")]
    [InlineData("worker", "amqp://")]
    [InlineData("worker", "amqp:foo")]
    [InlineData("worker", "http://user:hush7@host/")]
    [InlineData("worker", "amqp://user:hush7:x@host/")]
    [InlineData("worker", "amqp://user:hush7@host/a/b")]
    [InlineData("worker", "")]
    [InlineData("coordinator", "foo")]
    public async Task Broker_thatIsNoAddress_isRefusedByTheVariablesName(string role, string address)
    {
        var process = Start(Role(role), address);
        await process.Exited.WaitAsync(Deadline, TestContext.Current.CancellationToken);

        Assert.Equal(2, process.ExitCode);
        var line = Assert.Single(process.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith(ControlBus.BrokerVariable, line, StringComparison.Ordinal);
        Assert.Contains("amqp://USER:PASSWORD@HOST:PORT/", line, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("foo")]
    [InlineData("sqllite:runs.db")]
    [InlineData("Hst=host;Database=runs;Password=hush7")]
    public async Task Store_thatIsNoAddress_isRefusedByTheVariablesNameAndBecomesNoFile(string store)
    {
        var process = Start(Role("coordinator"), "amqp://127.0.0.1:1/", store: store);
        await process.Exited.WaitAsync(Deadline, TestContext.Current.CancellationToken);

        Assert.Equal(2, process.ExitCode);
        var line = Assert.Single(process.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("SCISSORHANDS_STORE: ", line, StringComparison.Ordinal);
        Assert.Contains("sqlite:PATH", line, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, line, StringComparison.Ordinal);
        Assert.False(File.Exists(store));
    }

    [Theory]
    [InlineData("cuda", "no CUDA device")]
    [InlineData("cuda:0", "no CUDA device")]
    [InlineData("cuda:7", "no CUDA device")]
    [InlineData("cuda:-1", "must be")]
    [InlineData("gpu", "must be")]
    public async Task Worker_deviceThatIsNotHere_isRefusedBeforeAnythingElse(string device, string said)
    {
        Assert.SkipWhen(said.Contains("CUDA", StringComparison.Ordinal) && File.Exists("/dev/nvidiactl"), "This machine has a CUDA device.");
        var process = Start(["worker", "--id", "w0", "--device", device], "amqp://127.0.0.1:1/");
        await process.Exited.WaitAsync(Deadline, TestContext.Current.CancellationToken);

        Assert.Equal(2, process.ExitCode);
        var line = Assert.Single(process.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith($"--device {device}: ", line, StringComparison.Ordinal);
        Assert.Contains(said, line, StringComparison.Ordinal);
        Assert.Contains("cpu", line, StringComparison.Ordinal);
    }

    /// <summary>How a worker stands, once the pool has heard of it.</summary>
    private static async Task<string?> StateAsync(LocalCluster cluster, string worker)
    {
        using var http = new HttpClient();
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(Deadline);
        while (true)
        {
            var workers = JsonDocument.Parse(await http.GetStringAsync(new Uri(cluster.Address + "/v1/pools/default/workers"), patience.Token)).RootElement;
            if (workers.EnumerateArray().FirstOrDefault(w => w.GetProperty("workerId").GetString() == worker) is { ValueKind: JsonValueKind.Object } found)
            {
                return found.GetProperty("state").GetString();
            }
        }
    }

    private static string Address(Broker broker, int? port = null, string password = "guest") => new UriBuilder(broker.Address) { Port = port ?? broker.Port, Password = password }.Uri.ToString();

    /// <summary>What refusals call the store of a coordinator, as it has said at its start.</summary>
    private static string InstallationOf(ChildProcess coordinator) => Installation().Match(coordinator.Output) is { Success: true } found ? found.Groups[1].Value : throw new InvalidOperationException($"It names no installation:\n{coordinator.Output}");

    private static async Task<bool> IsServedAsync(HttpClient http, Uri address, CancellationToken cancellationToken)
    {
        try
        {
            using var answer = await http.GetAsync(address, cancellationToken);
            return true;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    [GeneratedRegex(@"\(installation ([0-9a-f]{16})[0-9a-f]{16}\)", RegexOptions.CultureInvariant)]
    private static partial Regex Installation();

    [GeneratedRegex(@"to configure and read\s+`([^`]+)`[^`]+`([^`]+)`", RegexOptions.CultureInvariant)]
    private static partial Regex Rights();

    private static string[] Role(string role)
    {
        var ports = Ports.Free(3);
        return role == "worker" ? ["worker", "--id", "alone", "--beat", "0.5"] : ["coordinator", "--http", $"http://127.0.0.1:{ports[0]}", "--silo-port", $"{ports[1]}", "--gateway-port", $"{ports[2]}"];
    }

    private ChildProcess Start(string[] arguments, string? broker = null, string? store = null, string? intake = null)
    {
        var process = new ChildProcess(Executable.Path, arguments, new Dictionary<string, string>
        {
            [ControlBus.BrokerVariable] = broker ?? Broker().Address.ToString(),
            ["SCISSORHANDS_STORE"] = store ?? "sqlite:" + Path.Combine(_folder, "store.db"),
            ["SCISSORHANDS_REDIS"] = "",
            [ControlBus.IntakeVariable] = intake ?? "",
        });
        _started.Add(process);
        return process;
    }

    private Broker Broker()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        return fixture.Broker;
    }
}
