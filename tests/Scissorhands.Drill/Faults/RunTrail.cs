using System.Text.Json;

namespace Scissorhands.Drill.Faults;

/// <summary>
/// Follows what a run writes into its folder: which stage it is in, and when it last made progress (a repair step, a
/// checkpoint, the end of a stage). Seen as it is written, so that stages of milliseconds can be struck too.
/// </summary>
public sealed class RunTrail : IDisposable
{
    private const string EventsName = "events.jsonl";
    private const string StepsName = "steps.jsonl";

    private static readonly (string Ended, DrillStage Begins)[] Borders =
    [
        ("evaluate original", DrillStage.Sensitivity),
        ("sensitivity", DrillStage.Select),
        ("select", DrillStage.Trim),
        ("evaluate trimmed", DrillStage.Repair),
        ("repair", DrillStage.Evaluate),
        ("evaluate repaired", DrillStage.Publish),
    ];

    private readonly string _folder;
    private readonly TimeProvider _time;
    private readonly FileSystemWatcher _watcher;
    private readonly Lock _sync = new();
    private readonly TaskCompletionSource[] _begun = [.. Enum.GetValues<DrillStage>().Select(static _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously))];
    private readonly List<(long At, DrillStage Stage)> _stages = [];
    private readonly List<long> _progress = [];
    private readonly Dictionary<string, long> _read = [];
    private long _struck;

    /// <summary>Begins to follow.</summary>
    /// <param name="folder">The run's folder; must exist.</param>
    /// <param name="time">The clock.</param>
    public RunTrail(string folder, TimeProvider time)
    {
        (_folder, _time) = (folder, time);
        Note(DrillStage.Plan);
        _watcher = new FileSystemWatcher(folder) { IncludeSubdirectories = true, NotifyFilter = NotifyFilters.Size | NotifyFilters.FileName };
        _watcher.Changed += (_, e) => Read(e.FullPath);
        _watcher.Created += (_, e) => Read(e.FullPath);
        _watcher.EnableRaisingEvents = true;
    }

    /// <summary>The stage that the run is in.</summary>
    public DrillStage Stage
    {
        get
        {
            lock (_sync)
            {
                return _stages[^1].Stage;
            }
        }
    }

    /// <summary>Completes when a stage, or a later one, has begun.</summary>
    public Task Begun(DrillStage stage) => _begun[(int)stage].Task;

    /// <summary>How long each stage took.</summary>
    public IReadOnlyDictionary<DrillStage, TimeSpan> Durations()
    {
        lock (_sync)
        {
            var ends = _stages.Skip(1).Select(static s => s.At).Append(_time.GetTimestamp());
            return _stages.Zip(ends, (s, end) => (s.Stage, Time: _time.GetElapsedTime(s.At, end))).ToDictionary(static s => s.Stage, static s => s.Time);
        }
    }

    /// <summary>Notes that something was done to the run now.</summary>
    public void Strike()
    {
        lock (_sync)
        {
            _struck = _time.GetTimestamp();
        }
    }

    /// <summary>The longest time without progress that reaches beyond the moment of the strike.</summary>
    public TimeSpan LongestPause()
    {
        ReadAll();
        lock (_sync)
        {
            var longest = TimeSpan.Zero;
            for (var i = 1; i < _progress.Count; i++)
            {
                if (_progress[i] > _struck && _time.GetElapsedTime(_progress[i - 1], _progress[i]) is var pause && pause > longest)
                {
                    longest = pause;
                }
            }

            return longest;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _watcher.Dispose();

    private void ReadAll()
    {
        foreach (var path in Directory.EnumerateFiles(_folder, "*.jsonl", SearchOption.AllDirectories))
        {
            Read(path);
        }
    }

    private void Read(string path)
    {
        var name = Path.GetFileName(path);
        if (name is not (EventsName or StepsName))
        {
            return;
        }

        lock (_sync)
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var at = _read.GetValueOrDefault(path);
            stream.Position = at;
            using var reader = new StreamReader(stream);
            var text = reader.ReadToEnd();
            var whole = text.LastIndexOf('\n') + 1;
            _read[path] = at + whole;
            foreach (var line in text[..whole].Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                _progress.Add(_time.GetTimestamp());
                if (name == EventsName)
                {
                    TakeEvent(line);
                }
            }
        }
    }

    private void TakeEvent(string line)
    {
        JsonElement e;
        try
        {
            e = JsonSerializer.Deserialize<JsonElement>(line);
        }
        catch (JsonException)
        {
            // Cut short by a crash, and followed by another process's line.
            return;
        }

        if (e.GetProperty("event").GetString() == "stage-done")
        {
            var ended = e.GetProperty("fields").GetProperty("stage").GetString();
            foreach (var (name, begins) in Borders)
            {
                if (name == ended && begins > _stages[^1].Stage)
                {
                    Note(begins);
                }
            }
        }
    }

    private void Note(DrillStage stage)
    {
        _stages.Add((_time.GetTimestamp(), stage));
        for (var i = 0; i <= (int)stage; i++)
        {
            _begun[i].TrySetResult();
        }
    }
}
