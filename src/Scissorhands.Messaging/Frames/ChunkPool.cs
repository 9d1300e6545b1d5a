namespace Scissorhands.Messaging.Frames;

/// <summary>Buffers of one chunk each, kept for the next chunk: what a group holds is bounded by its windows.</summary>
internal sealed class ChunkPool
{
    private readonly int _elements;
    private readonly int _kept;
    private readonly Stack<float[]> _free = [];
    private readonly Lock _sync = new();

    /// <summary>Prepares.</summary>
    /// <param name="elements">Elements of a buffer.</param>
    /// <param name="kept">Most free buffers kept.</param>
    internal ChunkPool(int elements, int kept)
    {
        _elements = elements;
        _kept = kept;
    }

    internal float[] Rent(int elements)
    {
        if (elements > _elements)
        {
            return GC.AllocateUninitializedArray<float>(elements);
        }

        lock (_sync)
        {
            if (_free.TryPop(out var buffer))
            {
                return buffer;
            }
        }

        return GC.AllocateUninitializedArray<float>(_elements);
    }

    internal void Return(float[] buffer)
    {
        lock (_sync)
        {
            if (buffer.Length == _elements && _free.Count < _kept)
            {
                _free.Push(buffer);
            }
        }
    }
}
