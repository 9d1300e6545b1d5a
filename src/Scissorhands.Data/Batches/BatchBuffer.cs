using System.Runtime.InteropServices;
using Scissorhands.Data.Samples;

namespace Scissorhands.Data.Batches;

/// <summary>A batch's pixels and labels in native memory, given back to its pool on disposal.</summary>
internal sealed unsafe class BatchBuffer : IHostBatch
{
    private const nuint Alignment = 64;
    private readonly BatchBufferPool _pool;
    private float* _pixels;
    private long[] _labels = [];
    private int _pixelCapacity;

    public BatchBuffer(BatchBufferPool pool)
    {
        _pool = pool;
    }

    public int Count { get; private set; }

    public ImageShape Shape { get; private set; }

    public ReadOnlySpan<float> Pixels => MutablePixels;

    public ReadOnlySpan<long> Labels => MutableLabels;

    public Span<float> MutablePixels => new(_pixels, Count * Shape.Elements);

    public Span<long> MutableLabels => _labels.AsSpan(0, Count);

    /// <summary>Sizes the buffer for a batch; its contents are undefined.</summary>
    public void Resize(int count, ImageShape shape)
    {
        var elements = checked(count * shape.Elements);
        if (elements > _pixelCapacity)
        {
            NativeMemory.AlignedFree(_pixels);
            _pixels = (float*)NativeMemory.AlignedAlloc((nuint)elements * sizeof(float), Alignment);
            _pixelCapacity = elements;
        }

        if (count > _labels.Length)
        {
            _labels = new long[count];
        }

        (Count, Shape) = (count, shape);
    }

    public void Dispose() => _pool.Return(this);

    public void Free()
    {
        NativeMemory.AlignedFree(_pixels);
        _pixels = null;
        _pixelCapacity = 0;
    }
}
