using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Scissorhands.Core.TensorMemory;

/// <summary>
/// A flat float32 vector that libtorch and spans see at the same address, so collectives and reductions read and write
/// tensor memory without copies. Owned by libtorch (64-byte aligned); lives on the CPU.
/// </summary>
public sealed unsafe class HostVector : MemoryManager<float>
{
    private readonly float* _start;
    private readonly int _length;

    /// <summary>Allocates a zeroed vector.</summary>
    /// <param name="length">Elements.</param>
    public HostVector(int length)
    {
        // Detached from the creating thread's scope: the vector lives until Dispose, whichever thread that is on.
        Tensor = torch.zeros(length, ScalarType.Float32).DetachFromDisposeScope();
        _length = length;
        _start = length == 0 ? null : (float*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(Tensor.bytes));
    }

    /// <summary>The vector as a 1-D tensor.</summary>
    public Tensor Tensor { get; }

    /// <summary>Number of elements.</summary>
    public int Length => _length;

    /// <summary>The vector as a span.</summary>
    public Span<float> Span => new(_start, _length);

    /// <inheritdoc />
    public override Span<float> GetSpan() => Span;

    /// <inheritdoc />
    public override MemoryHandle Pin(int elementIndex = 0) => new(_start + elementIndex);

    /// <inheritdoc />
    public override void Unpin()
    {
    }

    /// <inheritdoc />
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            Tensor.Dispose();
        }
    }

    /// <summary>Gives the memory back to libtorch.</summary>
    public void Release() => Dispose(true);
}
