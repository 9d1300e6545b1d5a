using System.Net.Http.Json;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Npgsql;
using Scissorhands.Cli.Tests.Runs;
using Scissorhands.Drill.Cluster;
using Scissorhands.Messaging.Control;
using Scissorhands.Testing;

namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>Redis and PostgreSQL that take encrypted connections, a broker, and certificates.</summary>
public sealed class EncryptedServers : IAsyncLifetime
{
    public EncryptedServers()
    {
        Redis = new Redis(Certificates);
        Postgres = new Postgres(certificates: Certificates);
    }

    public TestCertificates Certificates { get; } = new();

    public TestCertificates Strangers { get; } = new();

    public Broker Broker { get; } = new();

    public Redis Redis { get; }

    public Postgres Postgres { get; }

    public string? Missing => Broker.Missing ?? Redis.Missing ?? Postgres.Missing;

    /// <summary>The database, by an address that asks for encryption and believes one authority.</summary>
    public string Store(TestCertificates believed) => $"{Postgres.Address}?SslMode=VerifyFull&RootCertificate={Uri.EscapeDataString(believed.Authority)}";

    public async ValueTask InitializeAsync()
    {
        await Broker.StartAsync();
        await Redis.StartAsync();
        await Postgres.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Broker.DisposeAsync();
        await Redis.DisposeAsync();
        await Postgres.DisposeAsync();
        Certificates.Dispose();
        Strangers.Dispose();
    }
}

/// <summary>Coordinators whose store, Redis and traffic with each other are encrypted, with certificates made here.</summary>
[Collection(AloneCollection.Name)]
public sealed class EncryptedClusterTests(EncryptedServers servers) : IClassFixture<EncryptedServers>, IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(3);
    private readonly List<ChildProcess> _started = [];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _started)
        {
            await process.DisposeAsync();
        }
    }

    [Fact]
    public async Task Coordinators_allEncrypted_knowEachOtherAndAnswerNoStranger()
    {
        Skip();
        var own = servers.Certificates.Issue("coordinator");
        await using var cluster = await LocalCluster.StartAsync(
            new ClusterOptions
            {
                Broker = servers.Broker,
                Redis = servers.Redis.EncryptedAddress,
                Store = servers.Store(servers.Certificates),
                Coordinators = 2,
                Variables = new Dictionary<string, string> { ["SCISSORHANDS_REDIS_CA"] = servers.Certificates.Authority },
                CoordinatorArguments = ["--silo-ca", servers.Certificates.Authority, "--silo-cert", own.Certificate, "--silo-key", own.Key],
            },
            workers: 1);

        // The pool's grain lives in one of the two, so that the other has asked it.
        using var http = new HttpClient();
        await HeardAsync(http, cluster.AddressOf(0), "w0");
        await HeardAsync(http, cluster.AddressOf(1), "w0");

        await using var database = new NpgsqlConnection(servers.Postgres.KeywordsOf("postgres") + ";Pooling=false");
        await database.OpenAsync(Ct);
        await using var connections = new NpgsqlCommand("SELECT string_agg(DISTINCT s.ssl::text, ',') FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.application_name = 'scissorhands'", database);
        Assert.Equal("true", await connections.ExecuteScalarAsync(Ct));

        Assert.True(await IsAnsweredAsync(cluster.SiloPortOf(0), own));
        Assert.False(await IsAnsweredAsync(cluster.SiloPortOf(0), servers.Strangers.Issue("stranger")));
        Assert.False(await IsAnsweredAsync(cluster.SiloPortOf(0), null));
    }

    [Fact]
    public async Task Store_ofAnotherAuthority_isWaitedForWithTheRemedy()
    {
        Skip();
        var process = Start(("SCISSORHANDS_STORE", servers.Store(servers.Strangers)));
        var line = await process.SaysAsync("waiting for the store", anywhere: true).WaitAsync(Deadline, Ct);

        Assert.True(line.Contains("RootCertificate", StringComparison.Ordinal), line);
        Assert.DoesNotContain(servers.Postgres.Secret, process.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--silo-cert: missing", "--silo-ca", "CA")]
    [InlineData("--silo-ca: missing", "--silo-cert", "CA")]
    [InlineData("--silo-ca nowhere.pem: cannot be read", "--silo-ca", "nowhere.pem", "--silo-cert", "CA")]
    [InlineData("--silo-cert ", "--silo-ca", "CA", "--silo-cert", "CA")]
    public async Task Setting_thatIsNotInOrder_endsTheCoordinatorWithOneLine(string expected, params string[] arguments)
    {
        var process = Start([.. arguments.Select(a => a == "CA" ? servers.Certificates.Authority : a)], (ControlBus.BrokerVariable, "amqp://localhost"));
        await process.Exited.WaitAsync(Deadline, Ct);

        Assert.Equal(2, process.ExitCode);
        Assert.Contains(expected, Assert.Single(process.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    private static async Task HeardAsync(HttpClient http, string address, string worker)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Ct);
        patience.CancelAfter(Deadline);
        while (true)
        {
            var workers = await http.GetFromJsonAsync<JsonElement>(new Uri(address + "/v1/pools/default/workers"), patience.Token);
            if (workers.EnumerateArray().Any(w => w.GetProperty("workerId").GetString() == worker && w.GetProperty("state").GetString() == "free"))
            {
                return;
            }
        }
    }

    /// <summary>Whether a coordinator says anything to one who calls as another coordinator would.</summary>
    private static async Task<bool> IsAnsweredAsync(int port, (string Certificate, string Key)? shown)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", port, Ct);
        using var own = shown is { } pair ? X509Certificate2.CreateFromPemFile(pair.Certificate, pair.Key) : null;
        await using var stream = new SslStream(client.GetStream());
        try
        {
#pragma warning disable CA5359 // Whom it calls is not what this is about.
            await stream.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = "scissorhands",
                    RemoteCertificateValidationCallback = static (_, _, _, _) => true,
                    ClientCertificates = own is null ? [] : [own],
                },
                Ct);
#pragma warning restore CA5359
            return await stream.ReadAsync(new byte[1], Ct) > 0;
        }
        catch (Exception e) when (e is IOException or AuthenticationException)
        {
            return false;
        }
    }

    private ChildProcess Start(params (string Name, string Value)[] variables) => Start([], variables);

    private ChildProcess Start(string[] arguments, params (string Name, string Value)[] variables)
    {
        var ports = Ports.Free(3);
        var all = new Dictionary<string, string>
        {
            [ControlBus.BrokerVariable] = servers.Broker.Address.ToString(),
            ["SCISSORHANDS_STORE"] = "sqlite:" + Path.Combine(servers.Certificates.Folder, "store.db"),
            ["SCISSORHANDS_REDIS"] = "",
        };
        foreach (var (name, value) in variables)
        {
            all[name] = value;
        }

        var process = new ChildProcess(Executable.Path, ["coordinator", "--http", $"http://127.0.0.1:{ports[0]}", "--silo-port", $"{ports[1]}", "--gateway-port", $"{ports[2]}", .. arguments], all);
        _started.Add(process);
        return process;
    }

    private void Skip() => Assert.SkipWhen(servers.Missing is not null, servers.Missing ?? "");
}
