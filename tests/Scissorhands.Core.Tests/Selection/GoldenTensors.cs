using System.Runtime.InteropServices;
using Scissorhands.Data.Safetensors;

namespace Scissorhands.Core.Tests.Selection;

/// <summary>Tensors of a safetensors file, by name.</summary>
internal static class GoldenTensors
{
    /// <summary>Reads a float32 tensor.</summary>
    public static float[] Singles(string path, string name)
    {
        using var file = SafetensorsFile.Open(path);
        var entry = file.Find(name);
        Assert.Equal(SafetensorsDType.F32, entry.DType);
        var values = new float[entry.Length / sizeof(float)];
        file.ReadInto(entry, MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }

    /// <summary>Reads a float64 tensor.</summary>
    public static double[] Doubles(string path, string name)
    {
        using var file = SafetensorsFile.Open(path);
        var entry = file.Find(name);
        Assert.Equal(SafetensorsDType.F64, entry.DType);
        var values = new double[entry.Length / sizeof(double)];
        file.ReadInto(entry, MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }
}
