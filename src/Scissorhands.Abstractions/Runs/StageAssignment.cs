namespace Scissorhands.Abstractions.Runs;

/// <summary>What a worker is to do next, within one generation of a run.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Generation">The generation the work belongs to; anything older is dropped.</param>
/// <param name="Stage">The stage.</param>
/// <param name="Rank">The worker's rank in the group.</param>
/// <param name="Size">Workers of the group.</param>
/// <param name="CommittedBlocks">Sensitivity: blocks, from the first, that the last checkpoint holds.</param>
/// <param name="Checkpoint">The stage's last checkpoint: a name within the run's folder; null for a fresh start.</param>
/// <param name="State">Report: the run's <see cref="RunState"/> as JSON; null in other stages.</param>
[GenerateSerializer]
[Alias("scissorhands.stage-assignment")]
public sealed record StageAssignment(
    string RunId,
    long Generation,
    RunStage Stage,
    int Rank,
    int Size,
    int CommittedBlocks,
    string? Checkpoint,
    string? State = null);

/// <summary>What a worker that asks for a sensitivity lease gets.</summary>
public enum LeaseKind
{
    /// <summary>A block to compute.</summary>
    Block,

    /// <summary>The window is handed out: meet the others and make the blocks so far durable.</summary>
    Checkpoint,

    /// <summary>All blocks are durable.</summary>
    Done,

    /// <summary>The run has been asked to stop and what was computed is durable.</summary>
    Stop,
}

/// <summary>A sensitivity lease.</summary>
/// <param name="Kind">What to do.</param>
/// <param name="Block">The block to compute, or the number of blocks the checkpoint will hold.</param>
[GenerateSerializer]
[Alias("scissorhands.lease-grant")]
public sealed record LeaseGrant(LeaseKind Kind, int Block);
