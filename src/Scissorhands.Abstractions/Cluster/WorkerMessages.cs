using Scissorhands.Abstractions.Runs;

namespace Scissorhands.Abstractions.Cluster;

/// <summary>A worker's sign of life, sent to the coordinator at a fixed interval and whenever something in it changes.</summary>
/// <param name="WorkerId">The worker; also the name of its command queue.</param>
/// <param name="Life">The process: another one of the same name is another worker, and only one may have the name.</param>
/// <param name="Build">Version of its program; the coordinator only works with its own.</param>
/// <param name="Pool">The pool it works in.</param>
/// <param name="Device">Device kind: <c>cpu</c> or <c>cuda</c>.</param>
/// <param name="MemoryBytes">Memory it may use, in bytes.</param>
/// <param name="DataQueue">The queue its tensors arrive in; another name is another life of the worker. Empty while it has none.</param>
/// <param name="Leaving">Whether it is about to end and takes no more work.</param>
/// <param name="RunId">The run it works on, or null.</param>
/// <param name="Generation">Generation of that run.</param>
[GenerateSerializer]
[Alias("scissorhands.worker-beat")]
public sealed record WorkerBeat(
    string WorkerId,
    string Life,
    string Build,
    string Pool,
    string Device,
    long MemoryBytes,
    string DataQueue,
    bool Leaving,
    string? RunId,
    long Generation);

/// <summary>What a worker asks.</summary>
public enum WorkerCallKind
{
    /// <summary>It has loaded the run's inputs; the body is its plan. Answered when all ranks are ready.</summary>
    Ready,

    /// <summary>It asks for the next stage. Answered when there is one.</summary>
    Next,

    /// <summary>It asks for a sensitivity lease.</summary>
    Lease,

    /// <summary>It reports; the body is the report.</summary>
    Report,
}

/// <summary>
/// A worker's question to its run. Repeated until it is answered, under the same number: the coordinator answers the same
/// again, so any delivery may be lost or come twice.
/// </summary>
/// <param name="WorkerId">The worker, which the answer is sent to.</param>
/// <param name="RunId">The run.</param>
/// <param name="Generation">The generation.</param>
/// <param name="Rank">The worker's rank in it.</param>
/// <param name="Number">Counts the rank's questions within the generation, from 1; each is asked after the one before was answered.</param>
/// <param name="Kind">What is asked.</param>
/// <param name="Body">JSON, or empty.</param>
[GenerateSerializer]
[Alias("scissorhands.worker-call")]
public sealed record WorkerCall(string WorkerId, string RunId, long Generation, int Rank, long Number, WorkerCallKind Kind, string Body);

/// <summary>How far a rank is. Not answered, and no loss when it does not arrive.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Generation">The generation.</param>
/// <param name="Rank">The rank.</param>
/// <param name="Stage">Name of the stage.</param>
/// <param name="Done">Units done.</param>
/// <param name="Total">Units in all.</param>
/// <param name="Unit">"samples" or "steps".</param>
/// <param name="Loss">Current loss; null where none.</param>
/// <param name="Times">Where the rank's time went in its last repair step; null in other stages.</param>
/// <param name="Figures">What the repair steps since the last progress came to, told by the first rank; null otherwise.</param>
[GenerateSerializer]
[Alias("scissorhands.worker-progress")]
public sealed record WorkerProgress(string RunId, long Generation, int Rank, string Stage, long Done, long Total, string Unit, double? Loss, StepTimes? Times = null, IReadOnlyList<StepFigures>? Figures = null);

/// <summary>What a repair step came to.</summary>
/// <param name="Step">Step of the whole stage, from 0.</param>
/// <param name="RetainLoss">Mean loss of the retain batch, in nats.</param>
/// <param name="ForgetLoss">Mean loss of the forget batch; null in a plain step.</param>
/// <param name="RetainAccuracy">Share of the retain batch answered right, in [0,1].</param>
/// <param name="ForgetAccuracy">Share of the forget batch answered right; null in a plain step.</param>
[GenerateSerializer]
[Alias("scissorhands.step-figures")]
public sealed record StepFigures(int Step, double RetainLoss, double? ForgetLoss, double RetainAccuracy, double? ForgetAccuracy);

/// <summary>A command to one worker.</summary>
[GenerateSerializer]
[Alias("scissorhands.worker-command")]
public abstract record WorkerCommand
{
    /// <summary>The worker.</summary>
    [Id(0)]
    public required string WorkerId { get; init; }
}

/// <summary>The worker belongs to a new generation of a run, and to no other any more. Repeated until the worker is ready.</summary>
[GenerateSerializer]
[Alias("scissorhands.gang-assigned")]
public sealed record GangAssigned : WorkerCommand
{
    /// <summary>The run.</summary>
    [Id(0)]
    public required string RunId { get; init; }

    /// <summary>The generation; anything older is over.</summary>
    [Id(1)]
    public required long Generation { get; init; }

    /// <summary>The worker's rank.</summary>
    [Id(2)]
    public required int Rank { get; init; }

    /// <summary>Where each rank's tensors arrive, by rank.</summary>
    [Id(3)]
    public required IReadOnlyList<string> DataQueues { get; init; }

    /// <summary>The generation's key, base64; empty where frames are not authenticated.</summary>
    [Id(4)]
    public required string Key { get; init; }

    /// <summary>What was submitted.</summary>
    [Id(5)]
    public required RunOrder Order { get; init; }

    /// <summary>Hash of the plan that earlier generations worked by; null for the first.</summary>
    [Id(6)]
    public string? PlanHash { get; init; }

    /// <summary>Where the run's trace goes on (W3C trace context); null where it is not traced.</summary>
    [Id(7)]
    public string? Trace { get; init; }
}

/// <summary>The answer to a <see cref="WorkerCall"/>.</summary>
[GenerateSerializer]
[Alias("scissorhands.worker-answer")]
public sealed record WorkerAnswer : WorkerCommand
{
    /// <summary>The run.</summary>
    [Id(0)]
    public required string RunId { get; init; }

    /// <summary>The generation that was asked.</summary>
    [Id(1)]
    public required long Generation { get; init; }

    /// <summary>Number of the question.</summary>
    [Id(2)]
    public required long Number { get; init; }

    /// <summary>Whether the generation is over, and with it the question.</summary>
    [Id(3)]
    public bool Fenced { get; init; }

    /// <summary>JSON of what was asked for, or empty.</summary>
    [Id(4)]
    public string Body { get; init; } = "";
}

/// <summary>What a worker tells itself, to learn whether it still hears what it is told.</summary>
[GenerateSerializer]
[Alias("scissorhands.worker-echo")]
public sealed record WorkerEcho : WorkerCommand
{
    /// <summary>The life of the process that sent it.</summary>
    [Id(0)]
    public required string Life { get; init; }
}

/// <summary>The worker is to stop at the next durable point and say so: its generation is to be followed by another.</summary>
[GenerateSerializer]
[Alias("scissorhands.yield-asked")]
public sealed record YieldAsked : WorkerCommand
{
    /// <summary>The run.</summary>
    [Id(0)]
    public required string RunId { get; init; }

    /// <summary>The generation.</summary>
    [Id(1)]
    public required long Generation { get; init; }
}

/// <summary>A generation is over: the run has ended, or goes on without this worker.</summary>
[GenerateSerializer]
[Alias("scissorhands.generation-over")]
public sealed record GenerationOver : WorkerCommand
{
    /// <summary>The run.</summary>
    [Id(0)]
    public required string RunId { get; init; }

    /// <summary>The generation; older ones are over too.</summary>
    [Id(1)]
    public required long Generation { get; init; }

    /// <summary>Why.</summary>
    [Id(2)]
    public required string Reason { get; init; }
}

/// <summary>The coordinator cannot work with this worker.</summary>
[GenerateSerializer]
[Alias("scissorhands.worker-refused")]
public sealed record WorkerRefused : WorkerCommand
{
    /// <summary>Why, in one line.</summary>
    [Id(0)]
    public required string Reason { get; init; }

    /// <summary>The process that is meant.</summary>
    [Id(1)]
    public required string Life { get; init; }
}
