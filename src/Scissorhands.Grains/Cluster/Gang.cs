using Scissorhands.Abstractions.Cluster;
using Scissorhands.Grains.Runs;

namespace Scissorhands.Grains.Cluster;

/// <summary>The workers of one generation and what they have asked. Lives in memory: a lost coordinator begins another generation.</summary>
internal sealed class Gang
{
    private readonly (long Number, WorkerAnswer? Answer)[] _last;

    public Gang(IReadOnlyList<GangMember> members, string key)
    {
        (Members, Key) = (members, key);
        _last = new (long, WorkerAnswer?)[members.Count];
    }

    public IReadOnlyList<GangMember> Members { get; }

    public string Key { get; }

    /// <summary>The run's machine once all ranks are ready.</summary>
    public RunMachine? Machine { get; private set; }

    public RunMachine RunningMachine => Machine ?? throw new InvalidOperationException("The generation has not begun");

    /// <summary>Questions that wait for something to happen, one a rank at most.</summary>
    public List<WorkerCall> Waiting { get; } = [];

    public int WaitingRanks => Waiting.Count;

    /// <summary>When the workers were asked to yield; null where they were not.</summary>
    public long? YieldAskedAt { get; set; }

    public HashSet<int> Yielded { get; } = [];

    /// <summary>Ranks that have not said that they are ready, and may not know of the generation.</summary>
    public IEnumerable<int> Unready() => Machine is not null ? [] : Enumerable.Range(0, Members.Count).Where(rank => _last[rank].Number == 0);

    public void Start(RunMachine machine) => Machine = machine;

    /// <summary>Whether a question was asked before; its answer, where there is one already.</summary>
    public bool Repeats(WorkerCall call, out WorkerAnswer? answer)
    {
        var (number, given) = _last[call.Rank];
        answer = call.Number == number ? given : null;
        if (call.Number <= number)
        {
            return true;
        }

        _last[call.Rank] = (call.Number, null);
        return false;
    }

    public void Wait(WorkerCall call) => Waiting.Add(call);

    public IReadOnlyList<WorkerCall> TakeWaiting()
    {
        WorkerCall[] taken = [.. Waiting];
        Waiting.Clear();
        return taken;
    }

    public void Answered(WorkerCall call, WorkerAnswer answer) => _last[call.Rank] = (call.Number, answer);
}
