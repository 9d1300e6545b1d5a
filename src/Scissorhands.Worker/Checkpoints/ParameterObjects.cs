using System.Runtime.InteropServices;
using Scissorhands.Core.Replica;
using Scissorhands.Data.Safetensors;
using Scissorhands.Data.Storage;
using Scissorhands.Planning;

namespace Scissorhands.Worker.Checkpoints;

/// <summary>Mask and saliency between selection and publication: objects of the run's store with one tensor a parameter.</summary>
public static class ParameterObjects
{
    /// <summary>Key of the mask.</summary>
    public const string MaskKey = "mask.safetensors";

    /// <summary>Key of the saliency.</summary>
    public const string SaliencyKey = "saliency.safetensors";

    private const int CopyBytes = 1 << 20;

    /// <summary>Stores the mask: one U8 tensor a parameter, 1 = trimmed.</summary>
    /// <param name="store">The run's store.</param>
    /// <param name="table">The flat order.</param>
    /// <param name="mask">n bytes.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="IOException">It is not durable, or not known to be.</exception>
    public static void WriteMask(ICheckpointStore store, ParameterTable table, byte[] mask, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(table);
        Write(store, MaskKey, table, SafetensorsDType.U8, (slot, destination) => destination.Write(mask.AsSpan(slot.Start, slot.Count)), cancellationToken);
    }

    /// <summary>Reads the mask.</summary>
    /// <param name="store">The run's store.</param>
    /// <param name="table">The flat order.</param>
    /// <param name="cancellationToken">Ends every wait.</param>
    /// <returns>n bytes.</returns>
    /// <exception cref="InputException">It is missing, damaged or of another model; names it.</exception>
    /// <exception cref="IOException">The store does not answer.</exception>
    public static byte[] ReadMask(ICheckpointStore store, ParameterTable table, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(table);
        using var file = VerifiedSafetensors.Open(store, MaskKey, cancellationToken);
        var mask = new byte[table.Count];
        foreach (var slot in table.Slots)
        {
            var entry = file.Find(slot.Name);
            if (entry.DType != SafetensorsDType.U8 || entry.Length != slot.Count)
            {
                throw new InputException($"{file.Path}: tensor '{slot.Name}' is not the mask of {slot.Count} weights");
            }

            file.ReadInto(entry, mask.AsSpan(slot.Start, slot.Count));
        }

        return mask;
    }

    /// <summary>Stores the saliency.</summary>
    /// <param name="store">The run's store.</param>
    /// <param name="table">The flat order.</param>
    /// <param name="values">n values.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="IOException">It is not durable, or not known to be.</exception>
    public static void WriteSaliency(ICheckpointStore store, ParameterTable table, float[] values, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(table);
        Write(store, SaliencyKey, table, SafetensorsDType.F32, (slot, destination) => destination.Write(MemoryMarshal.AsBytes(values.AsSpan(slot.Start, slot.Count))), cancellationToken);
    }

    /// <summary>Copies an object's tensors into a file for users, which holds nothing else.</summary>
    /// <param name="store">The run's store.</param>
    /// <param name="key">The object's key.</param>
    /// <param name="table">The flat order.</param>
    /// <param name="path">The file; written beside and renamed.</param>
    /// <param name="cancellationToken">Ends every wait.</param>
    /// <exception cref="InputException">The object is missing, damaged or of another model; names it.</exception>
    /// <exception cref="IOException">The store does not answer, or the file cannot be written.</exception>
    public static void Publish(ICheckpointStore store, string key, ParameterTable table, string path, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(table);
        using var file = VerifiedSafetensors.Open(store, key, cancellationToken);
        var piece = new byte[CopyBytes];
        SafetensorsWriter.Write(path, [.. table.Slots.Select(slot => file.Find(slot.Name)).Select(entry => new SafetensorsInput(entry.Name, entry.DType, entry.Shape, destination => Copy(file, entry, piece, destination)))], null);
    }

    private static void Copy(SafetensorsFile file, SafetensorsEntry entry, byte[] piece, Stream destination)
    {
        for (long done = 0; done < entry.Length;)
        {
            var next = piece.AsSpan(0, (int)Math.Min(piece.Length, entry.Length - done));
            file.ReadInto(entry, done, next);
            destination.Write(next);
            done += next.Length;
        }
    }

    private static void Write(ICheckpointStore store, string key, ParameterTable table, SafetensorsDType type, Action<ParameterSlot, Stream> content, CancellationToken cancellationToken) => VerifiedSafetensors.Write(
        store,
        key,
        [.. table.Slots.Select(slot => new SafetensorsInput(slot.Name, type, [.. slot.Shape], destination => content(slot, destination)))],
        new Dictionary<string, string>(),
        cancellationToken);
}
