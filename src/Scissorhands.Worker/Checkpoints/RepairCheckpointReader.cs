using System.Globalization;
using System.Runtime.InteropServices;
using Scissorhands.Core.Replica;
using Scissorhands.Data.Safetensors;
using Scissorhands.Data.Storage;
using Scissorhands.Planning;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Worker.Checkpoints;

/// <summary>Reads a <see cref="RepairCheckpoint"/> straight to where its vectors belong.</summary>
public sealed class RepairCheckpointReader : IDisposable
{
    private readonly SafetensorsFile _file;

    private RepairCheckpointReader(SafetensorsFile file, int steps, int memories, int residuals)
    {
        _file = file;
        Steps = steps;
        Memories = memories;
        Residuals = residuals;
    }

    /// <summary>Steps done, of the whole stage.</summary>
    public int Steps { get; }

    /// <summary>Memory gradients it holds.</summary>
    public int Memories { get; }

    /// <summary>Leaves whose residual it holds: the first so many.</summary>
    public int Residuals { get; }

    /// <summary>Opens a checkpoint.</summary>
    /// <param name="store">The run's store.</param>
    /// <param name="name">Its name.</param>
    /// <param name="planHash">Hash of the plan it must belong to.</param>
    /// <param name="cancellationToken">Ends every wait, those of later reads too.</param>
    /// <returns>The checkpoint; the caller disposes it.</returns>
    /// <exception cref="InputException">It is missing or damaged, or belongs to another plan.</exception>
    /// <exception cref="IOException">The store does not answer.</exception>
    public static RepairCheckpointReader Open(ICheckpointStore store, string name, string planHash, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(store);
        if (RepairCheckpoint.StepsOf(name) is null)
        {
            throw new InputException($"{store.Location}: '{name}' is not the name of a repair checkpoint");
        }

        var file = VerifiedSafetensors.Open(store, name, cancellationToken);
        try
        {
            if (file.Metadata.GetValueOrDefault("plan") != planHash)
            {
                throw new InputException($"{file.Path}: belongs to another plan; start in an empty folder");
            }

            return new RepairCheckpointReader(file, Number(file, "steps"), Number(file, "memories"), Number(file, "residuals"));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Sets weights and buffers of a replica.</summary>
    /// <param name="replica">The model.</param>
    public void RestoreModel(ModelReplica replica)
    {
        ArgumentNullException.ThrowIfNull(replica);
        ReadInto("weights", replica.HostWeights.Span);
        replica.WeightsToDevice();
        var buffers = new float[replica.FloatBufferCount];
        ReadInto("buffers", buffers);
        replica.RestoreBuffers(new BufferState(buffers, CheckpointTensors.ReadIntegers(_file, "integers")));
    }

    /// <summary>Reads the momentum.</summary>
    /// <param name="part">Which of its elements.</param>
    /// <param name="moving">Elements it must have.</param>
    /// <param name="destination">One element an element of the part.</param>
    public void ReadMomentum(IndexRange part, int moving, Span<float> destination) => ReadInto("momentum", part, moving, destination);

    /// <summary>Reads a memory gradient.</summary>
    /// <param name="index">Its index, below <see cref="Memories"/>.</param>
    /// <param name="part">Which of its elements.</param>
    /// <param name="moving">Elements it must have.</param>
    /// <param name="destination">One element an element of the part.</param>
    public void ReadMemory(int index, IndexRange part, int moving, Span<float> destination) =>
        ReadInto(string.Create(CultureInfo.InvariantCulture, $"memory.{index}"), part, moving, destination);

    /// <summary>Reads what quantisation has lost of a leaf's gradients.</summary>
    /// <param name="leaf">The leaf, below <see cref="Residuals"/>.</param>
    /// <param name="destination">One element a moving parameter.</param>
    public void ReadResidual(int leaf, Span<float> destination) => ReadInto(string.Create(CultureInfo.InvariantCulture, $"residual.{leaf}"), destination);

    /// <inheritdoc />
    public void Dispose() => _file.Dispose();

    private static int Number(SafetensorsFile file, string key) =>
        int.TryParse(file.Metadata.GetValueOrDefault(key), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw new InputException($"{file.Path}: '{key}' is missing from the checkpoint or not a number");

    private void ReadInto(string name, Span<float> destination) => ReadInto(name, new IndexRange(0, destination.Length), destination.Length, destination);

    private void ReadInto(string name, IndexRange part, int length, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, part.Count);
        var entry = _file.Find(name);
        var needed = (long)length * sizeof(float);
        if (entry.DType != SafetensorsDType.F32 || entry.Length != needed)
        {
            throw new InputException($"{_file.Path}: tensor '{name}' has {entry.Length} bytes where the model needs {needed}");
        }

        _file.ReadInto(entry, (long)part.Start * sizeof(float), MemoryMarshal.AsBytes(destination));
    }
}
