using System.Text.Json;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Coordinator.Access;
using Scissorhands.Grains.Cluster;
using Scissorhands.Grains.Deletion;
using Scissorhands.Grains.Store;
using Scissorhands.Planning;

namespace Scissorhands.Coordinator.Api;

/// <summary>What runs have come to: figures from the store, reports from the folders that runs write to.</summary>
internal sealed class RunResults(IRunStore runs, RunListing listing, IDeletionStore deletions, StorageRoots roots, IGrainFactory grains)
{
    private const int MostListed = 200;

    /// <summary>The newest runs that a tenant may see, newest first.</summary>
    public async Task<IReadOnlyList<RunSummary>> ListAsync(string tenant, CancellationToken ct)
    {
        var models = await deletions.ModelsAsync(null, ct);
        (ListedRun Listed, (StoredModel Model, int Batch)? Origin)[] seen = [.. (await listing.NewestAsync(MostListed, ct)).Select(listed => (listed, OriginOf(listed.Run.OutputFolder, models))).Where(r => IsSeenBy(tenant, r.Item2))];

        // How far a run is, and what it waits for, only its grain knows.
        var open = await Task.WhenAll(seen.Where(static r => r.Listed.Run.Status is RunStatus.Queued or RunStatus.Running).Select(r => grains.GetGrain<IRunGrain>(r.Listed.Run.RunId).ViewAsync()));
        var views = open.OfType<RunView>().ToDictionary(static v => v.RunId, StringComparer.Ordinal);
        return [.. seen.Select(r => Summary(r.Listed, r.Origin, views.GetValueOrDefault(r.Listed.Run.RunId)))];
    }

    /// <summary>Whether a run is another tenant's, for whom it is as if there were none.</summary>
    public async Task<bool> IsHiddenAsync(string id, string tenant, CancellationToken ct) =>
        await ReadAsync(id, ct) is var (_, origin) && !IsSeenBy(tenant, origin);

    /// <summary>What a run has measured so far; null where there is none of this id, or it is another tenant's.</summary>
    public async Task<RunFigures?> FiguresAsync(string id, string tenant, CancellationToken ct)
    {
        if (await FindAsync(id, tenant, ct) is not var (run, origin))
        {
            return null;
        }

        var trace = await grains.GetGrain<IRunGrain>(id).TraceAsync();
        var state = ClusterRunState.Parse(run.State);
        var plan = state.Plan is { } text ? JsonSerializer.Deserialize<RunPlan>(text, RunStateJson.Options) : null;
        return new RunFigures
        {
            Model = origin?.Model.Record.Name,
            Batch = origin?.Batch,
            Parameters = plan?.Parameters,
            Forget = plan?.ForgetCount,
            Retain = plan?.RetainCount,
            Stages = [.. (state.Run?.Seconds ?? new Dictionary<RunStage, double>()).OrderBy(static s => s.Key).Select(static s => new StageSeconds(StageNames.Of(s.Key), s.Value))],
            Before = Evaluation(state, RunStage.EvaluateOriginal),
            AfterTrim = Evaluation(state, RunStage.EvaluateTrimmed),
            AfterRepair = Evaluation(state, RunStage.EvaluateRepaired),
            Trim = Result<SelectionOutcome>(state, RunStage.Select),
            Steps = trace.Steps,
            Ranks = trace.Ranks,
        };
    }

    /// <summary>Where a file of a completed run lies: the folder it wrote to, or the version that was made of that.</summary>
    /// <param name="id">The run.</param>
    /// <param name="tenant">Whose it must be, where it is a model's.</param>
    /// <param name="file">The file's name.</param>
    /// <param name="ct">Ends the search.</param>
    /// <returns>Whether there is such a run; and the path, or why there is none.</returns>
    public async Task<(bool Known, string? Path, string? Reason)> FileAsync(string id, string tenant, string file, CancellationToken ct)
    {
        if (await FindAsync(id, tenant, ct) is not var (run, origin))
        {
            return (false, null, null);
        }

        if (run.Status != RunStatus.Completed)
        {
            return (true, null, $"run {id} is {RunStatusNames.Of(run.Status)}: there is no report yet");
        }

        var folders = new List<string> { run.OutputFolder };
        if (origin is var (model, _) && (await deletions.VersionsAsync(model.Record.Name, ct)).FirstOrDefault(v => v.RunId == id) is { } version)
        {
            folders.Insert(0, VersionFolders.VersionPath(model.Record, version.Number));
        }

        return folders.Select(folder => Path.Combine(folder, file)).FirstOrDefault(roots.MayServe) is { } path
            ? (true, path, null)
            : (true, null, $"run {id}: its report is no longer there, or not on storage that this coordinator sees");
    }

    // A run that carries out requests is its model's tenant's; one that was submitted by itself is every operator's.
    private async Task<(StoredRun Run, (StoredModel Model, int Batch)? Origin)?> FindAsync(string id, string tenant, CancellationToken ct) =>
        await ReadAsync(id, ct) is var (run, origin) && IsSeenBy(tenant, origin) ? (run, origin) : null;

    private async Task<(StoredRun Run, (StoredModel Model, int Batch)? Origin)?> ReadAsync(string id, CancellationToken ct) =>
        await runs.ReadAsync(id, ct) is { } run ? (run, OriginOf(run.OutputFolder, await deletions.ModelsAsync(null, ct))) : null;

    private static bool IsSeenBy(string tenant, (StoredModel Model, int Batch)? origin) => origin is not var (model, _) || model.Record.Tenant == tenant;

    private static (StoredModel Model, int Batch)? OriginOf(string outputFolder, IReadOnlyList<StoredModel> models)
    {
        foreach (var model in models)
        {
            if (VersionFolders.BatchOf(model.Record, outputFolder) is { } batch)
            {
                return (model, batch);
            }
        }

        return null;
    }

    private static RunSummary Summary(ListedRun listed, (StoredModel Model, int Batch)? origin, RunView? view)
    {
        var run = listed.Run;
        var stage = view?.Stage ?? listed.Stage;
        return new RunSummary
        {
            RunId = run.RunId,
            Status = RunStatusNames.Of(run.Status),
            Pool = run.Pool,
            SubmittedAt = run.SubmittedAt,
            Deadline = run.Deadline,
            Out = run.OutputFolder,
            Reason = view?.Waits ?? run.Reason,
            Stage = stage,
            Progress = view is null ? null : Progress(view.Progress.Where(p => p.Stage == stage && p.Total > 0).ToArray()),
            StartedAt = listed.StartedAt,
            EndedAt = listed.EndedAt,
            Model = origin?.Model.Record.Name,
            Batch = origin?.Batch,
        };
    }

    // Steps are done by all ranks together, and the slowest says how far they are; samples are dealt out in their order.
    private static double? Progress(WorkerProgress[] ranks) => ranks.Length == 0 ? null
        : ranks[0].Unit == "steps" ? ranks.Min(static p => p.Done / (double)p.Total)
        : ranks.Max(static p => p.Done / (double)p.Total);

    private static EvaluationFigures? Evaluation(ClusterRunState state, RunStage stage) => Result<EvaluationResult>(state, stage) is { } result
        ? new EvaluationFigures(result.Forget.Accuracy, result.Retain.Accuracy, result.Test?.Accuracy, result.Earlier?.Accuracy, result.Mia)
        : null;

    private static T? Result<T>(ClusterRunState state, RunStage stage)
        where T : class => state.Run?.Results.TryGetValue(stage, out var json) == true ? JsonSerializer.Deserialize<T>(json, RunStateJson.Options) : null;
}
