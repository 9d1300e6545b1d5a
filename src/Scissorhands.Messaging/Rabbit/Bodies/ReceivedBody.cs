using System.Buffers;

namespace Scissorhands.Messaging.Rabbit.Bodies;

/// <summary>The body of a message that has come. It is gone when whoever takes the message in returns, unless it is kept.</summary>
internal sealed class ReceivedBody
{
    private readonly byte[]? _rented;
    private bool _kept;

    /// <summary>A body in memory that belongs to somebody else.</summary>
    internal ReceivedBody(ReadOnlyMemory<byte> memory) => Memory = memory;

    /// <summary>A body in an array of the shared pool, or an empty one.</summary>
    internal ReceivedBody(ArraySegment<byte> rented)
    {
        _rented = rented.Count > 0 ? rented.Array : null;
        Memory = rented;
    }

    /// <summary>The body.</summary>
    internal ReadOnlyMemory<byte> Memory { get; }

    /// <summary>Keeps the body beyond the call.</summary>
    /// <returns>The body, to be released; a copy where the memory is somebody else's.</returns>
    internal ReceivedBody Keep()
    {
        if (_rented is null)
        {
            return new ReceivedBody(Memory.ToArray().AsMemory());
        }

        _kept = true;
        return this;
    }

    /// <summary>The call has returned.</summary>
    internal void End()
    {
        if (!_kept)
        {
            Release();
        }
    }

    /// <summary>Gives the memory of a body that was kept back.</summary>
    internal void Release()
    {
        if (_rented is not null)
        {
            ArrayPool<byte>.Shared.Return(_rented);
        }
    }
}
