using System.Runtime.InteropServices;
using Scissorhands.Data.Safetensors;

namespace Scissorhands.Worker.Checkpoints;

/// <summary>Arrays into and out of the safetensors objects of checkpoints.</summary>
internal static class CheckpointTensors
{
    /// <summary>A float32 vector.</summary>
    public static SafetensorsInput Floats(string name, ReadOnlyMemory<float> values) =>
        new(name, SafetensorsDType.F32, [values.Length], destination => destination.Write(MemoryMarshal.AsBytes(values.Span)));

    /// <summary>An int64 vector.</summary>
    public static SafetensorsInput Integers(string name, long[] values) =>
        new(name, SafetensorsDType.I64, [values.Length], destination => destination.Write(MemoryMarshal.AsBytes(values.AsSpan())));

    /// <summary>Reads an int64 vector.</summary>
    public static long[] ReadIntegers(SafetensorsFile file, string name)
    {
        var entry = file.Find(name);
        var values = new long[checked((int)(entry.Length / sizeof(long)))];
        file.ReadInto(entry, MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }
}
