using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Scissorhands.Messaging.Frames;

/// <summary>The same memory seen as elements of another type, without a copy: tensor memory as bytes, bytes as tensor memory.</summary>
internal sealed class ByteView<TFrom, TTo>(Memory<TFrom> memory) : MemoryManager<TTo>
    where TFrom : unmanaged
    where TTo : unmanaged
{
    public override Span<TTo> GetSpan() => MemoryMarshal.Cast<TFrom, TTo>(memory.Span);

    public override MemoryHandle Pin(int elementIndex = 0) => throw new NotSupportedException();

    public override void Unpin() => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
    }
}

/// <summary>Views of memory.</summary>
internal static class ByteView
{
    /// <summary>The bytes of floats.</summary>
    internal static ReadOnlyMemory<byte> Of(ReadOnlyMemory<float> values) =>
        values.IsEmpty ? default : new ByteView<float, byte>(MemoryMarshal.AsMemory(values)).Memory;

    /// <summary>The bytes of floats, to be written.</summary>
    internal static Memory<byte> Of(Memory<float> values) => values.IsEmpty ? default : new ByteView<float, byte>(values).Memory;
}
