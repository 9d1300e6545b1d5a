namespace Scissorhands.Drill.Faults;

/// <summary>All faults of the drill. Worker w1 is the one that is struck; it holds no special rank.</summary>
public static class FaultCatalogue
{
    private static readonly TimeSpan NetworkAway = TimeSpan.FromSeconds(20);

    /// <summary>The faults, in the order of the table.</summary>
    public static IReadOnlyList<Fault> All { get; } =
    [
        new("kill-worker", static cluster => cluster.KillWorkerAsync("w1")),
        new("kill-first-worker", static cluster => cluster.KillWorkerAsync("w0")),
        new("kill-all-workers", static async cluster =>
        {
            await Task.WhenAll(cluster.Workers.Select(cluster.KillWorkerAsync));
            await cluster.Processes.StartWorkerAsync("w8");
            await cluster.Processes.StartWorkerAsync("w9");
        }),
        new("stop-worker", static async cluster =>
        {
            cluster.Processes.Worker("w1").Signal("STOP");
            await cluster.LostAsync("w1");
            cluster.Processes.Worker("w1").Signal("CONT");
        }),
        new("deafen-worker", static cluster => cluster.DeafenAsync("w1")),
        new("end-worker", static cluster =>
        {
            cluster.Processes.Worker("w1").Signal("TERM");
            return Task.CompletedTask;
        }),
        new("add-workers", static cluster => Task.WhenAll(cluster.Processes.StartWorkerAsync("w7"), cluster.Processes.StartWorkerAsync("w8"))),
        new("kill-coordinator", static async cluster =>
        {
            await cluster.KillCoordinatorAsync(0);
            await cluster.Processes.StartCoordinatorAsync(0);
        }),
        new("kill-one-of-two-coordinators", static cluster => cluster.KillCoordinatorAsync(1)) { Coordinators = 2, Shared = true },
        new("kill-both-coordinators", static async cluster =>
        {
            await Task.WhenAll(cluster.KillCoordinatorAsync(0), cluster.KillCoordinatorAsync(1));
            await Task.WhenAll(cluster.Processes.StartCoordinatorAsync(0), cluster.Processes.StartCoordinatorAsync(1));
        })
        { Coordinators = 2, Shared = true },
        new("restart-broker", static cluster => cluster.Ground.Broker.RestartAsync()),
        new("flush-and-restart-redis", static async cluster =>
        {
            await cluster.Ground.Redis.FlushAsync();
            await cluster.Ground.Redis.RestartAsync();
        })
        { Coordinators = 2, Shared = true },
        new("restart-postgres", static cluster => cluster.Ground.Postgres.RestartAsync()) { Shared = true },
        new("cut-network", static async cluster =>
        {
            cluster.Network.Stall();
            await Task.Delay(NetworkAway);
            cluster.Network.Resume();
        }),
        new("shuffle-messages", static cluster => cluster.ShuffleAsync()),
        new("fill-disk-and-free", static async cluster =>
        {
            cluster.Disk.Fill();
            await cluster.TriedAgainAsync();
            cluster.Disk.Free();
        })
        { OnSmallDisk = true },
        new("fill-disk", static cluster =>
        {
            cluster.Disk.Fill();
            return Task.CompletedTask;
        })
        { OnSmallDisk = true, End = DrillEnd.CleanFailure },
    ];
}
