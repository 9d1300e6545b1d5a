namespace Scissorhands.Data.Safetensors;

/// <summary>Element types of the safetensors format.</summary>
public enum SafetensorsDType
{
    /// <summary>One byte, 0 or 1.</summary>
    BOOL,

    /// <summary>Unsigned, 1 byte.</summary>
    U8,

    /// <summary>Signed, 1 byte.</summary>
    I8,

    /// <summary>Signed, 2 bytes.</summary>
    I16,

    /// <summary>Unsigned, 2 bytes.</summary>
    U16,

    /// <summary>IEEE half, 2 bytes.</summary>
    F16,

    /// <summary>Brain float, 2 bytes.</summary>
    BF16,

    /// <summary>Signed, 4 bytes.</summary>
    I32,

    /// <summary>Unsigned, 4 bytes.</summary>
    U32,

    /// <summary>IEEE single, 4 bytes.</summary>
    F32,

    /// <summary>IEEE double, 8 bytes.</summary>
    F64,

    /// <summary>Signed, 8 bytes.</summary>
    I64,

    /// <summary>Unsigned, 8 bytes.</summary>
    U64,
}

/// <summary>Sizes of element types.</summary>
public static class SafetensorsDTypes
{
    /// <summary>Bytes of one element.</summary>
    /// <param name="type">The type.</param>
    /// <returns>1, 2, 4 or 8.</returns>
    public static int Size(SafetensorsDType type) => type switch
    {
        SafetensorsDType.BOOL or SafetensorsDType.U8 or SafetensorsDType.I8 => 1,
        SafetensorsDType.I16 or SafetensorsDType.U16 or SafetensorsDType.F16 or SafetensorsDType.BF16 => 2,
        SafetensorsDType.I32 or SafetensorsDType.U32 or SafetensorsDType.F32 => 4,
        _ => 8,
    };
}

/// <summary>One tensor of a file.</summary>
/// <param name="Name">Its name.</param>
/// <param name="DType">Element type.</param>
/// <param name="Shape">Dimensions; empty for a scalar.</param>
/// <param name="Start">First byte within the file's data.</param>
/// <param name="Length">Bytes.</param>
public sealed record SafetensorsEntry(string Name, SafetensorsDType DType, IReadOnlyList<long> Shape, long Start, long Length);

/// <summary>Writes a tensor's bytes, row-major and little-endian, all of them and no more.</summary>
/// <param name="destination">Where to.</param>
public delegate void SafetensorsContent(Stream destination);

/// <summary>One tensor to write.</summary>
/// <param name="Name">Its name.</param>
/// <param name="DType">Element type.</param>
/// <param name="Shape">Dimensions.</param>
/// <param name="Content">Writes its bytes.</param>
public sealed record SafetensorsInput(string Name, SafetensorsDType DType, IReadOnlyList<long> Shape, SafetensorsContent Content);
