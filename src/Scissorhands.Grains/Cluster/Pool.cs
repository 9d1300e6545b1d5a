using Scissorhands.Abstractions.Cluster;

namespace Scissorhands.Grains.Cluster;

/// <summary>
/// Which worker works for which run. Knows only what it is told again and again (signs of life, needs), so that it may be
/// forgotten at any time. Runs go by deadline, then by age; one run a model; a run begins with the workers that are free and
/// grows when others are and nobody waits.
/// </summary>
internal sealed class Pool
{
    private const int MaxSuperseded = 10_000;
    private readonly string _name;
    private readonly LivenessOptions _options;
    private readonly Dictionary<string, (string WorkerId, long Since)> _superseded = new(StringComparer.Ordinal);

    // The last life of workers that were lost: one that only stood still may stir again when another has its name.
    private readonly Dictionary<string, string> _lostLives = new(StringComparer.Ordinal);
    private readonly TimeProvider _time;
    private readonly long _born;
    private readonly SortedDictionary<string, Seen> _workers = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Wanted> _needs = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _holders = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _waits = new(StringComparer.Ordinal);

    public Pool(string name, TimeProvider time, LivenessOptions options)
    {
        (_name, _time, _options) = (name, time, options);
        _born = time.GetTimestamp();
    }

    public IReadOnlyList<WorkerView> Views => [.. _workers.Values.Select(seen => new WorkerView(
        seen.Beat.WorkerId,
        seen.Beat.Pool,
        seen.Beat.Device,
        seen.Beat.MemoryBytes,
        seen.Beat.Leaving ? "leaving" : HolderOf(seen.Beat.WorkerId) is null ? "free" : "working",
        HolderOf(seen.Beat.WorkerId),
        _time.GetElapsedTime(seen.At).TotalSeconds))];

    /// <summary>Whether a worker that another process has taken the name of is still there: two of one name would take each other's commands.</summary>
    public bool IsSuperseded(WorkerBeat beat) => _superseded.TryGetValue(beat.Life, out var superseded)
        && _workers.ContainsKey(beat.WorkerId)
        && _time.GetElapsedTime(superseded.Since) > _options.BeatInterval;

    /// <summary>Notes a sign of life.</summary>
    /// <returns>The run that loses the worker by it, because the worker began a new life or is leaving.</returns>
    public (string? LostBy, string? LeavingFrom) Beat(WorkerBeat beat)
    {
        if (_superseded.ContainsKey(beat.Life))
        {
            // Overtaken on its way by the sign of life of its successor.
            return (null, null);
        }

        var known = _workers.TryGetValue(beat.WorkerId, out var before);
        var former = known ? before!.Beat.Life : _lostLives.GetValueOrDefault(beat.WorkerId);
        _lostLives.Remove(beat.WorkerId);
        if (former is not null && former != beat.Life)
        {
            if (_superseded.Count >= MaxSuperseded)
            {
                _superseded.Clear();
            }

            _superseded[former] = (beat.WorkerId, _time.GetTimestamp());
        }

        var holder = HolderOf(beat.WorkerId);
        var elsewhere = holder is not null && (beat.RunId != holder || beat.Generation != _needs[holder].Need.Generation);
        _workers[beat.WorkerId] = new Seen(beat, _time.GetTimestamp(), !elsewhere ? null : known && before!.ElsewhereSince is { } since ? since : _time.GetTimestamp());
        if (holder is not null && known && before!.Beat.DataQueue != beat.DataQueue)
        {
            return (holder, null);
        }

        return (null, beat.Leaving ? holder : null);
    }

    /// <summary>Notes what a run wants.</summary>
    public void Need(RunNeed need)
    {
        if (!need.Open)
        {
            Want(need.RunId, null);
            return;
        }

        // The wait for the former workers' signs of life begins once, not with each reminder.
        var since = _needs.TryGetValue(need.RunId, out var before) && before.Need.Members.Count == 0 ? before.Since : _time.GetTimestamp();
        Want(need.RunId, new Wanted(need, since));
    }

    /// <summary>Forgets workers that have been silent for too long.</summary>
    /// <returns>Them and the runs that had them.</returns>
    public IReadOnlyList<(string WorkerId, string? RunId)> Lose()
    {
        (string, string?)[] lost = [.. _workers.Values
            .Where(seen => _time.GetElapsedTime(seen.At) > _options.LostAfter)
            .Select(seen => (seen.Beat.WorkerId, HolderOf(seen.Beat.WorkerId)))];
        if (_lostLives.Count >= MaxSuperseded)
        {
            _lostLives.Clear();
        }

        foreach (var (worker, _) in lost)
        {
            _lostLives[worker] = _workers[worker].Beat.Life;
            _workers.Remove(worker);

            // Whom it had taken the name from may be the only one left of it.
            foreach (var life in _superseded.Where(s => s.Value.WorkerId == worker).Select(static s => s.Key).ToArray())
            {
                _superseded.Remove(life);
            }
        }

        return lost;
    }

    /// <summary>
    /// Workers that live but do not work in the generation of the run that holds them: it has ended for them, and what they
    /// said of it was lost.
    /// </summary>
    public IReadOnlyList<(string WorkerId, string RunId)> Strayed() => [.. _workers.Values
        .Where(seen => seen.ElsewhereSince is { } since && _time.GetElapsedTime(since) > 2 * _options.LostAfter && HolderOf(seen.Beat.WorkerId) is not null)
        .Select(seen => (seen.Beat.WorkerId, HolderOf(seen.Beat.WorkerId)!))];

    /// <summary>Workers of runs that this pool has never seen: it was forgotten, and they with it.</summary>
    public IReadOnlyList<(string WorkerId, string RunId)> Missing() => _time.GetElapsedTime(_born) <= _options.LostAfter ? []
        : [.. _needs.Values.SelectMany(static wanted => wanted.Need.Members.Select(worker => (worker, wanted.Need.RunId))).Where(pair => !_workers.ContainsKey(pair.worker))];

    /// <summary>Runs that the last deal gave nothing to and that have waited for a while, with what each waits for.</summary>
    public IReadOnlyDictionary<string, string> Waits => _waits;

    /// <summary>How many of <see cref="Waits"/> more workers would help.</summary>
    public int Lacks { get; private set; }

    /// <summary>Deals free workers to runs.</summary>
    /// <returns>Runs and all their workers, former ones first.</returns>
    public IReadOnlyList<(string RunId, IReadOnlyList<GangMember> Members)> Deal()
    {
        if (_time.GetElapsedTime(_born) < _options.SettleTime)
        {
            return [];
        }

        var held = _needs.Values.SelectMany(static wanted => wanted.Need.Members).ToHashSet(StringComparer.Ordinal);
        var free = _workers.Values.Where(seen => !seen.Beat.Leaving && seen.Beat.DataQueue.Length > 0 && !held.Contains(seen.Beat.WorkerId)).ToList();
        var models = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (need, _) in _needs.Values.Where(static wanted => wanted.Need.Members.Count > 0))
        {
            models.TryAdd(need.ModelKey, need.RunId);
        }

        _waits.Clear();
        Lacks = 0;
        var dealt = new List<(string, IReadOnlyList<GangMember>)>();
        var waits = false;
        foreach (var (need, since) in _needs.Values
            .OrderBy(static w => w.Need.Deadline ?? DateTimeOffset.MaxValue).ThenBy(static w => w.Need.SubmittedAt).ThenBy(static w => w.Need.RunId, StringComparer.Ordinal).ToArray())
        {
            if (need.Members.Count > 0)
            {
                continue;
            }

            if (models.GetValueOrDefault(need.ModelKey) is { } atWork)
            {
                Wait(need, since, $"run {atWork} works on the same model");
                continue;
            }

            if (need.BehindRun is { } begun)
            {
                Wait(need, since, $"run {begun} has begun on the same model and is not done");
                continue;
            }

            var eligible = free.Where(seen => IsFit(seen, need) && Proven(seen, since, need)).ToList();
            if (need.Former.Count > 0 && _time.GetElapsedTime(since) < _options.SettleTime && need.Former.Any(worker => _workers.TryGetValue(worker, out var former) && !former.Beat.Leaving && !eligible.Contains(former) && !held.Contains(worker)))
            {
                // Who was at work holds the run's state in memory: worth a moment's wait. Nobody else gets them meanwhile.
                free.RemoveAll(seen => need.Former.Contains(seen.Beat.WorkerId, StringComparer.Ordinal));
                waits = true;
                continue;
            }

            var chosen = Together([.. eligible.OrderBy(seen => need.Former.Contains(seen.Beat.WorkerId, StringComparer.Ordinal) ? 0 : 1)], 0, need);
            if (chosen.Length == 0)
            {
                // Those that others hold are waited for; what no workers here can do keeps nobody from anything.
                waits |= Together([.. _workers.Values.Where(seen => IsFit(seen, need))], 0, need).Length > 0;
                Wait(need, since, Lacking(need));
                Lacks += _waits.ContainsKey(need.RunId) ? 1 : 0;
                continue;
            }

            free.RemoveAll(chosen.Contains);
            models.Add(need.ModelKey, need.RunId);
            Give(need, chosen);
        }

        foreach (var (need, _) in _needs.Values.Where(_ => !waits).ToArray())
        {
            var more = Together([.. free.Where(seen => IsFit(seen, need))], need.Members.Count, need);
            if (need.Members.Count > 0 && more.Length > 0 && !dealt.Exists(d => d.Item1 == need.RunId))
            {
                free.RemoveAll(more.Contains);
                Give(need, [.. need.Members.Select(worker => _workers.GetValueOrDefault(worker)).OfType<Seen>().Where(static seen => !seen.Beat.Leaving), .. more]);
            }
        }

        return dealt;

        void Wait(RunNeed need, long since, string reason)
        {
            if (_time.GetElapsedTime(since) >= _options.SettleTime)
            {
                _waits[need.RunId] = reason;
            }
        }

        void Give(RunNeed need, IReadOnlyList<Seen> chosen)
        {
            // Held until the run says otherwise; its own word replaces this one.
            Want(need.RunId, new Wanted(need with { Members = [.. chosen.Select(static seen => seen.Beat.WorkerId)] }, _time.GetTimestamp()));
            foreach (var seen in chosen)
            {
                _workers[seen.Beat.WorkerId] = seen with { ElsewhereSince = null };
            }

            dealt.Add((need.RunId, [.. chosen.Select(static seen => new GangMember(seen.Beat.WorkerId, seen.Beat.DataQueue))]));
        }
    }

    private static bool IsFit(Seen seen, RunNeed need) => seen.Beat.Device == need.Device && LeastWorkers(seen, need) <= need.Workers;

    private static int LeastWorkers(Seen seen, RunNeed need) => need.LeastWorkers?.GetValueOrDefault(seen.Beat.WorkerId, 1) ?? 1;

    /// <summary>The most that can work together, with those at work, of workers that can only in generations of some size.</summary>
    private static Seen[] Together(Seen[] candidates, int atWork, RunNeed need)
    {
        for (var size = Math.Min(need.Workers, atWork + candidates.Length); size > atWork; size--)
        {
            Seen[] able = [.. candidates.Where(seen => LeastWorkers(seen, need) <= size).Take(size - atWork)];
            if (able.Length == size - atWork)
            {
                return able;
            }
        }

        return [];
    }

    private string Lacking(RunNeed need)
    {
        var alive = _workers.Values.Where(static seen => !seen.Beat.Leaving).ToArray();
        var sameDevice = alive.Count(seen => seen.Beat.Device == need.Device);
        Seen[] able = [.. alive.Where(seen => IsFit(seen, need))];
        var fit = able.Length;
        return (alive.Length, sameDevice, fit) switch
        {
            (0, _, _) => $"waits for workers: pool {_name} has none",
            (_, 0, _) => $"waits for workers: none of the {alive.Length} in pool {_name} computes on {need.Device}",
            (_, _, 0) => $"waits for workers: none of the {sameDevice} in pool {_name} that compute on {need.Device} can do it",
            _ when Together(able, 0, need).Length == 0 => $"waits for workers: the {fit} in pool {_name} that could do it among others are too few",
            _ => $"waits for workers: the {fit} in pool {_name} that could do it are taken",
        };
    }

    // A worker of a generation that broke may be the reason: it must have given a sign of life since.
    private static bool Proven(Seen seen, long since, RunNeed need) => seen.At > since || !need.Former.Contains(seen.Beat.WorkerId, StringComparer.Ordinal);

    private string? HolderOf(string workerId) => _holders.GetValueOrDefault(workerId);

    // The only place where needs change: whom each worker belongs to is looked up with every sign of life.
    private void Want(string runId, Wanted? wanted)
    {
        if (_needs.TryGetValue(runId, out var before))
        {
            foreach (var worker in before.Need.Members.Where(worker => HolderOf(worker) == runId))
            {
                _holders.Remove(worker);
            }
        }

        if (wanted is null)
        {
            _needs.Remove(runId);
            return;
        }

        _needs[runId] = wanted;
        foreach (var worker in wanted.Need.Members)
        {
            _holders[worker] = runId;
        }
    }

    private sealed record Seen(WorkerBeat Beat, long At, long? ElsewhereSince);

    private sealed record Wanted(RunNeed Need, long Since);
}
