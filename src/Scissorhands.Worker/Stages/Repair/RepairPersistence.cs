using Scissorhands.Abstractions.Runs;
using Scissorhands.Core.TensorMemory;
using Scissorhands.Data.Safetensors;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning;
using Scissorhands.Planning.Cut;
using Scissorhands.Worker.Checkpoints;

namespace Scissorhands.Worker.Stages.Repair;

/// <summary>Makes the repair's progress durable, and takes it up again.</summary>
internal sealed class RepairPersistence
{
    private const int HashBytes = 32;

    private readonly StageContext _context;
    private readonly RepairState _state;
    private readonly RepairVectors _vectors;
    private readonly LeafResiduals? _residuals;
    private readonly string _planHash;

    /// <summary>Prepares.</summary>
    /// <param name="context">The stage's context.</param>
    /// <param name="state">What checkpoints hold.</param>
    /// <param name="residuals">What quantisation has lost, if anything is quantised.</param>
    /// <param name="planHash">Hash of the plan, written into checkpoints.</param>
    public RepairPersistence(StageContext context, RepairState state, LeafResiduals? residuals, string planHash)
    {
        _context = context;
        _state = state;
        _vectors = state.Vectors;
        _residuals = residuals;
        _planHash = planHash;
        Last = context.Assignment.Checkpoint;
    }

    /// <summary>The newest checkpoint, or null.</summary>
    public string? Last { get; private set; }

    /// <summary>Takes up the checkpoint that the assignment names, whatever this worker held before.</summary>
    /// <returns>Steps done; 0, on the trimmed model, where there is none.</returns>
    public int Restore()
    {
        _state.Lose();
        _vectors.Projection.Clear();
        if (_context.Assignment.Checkpoint is not { } name)
        {
            _context.Model.EnsureTrimmed(_context.Inputs);
            _vectors.Optimizer.Restore(momentum => momentum.Clear());
            _residuals?.Restore(0, (_, _) => { });
            _state.Set(0);
            return 0;
        }

        using var checkpoint = RepairCheckpointReader.Open(_context.Folder, name, _planHash);
        _context.Model.MarkUnknown();
        checkpoint.RestoreModel(_context.Replica);
        _vectors.Optimizer.Restore(checkpoint.ReadMomentum);
        for (var i = 0; i < checkpoint.Memories; i++)
        {
            checkpoint.ReadMemory(i, _vectors.Projection.Add());
        }

        _residuals?.Restore(checkpoint.Residuals, checkpoint.ReadResidual);
        _state.Set(checkpoint.Steps);
        return checkpoint.Steps;
    }

    /// <summary>Writes a checkpoint, unless the newest already is of this step. All ranks call it together.</summary>
    /// <param name="done">Steps done.</param>
    public void Write(int done)
    {
        // Every rank comes to the same answer: none may meet the others alone.
        var name = RepairCheckpoint.NameOf(done);
        if (Last == name)
        {
            return;
        }

        CheckReplicasAgree(done);
        var previous = Last;
        Last = name;
        if (!_context.IsFirst)
        {
            // The first worker receives the residuals while it writes them; a broadcast needs everyone.
            for (var leaf = 0; leaf < (_residuals?.Count ?? 0); leaf++)
            {
                _residuals!.Gather(leaf, done, null);
            }

            return;
        }

        var replica = _context.Replica;
        if (replica.HostWeights.Span.ContainsAnyExceptInRange(float.MinValue, float.MaxValue))
        {
            throw new RunFailedException($"repair: a weight is not finite after step {done}; the last checkpoint is {previous ?? "none"}; a smaller repair.lr may help");
        }

        var buffers = replica.CaptureBuffers();
        var steps = _context.Inputs.Schedule.StepsPerEpoch;
        var atEpochStart = steps == 0 || done % steps == 0;
        var checkpoint = new RepairCheckpoint(
            done,
            replica.HostWeights.Memory,
            buffers.Floats,
            buffers.Integers,
            _vectors.Optimizer.Capture(),
            atEpochStart ? [] : _vectors.Projection.Memories)
        {
            Residuals = [.. Enumerable.Range(0, _residuals?.Count ?? 0).Select(leaf => (SafetensorsContent)(destination => _residuals!.Gather(leaf, done, destination.Write)))],
        };
        checkpoint.Write(_context.Folder, _planHash);
        _context.Report(new CheckpointWritten(_context.Assignment.RunId, _context.Assignment.Generation, _context.Group.Rank, RunStage.Repair, done, name));
        RepairCheckpoint.DeleteOlder(_context.Folder, previous is null ? done : RepairCheckpoint.StepsOf(previous) ?? 0);
    }

    /// <summary>Replicas that have drifted apart must never become one model.</summary>
    private void CheckReplicasAgree(int done)
    {
        var group = _context.Group;
        _context.Replica.WeightsToHost();
        if (group.Size == 1)
        {
            return;
        }

        var hashes = new byte[group.Size * HashBytes];
        _context.Replica.StateHash().CopyTo(hashes, group.Rank * HashBytes);
        group.AllGather(new OperationKey("state-hash", done), [.. Enumerable.Range(0, group.Size).Select(r => new IndexRange(r * HashBytes, (r + 1) * HashBytes))], hashes)
            .Wait(_context.CancellationToken);
        for (var rank = 1; rank < group.Size; rank++)
        {
            if (!hashes.AsSpan(0, HashBytes).SequenceEqual(hashes.AsSpan(rank * HashBytes, HashBytes)))
            {
                throw new RunFailedException($"repair: after step {done} the replicas of workers 0 and {rank} differ; this is a defect or faulty hardware, the last checkpoint is {Last ?? "none"}");
            }
        }
    }
}
