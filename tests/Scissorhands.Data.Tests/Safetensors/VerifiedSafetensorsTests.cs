using CsCheck;
using Scissorhands.Data.Safetensors;
using Scissorhands.Data.Storage;
using Scissorhands.Planning;

namespace Scissorhands.Data.Tests.Safetensors;

public sealed class VerifiedSafetensorsTests : IDisposable
{
    private const string Key = "a.safetensors";
    private const int BlockBytes = 1000;

    private static readonly byte[] Large = [.. Enumerable.Range(0, 5_432).Select(i => (byte)((i * 7) ^ (i >> 8)))];

    private readonly TempFolder _folder = new();
    private readonly CheckpointFolder _store;
    private readonly CancellationToken _cancellationToken = TestContext.Current.CancellationToken;

    public VerifiedSafetensorsTests() => _store = new CheckpointFolder(_folder.Path);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Open_whatWasWritten_givesTensorsAndMetadata()
    {
        Write();

        using var file = Open();

        Assert.Equal(["empty", "large", "small"], file.Entries.Select(entry => entry.Name).Order(StringComparer.Ordinal));
        Assert.Equal("test", file.Metadata["kind"]);
        Assert.Equal(Large, Read(file, "large", 0, Large.Length));
    }

    /// <summary>Other readers of the format find a file like any other.</summary>
    [Fact]
    public void Write_readAsAnyFile_isWhole()
    {
        Write();

        using var file = SafetensorsFile.Open(_folder[Key]);

        Assert.Equal(Large, Read(file, "large", 0, Large.Length));
        Assert.Equal([7, 32], file.Find(VerifiedSafetensors.DigestTensor).Shape);
    }

    [Fact]
    public void ReadInto_anyRange_givesItsBytes()
    {
        Write();
        using var file = Open();
        Gen.Select(Gen.Int[0, Large.Length], Gen.Int[0, Large.Length]).Sample(
            (a, b) => Read(file, "large", Math.Min(a, b), Math.Abs(a - b)).AsSpan().SequenceEqual(Large.AsSpan(Math.Min(a, b), Math.Abs(a - b))),
            iter: 500,
            threads: 1);
    }

    /// <summary>Whatever has become of an object, nobody goes on with bytes that were not written.</summary>
    [Fact]
    public void Open_anyByteDamaged_isRefusedNamingTheObject()
    {
        Write();
        var good = File.ReadAllBytes(_folder[Key]);
        for (var position = 0; position < good.Length; position++)
        {
            var bytes = good.ToArray();
            bytes[position] ^= (byte)(1 << (position % 8));
            ExpectRefusal(bytes, $"byte {position}");
        }
    }

    [Fact]
    public void Open_severalBytesDamaged_isRefusedNamingTheObject()
    {
        Write();
        var good = File.ReadAllBytes(_folder[Key]);
        Gen.Select(Gen.Int[0, good.Length - 1], Gen.Byte[1, 255]).Array[1, 6].Sample(
            damages =>
            {
                var bytes = good.ToArray();
                foreach (var (position, mask) in damages)
                {
                    bytes[position] ^= mask;
                }

                if (!bytes.AsSpan().SequenceEqual(good))
                {
                    ExpectRefusal(bytes, string.Join(", ", damages));
                }
            },
            iter: 1_000,
            threads: 1);
    }

    [Fact]
    public void Open_cutShortOrLonger_isRefusedNamingTheObject()
    {
        Write();
        var good = File.ReadAllBytes(_folder[Key]);
        for (var length = 0; length < good.Length; length += 13)
        {
            ExpectRefusal(good[..length], $"{length} bytes");
        }

        ExpectRefusal([.. good, 0], "a byte more");
    }

    [Theory]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("999")]
    [InlineData("67108865")]
    [InlineData("99999999999999999999")]
    public void Open_absurdBlocks_isRefused(string blockBytes)
    {
        SafetensorsWriter.Write(
            _folder[Key],
            [Tensor("large", Large), new SafetensorsInput(VerifiedSafetensors.DigestTensor, SafetensorsDType.U8, [1, 32], d => d.Write(new byte[32]))],
            new Dictionary<string, string> { [VerifiedSafetensors.BlockBytesKey] = blockBytes });

        Assert.Contains("digests", Assert.Throws<InputException>(Open).Message, StringComparison.Ordinal);
    }

    /// <summary>Written by a version that knew no digests.</summary>
    [Fact]
    public void Open_withoutDigests_isRead()
    {
        SafetensorsWriter.Write(_folder[Key], [Tensor("large", Large)], null);

        using var file = Open();

        Assert.Equal(Large, Read(file, "large", 0, Large.Length));
    }

    [Fact]
    public void Write_contents_areCalledOnceAndInOrder()
    {
        var called = new List<string>();
        SafetensorsInput Noted(string name) => new(name, SafetensorsDType.U8, [1], d =>
        {
            called.Add(name);
            d.WriteByte(1);
        });

        VerifiedSafetensors.Write(_store, Key, [Noted("b"), Noted("a"), Noted("c")], new Dictionary<string, string>(), _cancellationToken);

        Assert.Equal(["b", "a", "c"], called);
    }

    /// <summary>Large pieces are hashed on another thread than small ones.</summary>
    [Theory]
    [InlineData(1 << 20)]
    [InlineData(300_001)]
    [InlineData(10_000_019)]
    public void Write_piecesOfAnySize_giveTheSameObject(int pieceBytes)
    {
        var bytes = new byte[10_000_019];
        new Random(4).NextBytes(bytes);
        byte[] WrittenIn(int size)
        {
            SafetensorsInput tensor = new("large", SafetensorsDType.U8, [bytes.Length], d =>
            {
                foreach (var piece in bytes.Chunk(size))
                {
                    d.Write(piece);
                }
            });
            VerifiedSafetensors.Write(_store, Key, [tensor], new Dictionary<string, string>(), _cancellationToken);
            return File.ReadAllBytes(_folder[Key]);
        }

        Assert.True(WrittenIn(1_000).AsSpan().SequenceEqual(WrittenIn(pieceBytes)));
        using var file = Open();
        Assert.True(bytes.AsSpan().SequenceEqual(Read(file, "large", 0, bytes.Length)));
    }

    [Fact]
    public void Write_tensorGivesAnotherLengthThanItsShape_storesNothing()
    {
        Assert.Throws<InvalidOperationException>(() => VerifiedSafetensors.Write(
            _store,
            Key,
            [new SafetensorsInput("short", SafetensorsDType.U8, [3], d => d.Write([1, 2]))],
            new Dictionary<string, string>(),
            _cancellationToken));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    private void ExpectRefusal(byte[] bytes, string damage)
    {
        File.WriteAllBytes(_folder[Key], bytes);
        try
        {
            using var file = Open();
            foreach (var entry in file.Entries)
            {
                Read(file, entry.Name, 0, (int)entry.Length);
            }
        }
        catch (InputException e)
        {
            Assert.Contains(Key, e.Message, StringComparison.Ordinal);
            return;
        }

        Assert.Fail($"{damage}: was read");
    }

    private void Write() => VerifiedSafetensors.Write(
        _store,
        Key,
        [Tensor("small", [1, 2, 3]), Tensor("empty", []), Tensor("large", Large)],
        new Dictionary<string, string> { ["kind"] = "test" },
        BlockBytes,
        _cancellationToken);

    private SafetensorsFile Open() => VerifiedSafetensors.Open(_store, Key, _cancellationToken);

    private static SafetensorsInput Tensor(string name, byte[] bytes) => new(name, SafetensorsDType.U8, [bytes.Length], d => d.Write(bytes));

    private static byte[] Read(SafetensorsFile file, string name, int first, int count)
    {
        var bytes = new byte[count];
        file.ReadInto(file.Find(name), first, bytes);
        return bytes;
    }
}
