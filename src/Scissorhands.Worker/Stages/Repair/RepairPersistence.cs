using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Data.Safetensors;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning;
using Scissorhands.Worker.Checkpoints;
using Scissorhands.Worker.Telemetry;

namespace Scissorhands.Worker.Stages.Repair;

/// <summary>Makes the repair's progress durable, and takes it up again.</summary>
internal sealed class RepairPersistence
{
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
        _vectors.Hold(_context);
        _vectors.Projection.Clear();
        if (_context.Assignment.Checkpoint is not { } name)
        {
            _context.Model.EnsureTrimmed(_context.Inputs);
            _vectors.Optimizer.Restore(momentum => momentum.Clear());
            _residuals?.Restore(0, (_, _) => { });
            _state.Set(0);
            return 0;
        }

        using var checkpoint = RepairCheckpointReader.Open(_context.Checkpoints, name, _planHash, _context.CancellationToken);
        _context.Model.MarkUnknown();
        checkpoint.RestoreModel(_context.Replica);
        var (part, moving) = (_vectors.Part, _vectors.Moving.Count);
        _vectors.Optimizer.Restore(momentum => checkpoint.ReadMomentum(part, moving, momentum));
        for (var i = 0; i < checkpoint.Memories; i++)
        {
            checkpoint.ReadMemory(i, part, moving, _vectors.Projection.Add().Span);
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

        var began = Stopwatch.GetTimestamp();
        _context.Replica.WeightsToHost();
        ReplicaAgreement.Check(_context, new OperationKey("state-hash", done), SHA256.HashSizeInBytes, _context.Replica.StateHash, done, Last);
        var previous = Last;
        Last = name;
        var steps = _context.Inputs.Schedule.StepsPerEpoch;
        var atEpochStart = steps == 0 || done % steps == 0;
        var momentum = Whole("momentum", done, _vectors.Optimizer.Capture());
        SafetensorsContent[] memories = atEpochStart ? [] : [.. _vectors.Projection.Memories.Select((memory, i) => Whole($"memory-{i}", done, memory))];
        SafetensorsContent[] residuals = [.. Enumerable.Range(0, _residuals?.Count ?? 0).Select(leaf => (SafetensorsContent)(destination => _residuals!.Gather(leaf, done, destination.Write)))];
        if (!_context.IsFirst)
        {
            // The first worker receives what others have while it writes it, and all come to the exchanges.
            foreach (var content in (IEnumerable<SafetensorsContent>)[momentum, .. memories, .. residuals])
            {
                content(Stream.Null);
            }

            WorkerMeters.Checkpointed(RunStage.Repair, began);
            return;
        }

        var replica = _context.Replica;
        if (replica.HostWeights.Span.ContainsAnyExceptInRange(float.MinValue, float.MaxValue))
        {
            throw new RunFailedException($"repair: a weight is not finite after step {done}; the last checkpoint is {previous ?? "none"}; a smaller repair.lr may help");
        }

        var buffers = replica.CaptureBuffers();
        var checkpoint = new RepairCheckpoint(
            done,
            replica.HostWeights.Memory,
            buffers.Floats,
            buffers.Integers,
            _vectors.Moving.Count,
            momentum,
            memories)
        {
            Residuals = residuals,
        };
        checkpoint.Write(_context.Checkpoints, _planHash, _context.CancellationToken);
        WorkerMeters.Checkpointed(RunStage.Repair, began);
        _context.Report(new CheckpointWritten(_context.Assignment.RunId, _context.Assignment.Generation, _context.Group.Rank, RunStage.Repair, done, name));
        RepairCheckpoint.DeleteOlder(_context.Checkpoints, previous is null ? done : RepairCheckpoint.StepsOf(previous) ?? 0, _context.CancellationToken);
    }

    /// <summary>Writes a vector of the state, which all ranks bring together first where each has a part of it.</summary>
    private SafetensorsContent Whole(string what, int done, ReadOnlyMemory<float> part) => destination =>
    {
        if (!_vectors.IsSharded)
        {
            destination.Write(MemoryMarshal.AsBytes(part.Span));
            return;
        }

        // Between two steps the gradient's memory is free.
        var whole = _vectors.Exchange.Memory[.._vectors.Moving.Count];
        part.CopyTo(whole[_vectors.Part.Start..]);
        _context.Group.AllGather(new OperationKey("checkpoint-" + what, done), _vectors.Parts(_context.Group.Size), whole).Wait(_context.CancellationToken);
        destination.Write(MemoryMarshal.AsBytes(whole.Span));
    };
}
