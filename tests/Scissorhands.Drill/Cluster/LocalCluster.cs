using System.Globalization;
using RabbitMQ.Client;
using Scissorhands.Messaging.Control;
using Scissorhands.Testing;

namespace Scissorhands.Drill.Cluster;

/// <summary>Coordinators and workers as processes of their own on this machine, around a broker.</summary>
public sealed class LocalCluster : IAsyncDisposable
{
    private const int PortsOfCoordinator = 3;
    private static readonly TimeSpan StartDeadline = TimeSpan.FromMinutes(3);
    private readonly ClusterOptions _options;
    private readonly string _folder = Directory.CreateTempSubdirectory("scissorhands-cluster-").FullName;
    private readonly int[] _ports;
    private readonly string _store;
    private readonly List<ChildProcess> _ended = [];
    private readonly ChildProcess?[] _coordinators;
    private readonly Dictionary<string, ChildProcess> _workers = [];
    private readonly Dictionary<string, int> _metrics = new(StringComparer.Ordinal);

    private LocalCluster(ClusterOptions options)
    {
        _options = options;
        _ports = Ports.Free(PortsOfCoordinator * options.Coordinators);
        _ports[0] = options.HttpPort == 0 ? _ports[0] : options.HttpPort;
        _coordinators = new ChildProcess?[options.Coordinators];
        _store = options.Store ?? "sqlite:" + Path.Combine(_folder, "store.db");
    }

    /// <summary>Where the first coordinator serves HTTP.</summary>
    public string Address => AddressOf(0);

    /// <summary>The first coordinator.</summary>
    public ChildProcess Coordinator => CoordinatorAt(0);

    /// <summary>Names of all workers ever started.</summary>
    public IReadOnlyList<string> Workers => [.. _workers.Keys.Order(StringComparer.Ordinal)];

    /// <summary>Where processes serve metrics and health checks, as host and port by name; empty where they do not.</summary>
    public IReadOnlyDictionary<string, string> MetricsTargets
    {
        get
        {
            lock (_workers)
            {
                return _metrics.ToDictionary(static m => m.Key, static m => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{m.Value}"), StringComparer.Ordinal);
            }
        }
    }

    /// <summary>Starts coordinators and workers w0, w1, ...</summary>
    public static async Task<LocalCluster> StartAsync(ClusterOptions options, int workers)
    {
        var cluster = new LocalCluster(options);
        try
        {
            for (var index = 0; index < options.Coordinators; index++)
            {
                await cluster.StartCoordinatorAsync(index);
            }

            await Task.WhenAll(Enumerable.Range(0, workers).Select(index => cluster.StartWorkerAsync(string.Create(CultureInfo.InvariantCulture, $"w{index}"))));
            return cluster;
        }
        catch
        {
            // Those that did start are nobody's otherwise.
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Makes a virtual host nobody's: brokers are shared by clusters that follow each other, each with a store of its own.</summary>
    public static async Task ForgetOwnerAsync(Uri virtualHost)
    {
        var connection = await BrokerConnection.OpenAsync(virtualHost, "next cluster", null, CancellationToken.None);
        try
        {
            await using var channel = await connection.CreateChannelAsync();
            await channel.ExchangeDeleteAsync(BrokerClaim.Exchange);
        }
        finally
        {
            await CloseAsync(connection);
        }
    }

    /// <summary>Where a coordinator serves HTTP.</summary>
    public string AddressOf(int index) => string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{_ports[PortsOfCoordinator * index]}");

    /// <summary>The port at which other coordinators reach a coordinator.</summary>
    public int SiloPortOf(int index) => _ports[(PortsOfCoordinator * index) + 1];

    /// <summary>A coordinator.</summary>
    public ChildProcess CoordinatorAt(int index) => _coordinators[index] ?? throw new InvalidOperationException($"Coordinator {index} was not started");

    /// <summary>A worker.</summary>
    public ChildProcess Worker(string id) => _workers[id];

    /// <summary>Starts a coordinator, anew where one was.</summary>
    public async Task StartCoordinatorAsync(int index = 0)
    {
        if (_coordinators[index] is { } former)
        {
            _ended.Add(former);
        }

        if (_coordinators.All(static c => c is null))
        {
            await ForgetOwnerAsync(_options.Broker.Address);
            if (_options.Intake is { } intake)
            {
                await ForgetOwnerAsync(intake);
            }
        }

        var port = PortsOfCoordinator * index;
        var process = _coordinators[index] = Start(
            ["coordinator", "--http", AddressOf(index), "--silo-port", Text(_ports[port + 1]), "--gateway-port", Text(_ports[port + 2]), "--beat", Text(_options.BeatSeconds), .. Metrics(string.Create(CultureInfo.InvariantCulture, $"coordinator{index}")), .. _options.CoordinatorArguments],
            "coordinator ready",
            null);
        await process.Ready.WaitAsync(StartDeadline);
    }

    /// <summary>Starts a worker, anew where one was.</summary>
    public async Task StartWorkerAsync(string id, params string[] options)
    {
        ChildProcess worker;
        lock (_workers)
        {
            if (_workers.TryGetValue(id, out var former))
            {
                _ended.Add(former);
            }

            worker = _workers[id] = Start(["worker", "--id", id, "--beat", Text(_options.BeatSeconds), .. Metrics(id), .. options], $"worker {id} ready", _options.AddressFor?.Invoke(id));
        }

        await worker.Ready.WaitAsync(StartDeadline);
    }

    /// <summary>What all processes have said, for messages.</summary>
    public string Describe() => string.Join(
        "\n",
        _ended.Select(static p => $"-- ended\n{p.Output}")
            .Concat(_coordinators.Select(static (p, i) => $"-- coordinator {i}\n{p?.Output}"))
            .Concat(_workers.Select(static w => $"-- {w.Key}\n{w.Value.Output}")));

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var process in _workers.Values.Concat(_coordinators.OfType<ChildProcess>()).Concat(_ended))
        {
            await process.DisposeAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }

    private static async Task CloseAsync(IConnection connection)
    {
        try
        {
            await connection.DisposeAsync();
        }
        catch (OperationCanceledException)
        {
            // The broker took longer over it than the client library waits, which is no matter.
        }
    }

    private string[] Metrics(string name)
    {
        if (!_options.Metrics)
        {
            return [];
        }

        lock (_workers)
        {
            // The same port in each life: what watches the process need not be told.
            var port = _metrics.TryGetValue(name, out var known) ? known : _metrics[name] = Ports.Free(1)[0];
            return ["--metrics-port", Text(port)];
        }
    }

    private static string Text(IFormattable number) => number.ToString(null, CultureInfo.InvariantCulture);

    private ChildProcess Start(string[] arguments, string ready, Uri? broker) => new(
        Executable.Path,
        arguments,
        new Dictionary<string, string>(_options.Variables)
        {
            [ControlBus.BrokerVariable] = (broker ?? _options.Broker.Address).ToString(),
            ["SCISSORHANDS_STORE"] = _store,
            ["XDG_CACHE_HOME"] = _options.CacheHome ?? Environment.GetEnvironmentVariable("XDG_CACHE_HOME") ?? "",
            [ControlBus.IntakeVariable] = _options.Intake?.ToString() ?? "",
            ["SCISSORHANDS_REDIS"] = _options.Redis ?? "",
        },
        ready);
}
