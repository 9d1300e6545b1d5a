using Orleans.Concurrency;

namespace Scissorhands.Abstractions.Cluster;

/// <summary>One run: decides what its workers do next, and writes each decision down before it is acted on. The key is the run's id.</summary>
[Alias("scissorhands.run-grain")]
public interface IRunGrain : IGrainWithStringKey
{
    /// <summary>Takes a submission in. The same again changes nothing, unless the run has failed or was cancelled: then it goes on.</summary>
    /// <param name="order">What was submitted.</param>
    /// <returns>What became of it.</returns>
    [Alias("submit")]
    Task<SubmitOutcome> SubmitAsync(RunOrder order);

    /// <summary>Shows the run.</summary>
    /// <returns>The run, or null where there is none of this id.</returns>
    [Alias("view")]
    Task<RunView?> ViewAsync();

    /// <summary>Tells how the repair has gone so far.</summary>
    /// <returns>The trace; empty before the repair and where there is no run of this id.</returns>
    [Alias("trace")]
    Task<RunTrace> TraceAsync();

    /// <summary>Ends the run; what is durable stays.</summary>
    /// <param name="reason">Why.</param>
    /// <returns>Whether it was open.</returns>
    [Alias("cancel")]
    Task<bool> CancelAsync(string reason);

    /// <summary>Takes a worker's question in; the answer is sent to the worker.</summary>
    /// <param name="call">The question.</param>
    /// <returns>Completes when its effect is durable.</returns>
    [Alias("call")]
    Task CallAsync(WorkerCall call);

    /// <summary>Notes how far a rank is.</summary>
    /// <param name="progress">How far.</param>
    /// <returns>Completes at once.</returns>
    [Alias("progress")]
    Task ProgressAsync(WorkerProgress progress);

    /// <summary>Brings the run back to life after its host was lost, and reminds its pool of it.</summary>
    /// <returns>Completes when the pool has been told.</returns>
    [Alias("wake")]
    Task WakeAsync();

    /// <summary>Gives the run its workers. One that is at work yields first.</summary>
    /// <param name="members">The workers, in the order of their ranks.</param>
    /// <returns>Whether the run takes them.</returns>
    [Alias("form")]
    Task<bool> FormAsync(IReadOnlyList<GangMember> members);

    /// <summary>Its pool cannot give the run any workers now, or no longer says so.</summary>
    /// <param name="reason">What the run waits for; null where it waits no longer.</param>
    /// <returns>Completes at once.</returns>
    [Alias("waits")]
    [OneWay]
    Task WaitsAsync(string? reason);

    /// <summary>Workers are gone: their generation is over.</summary>
    /// <param name="workerIds">The workers.</param>
    /// <param name="reason">How that was noticed.</param>
    /// <returns>Completes when it is noted.</returns>
    [Alias("lost")]
    Task MembersLostAsync(IReadOnlyList<string> workerIds, string reason);

    /// <summary>A worker is about to leave: its generation is to end at the next durable point.</summary>
    /// <param name="workerId">The worker.</param>
    /// <returns>Completes when the workers have been asked.</returns>
    [Alias("leaving")]
    Task MemberLeavingAsync(string workerId);
}

/// <summary>The workers of a pool and the runs that want them. The key is the pool's name. All it knows is told to it again.</summary>
[Alias("scissorhands.pool-grain")]
public interface IPoolGrain : IGrainWithStringKey
{
    /// <summary>A worker's sign of life.</summary>
    /// <param name="beat">The sign.</param>
    /// <returns>Completes when it is noted.</returns>
    [Alias("beat")]
    Task BeatAsync(WorkerBeat beat);

    /// <summary>What a run wants.</summary>
    /// <param name="need">The need; replaces the run's former one.</param>
    /// <returns>Completes at once.</returns>
    [Alias("need")]
    [OneWay]
    Task NeedAsync(RunNeed need);

    /// <summary>Shows the pool's workers.</summary>
    /// <returns>The workers, by id.</returns>
    [Alias("workers")]
    Task<IReadOnlyList<WorkerView>> WorkersAsync();
}

/// <summary>A worker as member of a generation.</summary>
/// <param name="WorkerId">The worker.</param>
/// <param name="DataQueue">Where its tensors arrive.</param>
[GenerateSerializer]
[Alias("scissorhands.gang-member")]
public sealed record GangMember(string WorkerId, string DataQueue);

/// <summary>What a run wants of its pool.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Open">Whether it wants workers at all; false ends its claims.</param>
/// <param name="ModelKey">Runs of one model never work at the same time.</param>
/// <param name="Device">Device kind.</param>
/// <param name="Workers">Most workers it can use.</param>
/// <param name="Deadline">When it should be done.</param>
/// <param name="SubmittedAt">When it was submitted; the older goes first among equal deadlines.</param>
/// <param name="Members">Workers of its generation; empty where it needs a new one.</param>
/// <param name="Generation">Its generation.</param>
/// <param name="Former">Workers of the generation before, which hold its state in memory.</param>
/// <param name="LeastWorkers">For workers that have said that they cannot do it: of how many a generation must be so that they can, <see cref="int.MaxValue"/> for never; null for none.</param>
/// <param name="BehindRun">The run that has begun on the model and is not done, in whatever pool and with workers or without; null for none. The need is not to be met while there is one.</param>
[GenerateSerializer]
[Alias("scissorhands.run-need")]
public sealed record RunNeed(
    string RunId,
    bool Open,
    string ModelKey,
    string Device,
    int Workers,
    DateTimeOffset? Deadline,
    DateTimeOffset SubmittedAt,
    IReadOnlyList<string> Members,
    long Generation,
    IReadOnlyList<string> Former,
    IReadOnlyDictionary<string, int>? LeastWorkers = null,
    string? BehindRun = null);

/// <summary>What became of a submission.</summary>
/// <param name="Accepted">Whether the run is open now or has been done.</param>
/// <param name="Created">Whether it was not known before.</param>
/// <param name="Reason">Why it was not accepted, or what it waits for.</param>
[GenerateSerializer]
[Alias("scissorhands.submit-outcome")]
public sealed record SubmitOutcome(bool Accepted, bool Created, string? Reason);

/// <summary>A run as it is shown.</summary>
[GenerateSerializer]
[Alias("scissorhands.run-view")]
public sealed record RunView
{
    /// <summary>The run.</summary>
    [Id(0)]
    public required string RunId { get; init; }

    /// <summary>queued, running, completed, failed or cancelled.</summary>
    [Id(1)]
    public required string Status { get; init; }

    /// <summary>Name of the stage; null before the plan is known.</summary>
    [Id(2)]
    public string? Stage { get; init; }

    /// <summary>The generation.</summary>
    [Id(3)]
    public long Generation { get; init; }

    /// <summary>Its workers, by rank.</summary>
    [Id(4)]
    public IReadOnlyList<string> Members { get; init; } = [];

    /// <summary>Why it failed, or why its last generation ended.</summary>
    [Id(5)]
    public string? Reason { get; init; }

    /// <summary>Whether the input is at fault, where it failed.</summary>
    [Id(6)]
    public bool BadInput { get; init; }

    /// <summary>The configuration key that is at fault, where one is: unlike the reason it never quotes a sample.</summary>
    [Id(16)]
    public string? BadKey { get; init; }

    /// <summary>How far each rank is.</summary>
    [Id(7)]
    public IReadOnlyList<WorkerProgress> Progress { get; init; } = [];

    /// <summary>When it was submitted (UTC).</summary>
    [Id(8)]
    public DateTimeOffset SubmittedAt { get; init; }

    /// <summary>When it should be done (UTC).</summary>
    [Id(9)]
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>Where its results are written.</summary>
    [Id(10)]
    public required string Out { get; init; }

    /// <summary>The pool.</summary>
    [Id(11)]
    public required string Pool { get; init; }

    /// <summary>SHA-256 of the published files, once there are any.</summary>
    [Id(12)]
    public IReadOnlyDictionary<string, string> Files { get; init; } = new Dictionary<string, string>();

    /// <summary>What it waits for where it has no workers; null where it does not, or not for long.</summary>
    [Id(13)]
    public string? Waits { get; init; }

    /// <summary>When workers first began on it (UTC); null before.</summary>
    [Id(14)]
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When it ended, however (UTC); null where it is open.</summary>
    [Id(15)]
    public DateTimeOffset? EndedAt { get; init; }
}

/// <summary>A worker as it is shown.</summary>
/// <param name="WorkerId">The worker.</param>
/// <param name="Pool">Its pool.</param>
/// <param name="Device">Device kind.</param>
/// <param name="MemoryBytes">Memory it may use, in bytes.</param>
/// <param name="State">"free", "working", "leaving".</param>
/// <param name="RunId">The run that has it, or null.</param>
/// <param name="SilentSeconds">Time since its last sign of life.</param>
[GenerateSerializer]
[Alias("scissorhands.worker-view")]
public sealed record WorkerView(string WorkerId, string Pool, string Device, long MemoryBytes, string State, string? RunId, double SilentSeconds);

/// <summary>Sends commands to workers. Never waits for the broker: what is lost is asked for or sent again.</summary>
public interface IWorkerCommandSink
{
    /// <summary>Sends a command.</summary>
    /// <param name="command">The command.</param>
    void Send(WorkerCommand command);
}
