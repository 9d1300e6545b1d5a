namespace Scissorhands.Messaging.Frames;

/// <summary>How a frame follows those that its sender's life has sent before.</summary>
internal enum FrameOrder
{
    /// <summary>It is the next one.</summary>
    Next,

    /// <summary>It has come before.</summary>
    Repeated,

    /// <summary>At least one before it has not come and, since the broker keeps a sender's order, never will.</summary>
    AfterGap,
}

/// <summary>What one rank has heard of a peer.</summary>
internal sealed class HeardFrames
{
    private ulong _instance;
    private ulong _nextCounter;
    private ushort _nextToOne;
    private ushort _nextToAll;

    /// <summary>A frame whose seal is intact has come.</summary>
    internal FrameOrder Hear(in FrameHeader frame)
    {
        if (frame.Instance != _instance)
        {
            (_instance, _nextCounter, _nextToOne, _nextToAll) = (frame.Instance, 0, 0, 0);
        }

        if (frame.Counter < _nextCounter)
        {
            return FrameOrder.Repeated;
        }

        // A frame to this rank alone says how many went to all before it, so that the last of those is missed too.
        var toAll = frame.SentToOne == FrameHeader.IsToAll;
        var isNext = frame.SentToAll == _nextToAll && (toAll || frame.SentToOne == _nextToOne);
        _nextCounter = frame.Counter + 1;
        _nextToAll = toAll ? (ushort)(frame.SentToAll + 1) : frame.SentToAll;
        _nextToOne = toAll ? _nextToOne : AfterOne(frame.SentToOne);
        return isNext ? FrameOrder.Next : FrameOrder.AfterGap;
    }

    /// <summary>The number that follows in the sequence to one rank.</summary>
    internal static ushort AfterOne(ushort number) => (ushort)((number + 1) % FrameHeader.IsToAll);
}
