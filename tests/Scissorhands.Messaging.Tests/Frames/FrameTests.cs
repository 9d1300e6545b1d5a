using CsCheck;
using Scissorhands.Messaging.Frames;
using Scissorhands.Messaging.Wire;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Tests.Frames;

public sealed class FrameTests
{
    private static readonly byte[] Key = [.. Enumerable.Range(0, 32).Select(static i => (byte)(i * 7))];

    private static readonly FrameHeader Sample = new()
    {
        Kind = FrameKind.Contribution,
        Operation = OperationKind.AllReduce,
        Format = WireFormat.Int8,
        Encoding = WireFormat.Bf16,
        Source = 3,
        Part = 1,
        Parts = 2,
        Run = UInt128.MaxValue - 5,
        Generation = -7,
        Purpose = 99,
        Step = long.MinValue,
        Leaves = 4,
        Length = 100,
        Node = new TreeNode(1, 1),
        Chunk = 2,
        Chunks = 3,
        First = 20,
        Count = 2,
        PayloadBytes = 8,
        SentToOne = 40_000,
        SentToAll = 65_535,
        Instance = ulong.MaxValue,
        Counter = 12,
    };

    private static readonly byte[] Payload = [1, 2, 3, 4, 5, 6, 7, 8];

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Seal_is_intact_for_the_other_side_and_header_comes_back(bool authenticated)
    {
        using var sealing = new FrameSeal(authenticated ? Key : []);
        using var opening = new FrameSeal(authenticated ? Key : []);
        foreach (var payload in new[] { Payload, [] })
        {
            var header = Sample with { PayloadBytes = payload.Length };
            var bytes = new byte[FrameHeader.Size];
            sealing.Seal(header, payload, bytes);
            Assert.True(FrameHeader.TryRead(bytes, payload.Length, out var read, out _));
            Assert.Equal(header, read);
            Assert.True(opening.IsIntact(read, bytes, payload));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Seal_finds_every_flipped_bit(bool authenticated)
    {
        using var seal = new FrameSeal(authenticated ? Key : []);
        var bytes = new byte[FrameHeader.Size];
        seal.Seal(Sample, Payload, bytes);
        Gen.Int[0, (8 * (FrameHeader.Size + Payload.Length)) - 1].Sample(
            bit =>
            {
                var header = (byte[])bytes.Clone();
                var payload = (byte[])Payload.Clone();
                if (bit / 8 < FrameHeader.Size)
                {
                    header[bit / 8] ^= (byte)(1 << (bit % 8));
                }
                else
                {
                    payload[(bit / 8) - FrameHeader.Size] ^= (byte)(1 << (bit % 8));
                }

                Assert.False(FrameHeader.TryRead(header, payload.Length, out var read, out _) && seal.IsIntact(read, header, payload));
            },
            threads: 1);
    }

    [Fact]
    public void Seal_of_another_key_rank_or_life_is_not_intact()
    {
        using var seal = new FrameSeal(Key);
        using var other = new FrameSeal([.. Key.Reverse()]);
        var bytes = new byte[FrameHeader.Size];
        other.Seal(Sample, Payload, bytes);
        Assert.False(seal.IsIntact(Sample, bytes, Payload));
        seal.Seal(Sample, Payload, bytes);
        Assert.False(seal.IsIntact(Sample with { Source = 4 }, bytes, Payload));
        Assert.False(seal.IsIntact(Sample with { Instance = 1 }, bytes, Payload));
        Assert.False(seal.IsIntact(Sample with { Counter = 13 }, bytes, Payload));
    }

    [Fact]
    public void TryRead_of_any_bytes_never_throws()
    {
        var good = new byte[FrameHeader.Size];
        Sample.Write(good);
        Gen.Select(Gen.Byte.Array[0, 200], Gen.Int[0, 200], Gen.Bool, Gen.Int[-1, 20_000_000]).Sample((noise, keep, flip, payload) =>
        {
            var bytes = (byte[])good.Clone();
            if (flip)
            {
                foreach (var b in noise)
                {
                    bytes[b * 31 % bytes.Length] ^= b;
                }
            }
            else
            {
                bytes = [.. bytes.Take(keep), .. noise];
            }

            if (FrameHeader.TryRead(bytes, payload, out var header, out var problem))
            {
                Assert.InRange(header.PayloadBytes, 0, FrameHeader.MaxPayload);
                Assert.True((long)header.First + header.Count <= header.Length);
            }
            else
            {
                Assert.NotEmpty(problem);
            }
        });
    }
}
