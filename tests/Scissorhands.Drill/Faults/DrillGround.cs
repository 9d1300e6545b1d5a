using System.Diagnostics;
using System.Globalization;
using Scissorhands.Drill.Cluster;
using Scissorhands.Drill.World;
using Scissorhands.Testing;

namespace Scissorhands.Drill.Faults;

/// <summary>What all cases of a drill share: broker, databases, inputs, and how a run goes that nothing disturbs.</summary>
public sealed class DrillGround : IAsyncDisposable
{
    // Long enough for something to happen in the middle of each stage; checkpoints often enough for some to be lost.
    private static readonly string[] Long = ["repair.epochs=6", "repair.lr=0.01"];

    private int _cases;

    /// <summary>The broker.</summary>
    public Broker Broker { get; } = new();

    /// <summary>Where coordinators find each other.</summary>
    public Redis Redis { get; } = new();

    /// <summary>The store that coordinators share.</summary>
    public Postgres Postgres { get; } = new();

    /// <summary>The inputs.</summary>
    public TinyFiles Files { get; } = new(Directory.CreateTempSubdirectory("scissorhands-drill-").FullName);

    /// <summary>Seconds between signs of life. Default: 0.5.</summary>
    public double BeatSeconds { get; init; } = 0.5;

    /// <summary>The answer of one process that nothing disturbed.</summary>
    public Answer Expected { get; private set; } = null!;

    /// <summary>How long each stage of an undisturbed run on a cluster takes here.</summary>
    public IReadOnlyDictionary<DrillStage, TimeSpan> Usual { get; private set; } = new Dictionary<DrillStage, TimeSpan>();

    /// <summary>Why no drill can be held; null where one can.</summary>
    public string? Missing => Broker.Missing ?? Redis.Missing ?? Postgres.Missing;

    /// <summary>Starts the servers and makes the two undisturbed runs.</summary>
    public async Task StartAsync()
    {
        await Broker.StartAsync();
        await Redis.StartAsync();
        await Postgres.StartAsync();
        if (Missing is not null)
        {
            return;
        }

        await Files.WriteAsync();
        var output = Files.NewPath("expected");
        await using (var run = new ChildProcess(Executable.Path, ["run", .. Files.Inputs(), "--out", output, .. Files.Settings(Long)], new Dictionary<string, string>()))
        {
            await run.Exited;
            Expected = run.ExitCode == 0 ? Answer.In(output) : throw new InvalidOperationException($"The undisturbed run has failed:\n{run.Output}");
        }

        var undisturbed = new Fault("nothing", static _ => Task.CompletedTask);
        await using var cluster = await DrillCluster.StartAsync(this, undisturbed, 0);
        await cluster.Ended;
        Usual = cluster.Trail.Durations();
        if (Answer.In(cluster.Output) != Expected)
        {
            throw new InvalidOperationException($"Without any fault the cluster's answer differs from that of one process.\n{cluster.Describe()}");
        }
    }

    /// <summary>A name that no other case of this drill has.</summary>
    public string NewName() => string.Create(CultureInfo.InvariantCulture, $"case{Interlocked.Increment(ref _cases)}");

    /// <summary>Options of the submission of a drill's run.</summary>
    public IReadOnlyList<string> Submission(string output, string address) =>
        ["submit", .. Files.Inputs(), "--out", output, "--workers", "4", "--coordinator", address, "--watch", .. Files.Settings(Long)];

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Broker.DisposeAsync();
        await Redis.DisposeAsync();
        await Postgres.DisposeAsync();
        Directory.Delete(Files.Folder, recursive: true);
    }
}
