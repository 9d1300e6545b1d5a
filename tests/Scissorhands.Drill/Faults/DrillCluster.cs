using RabbitMQ.Client;
using Scissorhands.Drill.Cluster;
using Scissorhands.Messaging.Control;
using Scissorhands.Testing;

namespace Scissorhands.Drill.Faults;

/// <summary>The cluster of one case, with a run under way on it.</summary>
public sealed class DrillCluster : IAsyncDisposable
{
    private const int WorkersAtFirst = 3;
    private const int DiskMebibytes = 16;
    private readonly int _seed;
    private ControlShuffler? _shuffler;
    private ChildProcess _submit = null!;
    private bool _isOver;

    private DrillCluster(DrillGround ground, int seed)
    {
        Ground = ground;
        _seed = seed;
        Network = new FaultyRelay(ground.Broker.Address);
    }

    /// <summary>What the cases share.</summary>
    public DrillGround Ground { get; }

    /// <summary>Coordinators and workers.</summary>
    public LocalCluster Processes { get; private set; } = null!;

    /// <summary>Names of the workers at first.</summary>
    public IReadOnlyList<string> Workers { get; } = ["w0", "w1", "w2"];

    /// <summary>The network of worker w1.</summary>
    public FaultyRelay Network { get; }

    /// <summary>Where results go in cases that fill a disk.</summary>
    public SmallDisk Disk { get; private set; } = null!;

    /// <summary>The run's folder.</summary>
    public string Output { get; private set; } = "";

    /// <summary>What the run writes.</summary>
    public RunTrail Trail { get; private set; } = null!;

    /// <summary>Completes when the run has ended.</summary>
    public Task Ended { get; private set; } = Task.CompletedTask;

    /// <summary>What the one who submitted the run was told.</summary>
    public string Told => _submit.Output;

    /// <summary>Exit code of the submission, which follows the run.</summary>
    public int ExitCode => _submit.ExitCode;

    /// <summary>Starts a cluster and submits the run.</summary>
    public static async Task<DrillCluster> StartAsync(DrillGround ground, Fault fault, int seed)
    {
        var cluster = new DrillCluster(ground, seed);
        try
        {
            await cluster.StartAsync(fault);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Kills a worker.</summary>
    public async Task KillWorkerAsync(string id)
    {
        Processes.Worker(id).Signal("KILL");
        await Processes.Worker(id).Exited;
    }

    /// <summary>Kills a coordinator.</summary>
    public async Task KillCoordinatorAsync(int index)
    {
        Processes.CoordinatorAt(index).Signal("KILL");
        await Processes.CoordinatorAt(index).Exited;
    }

    /// <summary>Completes when the coordinator has missed a worker, or the run has ended without that.</summary>
    public Task LostAsync(string id) => Task.WhenAny(Processes.Coordinator.SaysAsync($"      Worker {id}"), Ended);

    /// <summary>Completes when the run has come upon a fault and will be tried again, or has ended without that.</summary>
    public Task TriedAgainAsync() => Task.WhenAny(_submit.SaysAsync("retry"), Ended);

    /// <summary>Lets nothing reach a worker's queue any more, though it is there and the worker connected.</summary>
    public async Task DeafenAsync(string id)
    {
        await using var connection = await new ConnectionFactory { Uri = Ground.Broker.Address }.CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync();
        var name = ControlBus.WorkerQueue(id);
        await channel.QueueUnbindAsync(name, name, "");
    }

    /// <summary>From now on control messages come late, out of order, and some of them twice.</summary>
    public async Task ShuffleAsync() => _shuffler = await ControlShuffler.StartAsync(Ground.Broker.Address, Workers, _seed);

    /// <summary>What all have said, for messages.</summary>
    public string Describe() => $"-- submit\n{_submit?.Output}\n{Processes?.Describe()}";

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _isOver = true;
        if (_submit is not null)
        {
            await _submit.DisposeAsync();
            await Ended;
        }

        if (_shuffler is not null)
        {
            await _shuffler.DisposeAsync();
        }

        if (Processes is not null)
        {
            await Processes.DisposeAsync();
        }

        await Network.DisposeAsync();
        Trail?.Dispose();
        Disk?.Dispose();
    }

    private async Task StartAsync(Fault fault)
    {
        var name = Ground.NewName();
        Output = Path.Combine(Ground.Files.Folder, name);
        if (fault.OnSmallDisk)
        {
            Disk = new SmallDisk(Path.Combine(Ground.Files.Folder, name + "-disk"), DiskMebibytes);
            Output = Path.Combine(Disk.Folder, "out");
        }

        Directory.CreateDirectory(Output);
        Processes = await LocalCluster.StartAsync(
            new ClusterOptions
            {
                Broker = Ground.Broker,
                Coordinators = fault.Coordinators,
                Store = fault.Shared ? await Ground.Postgres.CreateAsync(name) : null,
                Redis = fault.Coordinators > 1 ? Ground.Redis.Address : null,
                BeatSeconds = Ground.BeatSeconds,
                AddressFor = id => id == "w1" ? Network.Address : null,
            },
            WorkersAtFirst);
        Trail = new RunTrail(Output, TimeProvider.System);
        Ended = SubmitAsync();
    }

    /// <summary>Submits until a coordinator has heard of it: where none was there at first, whoever submits is told so and does it again.</summary>
    private async Task SubmitAsync()
    {
        while (true)
        {
            _submit = new ChildProcess(Executable.Path, Ground.Submission(Output, Processes.Address), new Dictionary<string, string>());
            await _submit.Exited;

            // The only thing it was told: a coordinator that is lost later is asked again by the command itself.
            if (_isOver || _submit.ExitCode == 0 || _submit.Output.Trim().Split('\n') is not [var only] || !only.Contains("cannot be reached", StringComparison.Ordinal))
            {
                return;
            }

            await _submit.DisposeAsync();
        }
    }
}
