using CsCheck;
using Scissorhands.Messaging.Frames;

namespace Scissorhands.Messaging.Tests.Frames;

/// <summary>What a receiver makes of the numbers of a sender's frames.</summary>
public sealed class FrameOrderTests
{
    private const int Ranks = 3;
    private const int Me = 1;

    [Fact]
    public void Frames_to_one_and_to_all_in_any_mixture_follow_each_other_past_the_end_of_their_numbers()
    {
        var random = new Random(1);
        var sent = new SentFrames(Ranks);
        var heard = new HeardFrames();
        for (var i = 0; i < 500_000; i++)
        {
            if (Next(sent, random.Next(-1, Ranks)) is { } frame)
            {
                Assert.Equal(FrameOrder.Next, heard.Hear(frame));
            }
        }
    }

    [Fact]
    public void Missing_frame_shows_with_the_next_that_counts_its_like_and_repeated_ones_never_matter() =>
        Gen.Select(Gen.Int[-1, Ranks - 1].Array[1, 60], Gen.Int[0, 59], Gen.Int[0, 200_000], Gen.UInt).Sample((targets, at, before, seed) =>
        {
            var random = new Random((int)seed);
            var sent = new SentFrames(Ranks);
            var heard = new HeardFrames();
            for (var i = 0; i < before; i++)
            {
                _ = Next(sent, i % 3 == 0 ? -1 : Me) is { } earlier ? heard.Hear(earlier) : default;
            }

            FrameHeader[] frames = [.. targets.Select(target => Next(sent, target)).OfType<FrameHeader>()];
            var missing = at < frames.Length ? at : -1;
            var mayStillShow = true;
            for (var i = 0; i < frames.Length; i++)
            {
                if (i == missing)
                {
                    continue;
                }

                // A frame to all does not tell how many went to one.
                var shows = mayStillShow && missing >= 0 && i > missing && (IsToAll(frames[missing]) || !IsToAll(frames[i]));
                mayStillShow &= !shows;
                Assert.Equal(shows ? FrameOrder.AfterGap : FrameOrder.Next, heard.Hear(frames[i]));
                foreach (var again in frames[..(i + 1)].Where(_ => random.Next(4) == 0))
                {
                    Assert.Equal(FrameOrder.Repeated, heard.Hear(again));
                }
            }
        });

    [Theory]
    [InlineData(-1)]
    [InlineData(Me)]
    public void First_frame_of_a_life_is_missed_too(int target)
    {
        var sent = new SentFrames(Ranks);
        _ = Next(sent, target);
        Assert.Equal(FrameOrder.AfterGap, new HeardFrames().Hear(Next(sent, Me)!.Value));
    }

    private static bool IsToAll(in FrameHeader frame) => frame.SentToOne == FrameHeader.IsToAll;

    /// <summary>Numbers the next frame; null where it does not reach this rank.</summary>
    private static FrameHeader? Next(SentFrames sent, int target)
    {
        var frame = sent.Number(target, new FrameHeader { Instance = 7 });
        return target is -1 or Me ? frame : null;
    }
}
