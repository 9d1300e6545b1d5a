using System.Diagnostics;
using System.Runtime.CompilerServices;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Worker.Run;
using Scissorhands.Worker.Stages;

namespace Scissorhands.Benchmarks.World;

/// <summary>
/// Runs the product's own stages on the calling thread, as the only worker unless a group is given, and notes when each step
/// or batch was reported done. Must be used on a compute thread.
/// </summary>
internal sealed class StageBench : ICoordinatorLink
{
    private readonly RunInputs _inputs;
    private readonly List<(WorkerReport Report, long At)> _reports = [];
    private readonly Action<WorkerReport>? _observe;
    private readonly ICollectiveGroup? _group;
    private int _leased;

    public StageBench(RunInputs inputs, Action<WorkerReport>? observe = null, ICollectiveGroup? group = null)
    {
        _group = group;
        _inputs = inputs;
        _observe = observe;
    }

    /// <summary>Executes a stage with a fresh replica; durations in seconds of what each report of the type completed, from the second on.</summary>
    public IReadOnlyList<(T Report, double Seconds)> Execute<T>(IStageExecutor stage, RunStage which)
        where T : WorkerReport
    {
        _reports.Clear();
        _leased = 0;
        using var replica = ReplicaFactory.Create(_inputs);
        var model = new ModelState(replica, _inputs.Configuration.Seed);
        SetMask(model);
        var folder = new RunFolder(Path.Combine(Path.GetDirectoryName(_inputs.ModelPath)!, "run"));
        folder.Create();
        var group = _group ?? InProcessGroup.Create("benchmark", 1, 1)[0];
        var assignment = new StageAssignment("benchmark", 1, which, group.Rank, group.Size, 0, null);
        stage.Execute(new StageContext(assignment, group, _inputs, folder, this, model, CancellationToken.None, CancellationToken.None));
        if (_group is null)
        {
            group.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }

        var wanted = _reports.Where(r => r.Report is T).ToArray();
        return [.. wanted.Zip(wanted.Skip(1), (before, after) => ((T)after.Report, Stopwatch.GetElapsedTime(before.At, after.At).TotalSeconds))];
    }

    ValueTask<StageAssignment> ICoordinatorLink.NextAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    ValueTask<LeaseGrant> ICoordinatorLink.LeaseAsync(long generation, CancellationToken cancellationToken) =>
        ValueTask.FromResult(_leased < _inputs.SensitivityBlocks.Count ? new LeaseGrant(LeaseKind.Block, _leased++) : new LeaseGrant(LeaseKind.Done, 0));

    ValueTask ICoordinatorLink.ReportAsync(WorkerReport report, CancellationToken cancellationToken)
    {
        _reports.Add((report, Stopwatch.GetTimestamp()));
        _observe?.Invoke(report);
        return ValueTask.CompletedTask;
    }

    // Not where the stage runs: unoptimised code would hold on to the mask there until the stage ends.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void SetMask(ModelState model)
    {
        var mask = new byte[model.Replica.Parameters.Count];
        mask.AsSpan(mask.Length / 2, mask.Length / 33).Fill(1);
        model.Mask = mask;
    }
}
