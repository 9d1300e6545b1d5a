using Scissorhands.Abstractions.Cluster;
using Scissorhands.Grains.Cluster;
using Scissorhands.Grains.Store;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;
using Scissorhands.Testing;

namespace Scissorhands.Grains.Tests.Cluster;

/// <summary>Opens runs as their grain does, new and from what was stored.</summary>
internal sealed class RunRig(TimeProvider time, int blocks = 50)
{
    public static RunPlan Plan { get; } = MadeUpPlan.Of(50);

    private static readonly RunOrder Order = new() { Model = "model", Data = "data", Forget = "forget", Out = "out", Configuration = ConfigurationJson.Canonical(new RunConfiguration()) };

    public RunPlan OwnPlan { get; } = MadeUpPlan.Of(blocks);

    public static IReadOnlyList<GangMember> Members(params string[] workers) => [.. workers.Select(static w => new GangMember(w, "queue-" + w))];

    public ClusterRun Open() => new("run", Order, RunStatus.Queued, null, new ClusterRunState(), time, new LivenessOptions());

    /// <summary>The run as another coordinator reads it.</summary>
    public ClusterRun Restart(ClusterRun run) => new("run", Order, run.Status, run.Reason, ClusterRunState.Parse(run.Durable.ToJson()), time, new LivenessOptions());
}
