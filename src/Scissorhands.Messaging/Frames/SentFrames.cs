namespace Scissorhands.Messaging.Frames;

/// <summary>Numbers the frames of one life in the order in which they are published, so that receivers see what is missing.</summary>
internal sealed class SentFrames
{
    private readonly ushort[] _toOne;
    private ushort _toAll;
    private ulong _counter;

    internal SentFrames(int ranks)
    {
        _toOne = new ushort[ranks];
    }

    /// <summary>Numbers the next frame.</summary>
    /// <param name="target">The rank that receives it, or -1 for all others.</param>
    /// <param name="frame">The frame; it is published next, or nothing is any more.</param>
    internal FrameHeader Number(int target, in FrameHeader frame)
    {
        if (target < 0)
        {
            return frame with { Counter = _counter++, SentToOne = FrameHeader.IsToAll, SentToAll = _toAll++ };
        }

        var toOne = _toOne[target];
        _toOne[target] = HeardFrames.AfterOne(toOne);
        return frame with { Counter = _counter++, SentToOne = toOne, SentToAll = _toAll };
    }
}
