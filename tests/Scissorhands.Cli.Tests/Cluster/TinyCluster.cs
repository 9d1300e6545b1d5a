using System.Globalization;
using Scissorhands.Cli.Tests.Runs;
using Scissorhands.Messaging.Control;
using Scissorhands.Testing;

namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>A coordinator and workers as processes of their own, around a broker.</summary>
public sealed class TinyCluster : IAsyncDisposable
{
    private static readonly TimeSpan StartDeadline = TimeSpan.FromSeconds(90);
    private readonly Broker _broker;
    private readonly string _folder = Directory.CreateTempSubdirectory("scissorhands-cluster-").FullName;
    private readonly string _beat;
    private readonly string? _redis;
    private readonly int[] _ports = Ports.Free(6);
    private readonly List<ChildProcess> _ended = [];
    private readonly Dictionary<string, ChildProcess> _workers = [];
    private readonly string _store;

    private TinyCluster(Broker broker, string? store, string? redis, double beatSeconds)
    {
        _redis = redis;
        _broker = broker;
        _store = store ?? "sqlite:" + Path.Combine(_folder, "store.db");
        _beat = beatSeconds.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>Where the coordinator serves HTTP.</summary>
    public string Address => Url(0);

    /// <summary>Where the second coordinator does.</summary>
    public string SecondAddress => Url(3);

    /// <summary>The second coordinator, where there is a Redis for them to find each other.</summary>
    public ChildProcess? Second { get; private set; }

    /// <summary>The coordinator.</summary>
    public ChildProcess Coordinator { get; private set; } = null!;

    /// <summary>Starts coordinator and workers w0, w1, ...</summary>
    public static async Task<TinyCluster> StartAsync(Broker broker, int workers, string? store = null, string? redis = null, double beatSeconds = 0.5)
    {
        var cluster = new TinyCluster(broker, store, redis, beatSeconds);
        await cluster.StartCoordinatorAsync();
        if (redis is not null)
        {
            cluster.Second = cluster.StartCoordinator(3);
            await cluster.Second.Ready.WaitAsync(StartDeadline);
        }

        await Task.WhenAll(Enumerable.Range(0, workers).Select(index => cluster.StartWorkerAsync(string.Create(CultureInfo.InvariantCulture, $"w{index}"))));
        return cluster;
    }

    /// <summary>A worker.</summary>
    public ChildProcess Worker(string id) => _workers[id];

    /// <summary>Starts the coordinator, anew where one was.</summary>
    public async Task StartCoordinatorAsync()
    {
        if (Coordinator is not null)
        {
            _ended.Add(Coordinator);
        }

        Coordinator = StartCoordinator(0);
        await Coordinator.Ready.WaitAsync(StartDeadline);
    }

    /// <summary>Starts a worker.</summary>
    public async Task StartWorkerAsync(string id)
    {
        if (_workers.TryGetValue(id, out var former))
        {
            _ended.Add(former);
        }

        var worker = _workers[id] = Start(["worker", "--id", id, "--beat", _beat], $"worker {id} ready");
        await worker.Ready.WaitAsync(StartDeadline);
    }

    /// <summary>Submits a run of the tiny world and follows it.</summary>
    public CliProcess Submit(TinyWorld world, string output, int workers, params string[] settings) => SubmitTo(Address, world, output, workers, settings);

    /// <summary>Submits to one of the coordinators.</summary>
    public static CliProcess SubmitTo(string address, TinyWorld world, string output, int workers, params string[] settings) => CliProcess.Start(
        [
            "submit",
            "--model", world.ModelPath,
            "--data", world.TrainPath,
            "--test-data", world.TestPath,
            "--forget", world.ForgetPath,
            "--out", output,
            "--workers", Text(workers),
            "--coordinator", address,
            "--watch",
            .. world.Settings(settings),
        ]);

    /// <summary>What all processes have said, for messages.</summary>
    public string Describe() => string.Join("\n", _workers.Select(static w => $"-- {w.Key}\n{w.Value.Output}").Prepend($"-- coordinator\n{Coordinator.Output}\n-- second\n{Second?.Output}"));

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var process in _workers.Values.Append(Coordinator).Append(Second).OfType<ChildProcess>().Concat(_ended))
        {
            await process.DisposeAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private string Url(int port) => string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{_ports[port]}");

    private ChildProcess StartCoordinator(int port) =>
        Start(["coordinator", "--http", Url(port), "--silo-port", Text(_ports[port + 1]), "--gateway-port", Text(_ports[port + 2]), "--beat", _beat], "coordinator ready");

    private ChildProcess Start(string[] arguments, string ready) => new(
        CliProcess.Executable,
        arguments,
        new Dictionary<string, string> { [ControlBus.BrokerVariable] = _broker.Address.ToString(), ["SCISSORHANDS_STORE"] = _store, ["SCISSORHANDS_REDIS"] = _redis ?? "" },
        ready);
}
