using System.Collections.Concurrent;

namespace Scissorhands.Data.Batches;

/// <summary>Reuses batch buffers: a step allocates nothing once as many exist as are ever prepared ahead.</summary>
internal sealed class BatchBufferPool
{
    private readonly ConcurrentBag<BatchBuffer> _free = [];

    public BatchBuffer Rent() => _free.TryTake(out var buffer) ? buffer : new BatchBuffer(this);

    public void Return(BatchBuffer buffer) => _free.Add(buffer);

    public void Clear()
    {
        while (_free.TryTake(out var buffer))
        {
            buffer.Free();
        }
    }
}
