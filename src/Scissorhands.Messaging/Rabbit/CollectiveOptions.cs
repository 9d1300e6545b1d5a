namespace Scissorhands.Messaging.Rabbit;

/// <summary>Settings of the collectives over the broker. All ranks of a group use the same.</summary>
public sealed record CollectiveOptions
{
    /// <summary>Most payload bytes of a frame: 64 KiB to 4 MiB, a multiple of 64 KiB. Default 1 MiB; groups of many ranks use smaller ones.</summary>
    public int ChunkBytes { get; init; } = 1 << 20;

    /// <summary>Bytes that one operation lets peers send ahead of what this rank has added up, all peers together. Default 8 MiB.</summary>
    public int WindowBytes { get; init; } = 8 << 20;

    /// <summary>How long a peer may be silent while an operation is under way. Default 30 s; peers send a sign of life five times as often.</summary>
    public TimeSpan PeerTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long an operation that every rank has come to may go without progress, although peers give signs of life. Default 10 min.</summary>
    public TimeSpan OperationTimeout { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How long an operation waits for a rank that gives signs of life but has not come to it: it may compute that long. Default 24 h.</summary>
    public TimeSpan JoinTimeout { get; init; } = TimeSpan.FromHours(24);

    /// <summary>Checks the settings.</summary>
    /// <exception cref="ArgumentException">A value is out of its range.</exception>
    public void Validate()
    {
        if (ChunkBytes is < 65_536 or > 4 << 20 || ChunkBytes % 65_536 != 0)
        {
            throw new ArgumentException($"{nameof(ChunkBytes)} is {ChunkBytes}; it must be a multiple of 65,536 up to 4 MiB.");
        }

        if (WindowBytes < ChunkBytes)
        {
            throw new ArgumentException($"{nameof(WindowBytes)} is {WindowBytes}, less than a chunk of {ChunkBytes} bytes.");
        }

        if (PeerTimeout <= TimeSpan.Zero || OperationTimeout <= TimeSpan.Zero || JoinTimeout <= TimeSpan.Zero)
        {
            throw new ArgumentException($"{nameof(PeerTimeout)}, {nameof(OperationTimeout)} and {nameof(JoinTimeout)} must be positive.");
        }
    }
}
