using CsCheck;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Rabbit;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Tests.Rabbit;

public sealed class TensorFrameTests
{
    private static readonly TensorFrame Sample = new(
        FrameKind.Contribution, "run-1", 3, new OperationKey("gradient", 7), 1, 4, 100, new TreeNode(1, 1), 20, new byte[] { 1, 2, 3, 4, 5, 6, 7, 8 });

    [Fact]
    public void TryRead_of_ToBytes_gives_the_frame_back()
    {
        Assert.True(TensorFrame.TryRead(Sample.ToBytes(), out var frame, out _));
        Assert.Equal(Sample with { Payload = default }, frame with { Payload = default });
        Assert.True(Sample.Payload.Span.SequenceEqual(frame.Payload.Span));
    }

    [Fact]
    public void TryRead_of_any_bytes_never_throws() =>
        Gen.Select(Gen.Byte.Array[0, 200], Gen.Int[0, 80], Gen.Bool).Sample((noise, keep, flip) =>
        {
            var bytes = Sample.ToBytes();
            if (flip)
            {
                foreach (var b in noise)
                {
                    bytes[(b * 31) % bytes.Length] ^= b;
                }
            }
            else
            {
                bytes = [.. bytes.Take(keep), .. noise];
            }

            if (TensorFrame.TryRead(bytes, out var frame, out var problem))
            {
                Assert.InRange(frame.Payload.Length, 0, TensorFrame.MaxPayload);
            }
            else
            {
                Assert.NotNull(problem);
            }
        });

    [Fact]
    public void TryRead_piece_outside_the_vector_or_node_outside_the_tree_is_refused()
    {
        Assert.False(TensorFrame.TryRead((Sample with { First = 99 }).ToBytes(), out _, out _));
        Assert.False(TensorFrame.TryRead((Sample with { First = int.MaxValue }).ToBytes(), out _, out _));
        Assert.False(TensorFrame.TryRead((Sample with { Node = new TreeNode(1, 2) }).ToBytes(), out _, out _));
        Assert.False(TensorFrame.TryRead((Sample with { Payload = new byte[7] }).ToBytes(), out _, out _));
        Assert.False(TensorFrame.TryRead(Sample.ToBytes().AsMemory(0, 70), out _, out _));
    }
}
