using Scissorhands.Abstractions.Skeleton;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Grains.Skeleton;

/// <summary>
/// The decisions of one step: gathers the workers, gives each generation its ranks and slices, collects the reports. A
/// worker that joins late or comes back with another queue begins a new generation; what an older one still says is
/// dropped. A plain object, so that it can be tested without a silo.
/// </summary>
public sealed class StepGang
{
    private readonly string _runId;
    private readonly ToyStep _work;
    private readonly SortedDictionary<string, string> _queues = new(StringComparer.Ordinal);
    private IReadOnlyList<StepAssigned> _assignments = [];
    private string?[] _hashes = [];

    /// <summary>Begins to gather.</summary>
    /// <param name="runId">The run.</param>
    /// <param name="work">The step's work.</param>
    public StepGang(string runId, ToyStep work)
    {
        ArgumentNullException.ThrowIfNull(work);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(work.Workers);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(work.Slices);
        _runId = runId;
        _work = work;
    }

    /// <summary>The generation at work; 0 while workers are gathered.</summary>
    public long Generation { get; private set; }

    /// <summary>The work.</summary>
    public ToyStep Work => _work;

    /// <summary>What the step came to; null while it runs.</summary>
    public StepOutcome? Outcome { get; private set; }

    /// <summary>Takes a worker in.</summary>
    /// <param name="worker">The worker.</param>
    /// <returns>Assignments to send now.</returns>
    public IReadOnlyList<StepAssigned> Announce(WorkerAnnounced worker)
    {
        ArgumentNullException.ThrowIfNull(worker);
        if (worker.RunId != _runId || Outcome is not null)
        {
            return [];
        }

        if (_queues.TryGetValue(worker.WorkerId, out var queue) && queue == worker.DataQueue)
        {
            // It may have missed its assignment: the same one again does no harm.
            return [.. _assignments.Where(a => a.WorkerId == worker.WorkerId)];
        }

        _queues[worker.WorkerId] = worker.DataQueue;
        return _queues.Count < _work.Workers ? [] : Deal();
    }

    /// <summary>Takes a report in.</summary>
    /// <param name="report">The report.</param>
    /// <returns>Whether the step ended with it.</returns>
    public bool Report(StepReported report)
    {
        ArgumentNullException.ThrowIfNull(report);
        if (Outcome is not null || report.RunId != _runId || report.Generation != Generation || _assignments.Count == 0
            || report.Attempt != _assignments[0].Attempt || report.Step != 0 || report.Rank < 0 || report.Rank >= _hashes.Length)
        {
            return false;
        }

        if (report.Failure is not null)
        {
            Outcome = new StepOutcome(Generation, [], $"worker {_assignments[report.Rank].WorkerId} (rank {report.Rank}): {report.Failure}");
            return true;
        }

        _hashes[report.Rank] ??= report.ResultHash;
        if (Array.IndexOf(_hashes, null) >= 0)
        {
            return false;
        }

        var other = Array.FindIndex(_hashes, h => h != _hashes[0]);
        Outcome = new StepOutcome(
            Generation,
            [.. _hashes.Select(static h => h!)],
            other < 0 ? null : $"workers {_assignments[0].WorkerId} and {_assignments[other].WorkerId} have different sums");
        return true;
    }

    private IReadOnlyList<StepAssigned> Deal()
    {
        Generation++;
        _hashes = new string?[_queues.Count];
        var tree = new ReductionTree(_work.Slices);
        var queues = _queues.Values.ToArray();
        _assignments =
        [
            .. _queues.Keys.Select((id, rank) =>
            {
                var slices = tree.Deal(rank, queues.Length);
                return new StepAssigned(_runId, Generation, (int)Generation, 0, id, rank, slices.Start, slices.End, queues, _work);
            }),
        ];
        return _assignments;
    }
}
