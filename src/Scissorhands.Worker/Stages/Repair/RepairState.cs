using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Scissorhands.Core.Replica;

namespace Scissorhands.Worker.Stages.Repair;

/// <summary>
/// What of a repair outlives the generation: the vectors, and which step they and the replica are of. Between two steps it
/// is whole; a step that breaks leaves the one before.
/// </summary>
internal sealed class RepairState : IDisposable
{
    /// <summary>The value of <see cref="Applied"/> where nothing can be gone on from.</summary>
    public const int Nothing = -1;

    private readonly ModelReplica _replica;
    private readonly int _stepsPerEpoch;

    /// <summary>Allocates the vectors.</summary>
    /// <param name="context">The stage's context; the mask is known.</param>
    public RepairState(StageContext context)
    {
        var configuration = context.Inputs.Configuration;
        _replica = context.Replica;
        _stepsPerEpoch = context.Inputs.Schedule.StepsPerEpoch;
        Vectors = new RepairVectors(context);
        Residuals = configuration.Wire.Format == "int8" ? new ResidualStore(configuration.Repair.Slices, Vectors.Moving.Count) : null;
    }

    /// <summary>The vectors.</summary>
    public RepairVectors Vectors { get; }

    /// <summary>What quantisation has lost of the leaves held; null in formats that keep nothing of it.</summary>
    public ResidualStore? Residuals { get; }

    /// <summary>Steps that replica and vectors have done, of the whole stage, or <see cref="Nothing"/>.</summary>
    public int Applied { get; private set; } = Nothing;

    /// <summary>Notes that replica and vectors are about to be overwritten.</summary>
    public void Lose() => Applied = Nothing;

    /// <summary>Notes that replica and vectors are whole.</summary>
    /// <param name="applied">Steps done.</param>
    public void Set(int applied)
    {
        Applied = applied;
        DropFinishedEpoch();
    }

    /// <summary>A step has been done: what it changed takes effect.</summary>
    /// <param name="applied">Steps done.</param>
    public void Commit(int applied)
    {
        Residuals?.Commit();
        Applied = applied;
    }

    /// <summary>The step has broken before it moved a weight.</summary>
    /// <param name="buffers">The buffers at the step's start.</param>
    public void Rollback(BufferState buffers)
    {
        _replica.RestoreBuffers(buffers);
        Residuals?.Rollback();
    }

    /// <summary>
    /// Between two epochs there are no memories: those of the one that has ended are of no use, and some of the next one's
    /// would be taken for all of them.
    /// </summary>
    public void DropFinishedEpoch()
    {
        if (_stepsPerEpoch == 0 || Applied % _stepsPerEpoch == 0)
        {
            Vectors.Projection.Clear();
        }
    }

    /// <summary>
    /// SHA-256 over replica, momentum and memories: equal on workers that have done the same steps. Over the replica alone
    /// where the state is sharded: of momentum and memories each has another part.
    /// </summary>
    /// <returns>32 bytes.</returns>
    public byte[] Hash()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(_replica.StateHash());
        if (Vectors.IsSharded)
        {
            return hash.GetHashAndReset();
        }

        hash.AppendData(MemoryMarshal.AsBytes(Vectors.Optimizer.Capture().Span));
        foreach (var memory in Vectors.Projection.Memories)
        {
            hash.AppendData(MemoryMarshal.AsBytes(memory.AsSpan()));
        }

        return hash.GetHashAndReset();
    }

    /// <inheritdoc />
    public void Dispose() => Vectors.Dispose();
}
