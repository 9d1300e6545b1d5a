using System.Text.Json.Serialization;

namespace Scissorhands.Abstractions.Runs;

/// <summary>What a worker tells the coordinator. Every report carries the generation it belongs to.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Generation">The generation of the assignment.</param>
/// <param name="Rank">The reporting worker.</param>
[GenerateSerializer]
[Alias("scissorhands.worker-report")]
[JsonPolymorphic(TypeDiscriminatorPropertyName = "report")]
[JsonDerivedType(typeof(StageProgress), "progress")]
[JsonDerivedType(typeof(StepDone), "step")]
[JsonDerivedType(typeof(RankTimes), "times")]
[JsonDerivedType(typeof(CheckpointWritten), "checkpoint")]
[JsonDerivedType(typeof(StageDone), "done")]
[JsonDerivedType(typeof(WorkerFailed), "failed")]
[JsonDerivedType(typeof(GenerationBroken), "broken")]
[JsonDerivedType(typeof(Yielded), "yielded")]
[JsonDerivedType(typeof(WorkerUnfit), "unfit")]
public abstract record WorkerReport(string RunId, long Generation, int Rank);

/// <summary>How far the stage is; carries no decision.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Generation">The generation.</param>
/// <param name="Rank">The worker.</param>
/// <param name="Stage">The stage.</param>
/// <param name="Done">Units done.</param>
/// <param name="Total">Units in all.</param>
/// <param name="Unit">"samples" or "steps".</param>
/// <param name="Loss">Current loss; null where none.</param>
[GenerateSerializer]
[Alias("scissorhands.stage-progress")]
public sealed record StageProgress(string RunId, long Generation, int Rank, RunStage Stage, long Done, long Total, string Unit, double? Loss)
    : WorkerReport(RunId, Generation, Rank);

/// <summary>Where a worker's time went in a repair step, in seconds.</summary>
/// <param name="Compute">Forward and backward passes of its slices, batches included.</param>
/// <param name="Wait">At an exchange to which not all others had come.</param>
/// <param name="Wire">At exchanges to which all had come: bytes on the way, and additions.</param>
/// <param name="Update">Projection and update.</param>
[GenerateSerializer]
[Alias("scissorhands.step-times")]
public readonly record struct StepTimes(double Compute, double Wait, double Wire, double Update);

/// <summary>One repair step's totals.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Generation">The generation.</param>
/// <param name="Rank">The worker.</param>
/// <param name="Step">Step of the whole stage, from 0.</param>
/// <param name="Epoch">Epoch, from 0.</param>
/// <param name="RetainLoss">Mean loss of the retain batch, in nats.</param>
/// <param name="ForgetLoss">Mean loss of the forget batch; null in a plain step.</param>
/// <param name="RetainAccuracy">Share of the retain batch answered right, in [0,1].</param>
/// <param name="ForgetAccuracy">Share of the forget batch answered right; null in a plain step.</param>
/// <param name="LearningRate">The step's learning rate.</param>
/// <param name="Projected">Whether the gradient conflicted with a memory and was projected.</param>
/// <param name="Times">Where the time of the worker that reports went.</param>
[GenerateSerializer]
[Alias("scissorhands.step-done")]
public sealed record StepDone(
    string RunId,
    long Generation,
    int Rank,
    int Step,
    int Epoch,
    double RetainLoss,
    double? ForgetLoss,
    double RetainAccuracy,
    double? ForgetAccuracy,
    double LearningRate,
    bool Projected,
    StepTimes Times = default) : WorkerReport(RunId, Generation, Rank);

/// <summary>Where a rank's time went in a repair step; told by all but the first, whose <see cref="StepDone"/> says it. Carries no decision.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Generation">The generation.</param>
/// <param name="Rank">The worker.</param>
/// <param name="Done">Steps done.</param>
/// <param name="Total">Steps in all.</param>
/// <param name="Times">Where the time went.</param>
[GenerateSerializer]
[Alias("scissorhands.rank-times")]
public sealed record RankTimes(string RunId, long Generation, int Rank, int Done, int Total, StepTimes Times)
    : WorkerReport(RunId, Generation, Rank);

/// <summary>A checkpoint is durable under its final name.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Generation">The generation.</param>
/// <param name="Rank">The worker.</param>
/// <param name="Stage">The stage.</param>
/// <param name="Progress">Blocks or steps it holds.</param>
/// <param name="Name">Its name within the run's folder.</param>
[GenerateSerializer]
[Alias("scissorhands.checkpoint-written")]
public sealed record CheckpointWritten(string RunId, long Generation, int Rank, RunStage Stage, int Progress, string Name)
    : WorkerReport(RunId, Generation, Rank);

/// <summary>The worker has finished its part of a stage.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Generation">The generation.</param>
/// <param name="Rank">The worker.</param>
/// <param name="Stage">The stage.</param>
/// <param name="Result">What the stage found, as JSON of its result record; from rank 0 only.</param>
[GenerateSerializer]
[Alias("scissorhands.stage-done")]
public sealed record StageDone(string RunId, long Generation, int Rank, RunStage Stage, string? Result)
    : WorkerReport(RunId, Generation, Rank);

/// <summary>Why a worker fails.</summary>
public enum FailureCause
{
    /// <summary>Something that may pass, such as a full disk: it is worth another attempt.</summary>
    Passing,

    /// <summary>What would come again however often it is tried, such as a loss that diverges.</summary>
    Lasting,

    /// <summary>What was submitted.</summary>
    Input,
}

/// <summary>The worker cannot go on.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Generation">The generation.</param>
/// <param name="Rank">The worker.</param>
/// <param name="Stage">The stage.</param>
/// <param name="Reason">One line for the user.</param>
/// <param name="Cause">What kind of reason it is.</param>
/// <param name="Key">The configuration key at fault; null where it is something else.</param>
[GenerateSerializer]
[Alias("scissorhands.worker-failed")]
public sealed record WorkerFailed(string RunId, long Generation, int Rank, RunStage Stage, string Reason, FailureCause Cause, string? Key = null)
    : WorkerReport(RunId, Generation, Rank);

/// <summary>The worker cannot do this run in this generation, but another one might: it has too little memory, for instance.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Generation">The generation.</param>
/// <param name="Rank">The worker.</param>
/// <param name="Reason">One line with the numbers.</param>
/// <param name="LeastWorkers">Workers of a generation in which it could, because each then holds less; 0 where it could in none.</param>
[GenerateSerializer]
[Alias("scissorhands.worker-unfit")]
public sealed record WorkerUnfit(string RunId, long Generation, int Rank, string Reason, int LeastWorkers = 0)
    : WorkerReport(RunId, Generation, Rank);

/// <summary>The worker could not go on because of another one, or of the broker; it keeps what it has for the next generation.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Generation">The generation.</param>
/// <param name="Rank">The worker.</param>
/// <param name="Stage">The stage.</param>
/// <param name="Reason">What the collectives said.</param>
[GenerateSerializer]
[Alias("scissorhands.generation-broken")]
public sealed record GenerationBroken(string RunId, long Generation, int Rank, RunStage Stage, string Reason)
    : WorkerReport(RunId, Generation, Rank);

/// <summary>The worker was asked to stop and has come to a durable point.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Generation">The generation.</param>
/// <param name="Rank">The worker.</param>
/// <param name="Stage">The stage.</param>
[GenerateSerializer]
[Alias("scissorhands.yielded")]
public sealed record Yielded(string RunId, long Generation, int Rank, RunStage Stage)
    : WorkerReport(RunId, Generation, Rank);
