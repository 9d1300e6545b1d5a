using System.Runtime.InteropServices;
using Scissorhands.Core.Replica;
using Scissorhands.Data.Safetensors;
using Scissorhands.Planning;

namespace Scissorhands.Worker.Checkpoints;

/// <summary>Flat vectors as safetensors files with one tensor a parameter.</summary>
public static class ParameterFiles
{
    /// <summary>Writes a mask: one U8 tensor a parameter, 1 = trimmed.</summary>
    /// <param name="path">The file.</param>
    /// <param name="table">The flat order.</param>
    /// <param name="mask">n bytes.</param>
    public static void WriteMask(string path, ParameterTable table, byte[] mask)
    {
        ArgumentNullException.ThrowIfNull(table);
        SafetensorsWriter.Write(path, [.. table.Slots.Select(s => new SafetensorsInput(s.Name, SafetensorsDType.U8, [.. s.Shape], destination => destination.Write(mask.AsSpan(s.Start, s.Count))))], null);
    }

    /// <summary>Reads a mask.</summary>
    /// <param name="path">The file.</param>
    /// <param name="table">The flat order.</param>
    /// <returns>n bytes.</returns>
    public static byte[] ReadMask(string path, ParameterTable table)
    {
        ArgumentNullException.ThrowIfNull(table);
        using var file = SafetensorsFile.Open(path);
        var mask = new byte[table.Count];
        foreach (var slot in table.Slots)
        {
            var entry = file.Find(slot.Name);
            if (entry.DType != SafetensorsDType.U8 || entry.Length != slot.Count)
            {
                throw new InputException($"{path}: tensor '{slot.Name}' is not the mask of {slot.Count} weights");
            }

            file.ReadInto(entry, mask.AsSpan(slot.Start, slot.Count));
        }

        return mask;
    }

    /// <summary>Writes float32 values.</summary>
    /// <param name="path">The file.</param>
    /// <param name="table">The flat order.</param>
    /// <param name="values">n values.</param>
    public static void WriteFloats(string path, ParameterTable table, float[] values)
    {
        ArgumentNullException.ThrowIfNull(table);
        SafetensorsWriter.Write(path, [.. table.Slots.Select(s => new SafetensorsInput(s.Name, SafetensorsDType.F32, [.. s.Shape], destination => destination.Write(MemoryMarshal.AsBytes(values.AsSpan(s.Start, s.Count)))))], null);
    }
}
