namespace Scissorhands.Abstractions.Skeleton;

/// <summary>A vector sum that stands in for a step's gradient: enough to prove the way from grain to worker and back.</summary>
/// <param name="Slices">Slices of the step: leaves of the reduction tree.</param>
/// <param name="Length">Elements of the vector.</param>
/// <param name="Seed">What the slices' vectors are made from.</param>
/// <param name="Workers">Workers to wait for before the step begins.</param>
[GenerateSerializer]
[Alias("scissorhands.toy-step")]
public sealed record ToyStep(int Slices, int Length, long Seed, int Workers);

/// <summary>A worker is there and can take work. Repeating it changes nothing.</summary>
/// <param name="RunId">The run it wants to work for.</param>
/// <param name="WorkerId">The worker; also the name of its command queue.</param>
/// <param name="DataQueue">The queue its tensors arrive in; another name is another life of the worker.</param>
[GenerateSerializer]
[Alias("scissorhands.worker-announced")]
public sealed record WorkerAnnounced(string RunId, string WorkerId, string DataQueue);

/// <summary>A worker's part of a step. Anything of an older generation or attempt is dropped.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Generation">Changes whenever a worker joins or is lost.</param>
/// <param name="Attempt">How often the step has been begun, from 1.</param>
/// <param name="Step">The step, from 0.</param>
/// <param name="WorkerId">The worker it is for.</param>
/// <param name="Rank">Its rank in the generation.</param>
/// <param name="FirstSlice">First slice it computes.</param>
/// <param name="EndSlice">One past its last slice.</param>
/// <param name="DataQueues">Where each rank's tensors arrive, by rank.</param>
/// <param name="Work">What to compute.</param>
[GenerateSerializer]
[Alias("scissorhands.step-assigned")]
public sealed record StepAssigned(
    string RunId,
    long Generation,
    int Attempt,
    long Step,
    string WorkerId,
    int Rank,
    int FirstSlice,
    int EndSlice,
    IReadOnlyList<string> DataQueues,
    ToyStep Work);

/// <summary>A worker has finished its part of a step.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Generation">Generation of the assignment.</param>
/// <param name="Attempt">Attempt of the assignment.</param>
/// <param name="Step">The step.</param>
/// <param name="Rank">The worker's rank.</param>
/// <param name="ResultHash">SHA-256 of the sum's bytes, lower-case hex; empty where the part failed.</param>
/// <param name="Failure">Why the part failed; null where it did not.</param>
[GenerateSerializer]
[Alias("scissorhands.step-reported")]
public sealed record StepReported(string RunId, long Generation, int Attempt, long Step, int Rank, string ResultHash, string? Failure);

/// <summary>What a step came to.</summary>
/// <param name="Generation">The generation that finished it.</param>
/// <param name="Hashes">Result hash by rank.</param>
/// <param name="Failure">Why it failed; null where it did not.</param>
[GenerateSerializer]
[Alias("scissorhands.step-outcome")]
public sealed record StepOutcome(long Generation, IReadOnlyList<string> Hashes, string? Failure);
