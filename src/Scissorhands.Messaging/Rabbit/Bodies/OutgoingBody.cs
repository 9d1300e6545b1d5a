namespace Scissorhands.Messaging.Rabbit.Bodies;

/// <summary>The body of one message on its way out: memory of the caller's until it is sent, or given back.</summary>
internal sealed class OutgoingBody
{
    private readonly TaskCompletionSource _sent = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Prepares.</summary>
    /// <param name="memory">The body; must not change until <see cref="Sent"/>.</param>
    internal OutgoingBody(ReadOnlyMemory<byte> memory)
    {
        Memory = memory;
        Length = memory.Length;
    }

    /// <summary>Bytes of the body.</summary>
    internal int Length { get; }

    /// <summary>Completes when the memory may be changed or freed, and that of an empty body when its message has been written; faults where the connection ended before.</summary>
    internal Task Sent => _sent.Task;

    /// <summary>Held while <see cref="Memory"/> is read, and never while something waits.</summary>
    internal Lock Sync { get; } = new();

    /// <summary>The body; read within <see cref="Sync"/>.</summary>
    internal ReadOnlyMemory<byte> Memory { get; private set; }

    /// <summary>All of it has been read.</summary>
    internal void Complete()
    {
        lock (Sync)
        {
            Memory = default;
            _sent.TrySetResult();
        }
    }

    /// <summary>
    /// Gives the memory back at once. A message that has been announced must be completed, or the connection is of no more
    /// use: its body is kept as a copy.
    /// </summary>
    internal void GiveBack()
    {
        lock (Sync)
        {
            if (!_sent.Task.IsCompleted)
            {
                Memory = Memory.ToArray();
                _sent.TrySetResult();
            }
        }
    }

    /// <summary>The connection has ended: nothing reads the memory any more.</summary>
    internal void Fail(Exception reason)
    {
        lock (Sync)
        {
            Memory = default;
            if (_sent.TrySetException(reason))
            {
                // Observed here: a sender that has given up does not look.
                _ = _sent.Task.Exception;
            }
        }
    }
}
