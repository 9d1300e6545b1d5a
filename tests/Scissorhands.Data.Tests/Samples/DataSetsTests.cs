using System.Text;
using Scissorhands.Data.Samples;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Data.Tests.Samples;

public sealed class DataSetsTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private DataConfiguration Options => new() { Cache = _folder["cache"] };

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Open_TwoShardsByGlob_KeepsNameThenShardOrder()
    {
        Shards.WriteImages(_folder["b.tar"], 2, "b");
        Shards.WriteImages(_folder["a.tar"], 3, "a");
        using var set = Open(_folder["*.tar"]);
        Assert.Equal(["a000", "a001", "a002", "b000", "b001"], Enumerable.Range(0, set.Count).Select(set.Id));
        Assert.Equal(new ImageShape(3, 3, 4), set.Shape);
        Assert.True(set.TryFind("b001", out var ordinal));
        Assert.Equal(4, ordinal);
        var pixels = new byte[set.Shape.Elements];
        set.Read(4, pixels);
        Assert.All(pixels[..12], red => Assert.Equal(1, red));
        Assert.Equal([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3], pixels[12..24]);
        Assert.Equal([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2], pixels[24..]);
    }

    [Fact]
    public void Open_Again_ReadsIndexAndPixelsFromTheCache()
    {
        Shards.WriteImages(_folder["a.tar"], 3);
        string digest;
        using (var first = Open(_folder["a.tar"]))
        {
            digest = first.Digest;
        }

        var decoded = 0;
        using var second = DataSets.Open(_folder["a.tar"], Options, new Counter(p => decoded += p.Activity == "decoding" ? 1 : 0), CancellationToken.None);
        Assert.Equal(digest, second.Digest);
        Assert.Equal(0, decoded);
    }

    [Fact]
    public void Open_ChangedShard_IsIndexedAnew()
    {
        Shards.WriteImages(_folder["a.tar"], 3);
        Open(_folder["a.tar"]).Dispose();
        Shards.WriteImages(_folder["a.tar"], 5);
        using var set = Open(_folder["a.tar"]);
        Assert.Equal(5, set.Count);
    }

    [Fact]
    public void Open_DamagedCache_IsMadeAnew()
    {
        Shards.WriteImages(_folder["a.tar"], 3);
        Open(_folder["a.tar"]).Dispose();
        foreach (var file in Directory.GetFiles(_folder["cache"]))
        {
            File.WriteAllText(file, "damaged");
        }

        using var set = Open(_folder["a.tar"]);
        var pixels = new byte[set.Shape.Elements];
        set.Read(2, pixels);
        Assert.Equal(2, pixels[0]);
    }

    [Fact]
    public void Open_CacheOnDiskAndNone_GiveEqualPixels()
    {
        Shards.WriteImages(_folder["a.tar"], 4);
        using var cached = Open(_folder["a.tar"]);
        using var memory = DataSets.Open(_folder["a.tar"], new DataConfiguration { Cache = "none" }, null, CancellationToken.None);
        byte[] a = new byte[36], b = new byte[36];
        for (var i = 0; i < 4; i++)
        {
            cached.Read(i, a);
            memory.Read(i, b);
            Assert.Equal(a, b);
        }
    }

    [Fact]
    public void Open_JsonMetadata_GivesLabelAndSubject()
    {
        Shards.Write(_folder["a.tar"],
        [
            ("x.png", Shards.Png(2, 2, (_, _) => (1, 2, 3))), ("x.json", Encoding.UTF8.GetBytes("{\"label\": 7, \"subject\": \"person-1\"}")),
        ]);
        using var set = Open(_folder["a.tar"]);
        Assert.Equal(7, set.Label(0));
        Assert.Equal("person-1", set.Subject(0));
    }

    [Fact]
    public void Open_ImageFolder_NumbersClassesInOrdinalOrder()
    {
        foreach (var (name, red) in new[] { ("dog/2.png", 9), ("cat/1.png", 8) })
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_folder["images/" + name])!);
            File.WriteAllBytes(_folder["images/" + name], Shards.Png(2, 2, (_, _) => ((byte)red, 0, 0)));
        }

        using var set = Open(_folder["images"]);
        Assert.Equal(["cat/1.png", "dog/2.png"], [set.Id(0), set.Id(1)]);
        Assert.Equal([0, 1], [set.Label(0), set.Label(1)]);
    }

    [Theory]
    [InlineData(1, 3073)]
    [InlineData(2, 3074)]
    public void Open_CifarBinary_ReadsTheLastLabelByteAndThePixels(int labels, int record)
    {
        var bytes = new byte[2 * record];
        bytes[labels - 1] = 4;
        bytes[record + labels - 1] = 5;
        bytes[record + labels] = 77;
        File.WriteAllBytes(_folder["data.bin"], bytes);
        using var set = Open(_folder["data.bin"]);
        Assert.Equal([4, 5], [set.Label(0), set.Label(1)]);
        Assert.Equal("data.bin#1", set.Id(1));
        var pixels = new byte[3072];
        set.Read(1, pixels);
        Assert.Equal(77, pixels[0]);
    }

    [Fact]
    public void Open_DifferentSizes_NamesTheSampleAndTheRemedy()
    {
        Shards.Write(_folder["a.tar"],
        [
            ("x.png", Shards.Png(2, 2, (_, _) => (0, 0, 0))), ("x.cls", "0"u8.ToArray()),
            ("y.png", Shards.Png(3, 2, (_, _) => (0, 0, 0))), ("y.cls", "0"u8.ToArray()),
        ]);
        Assert.Contains("'y'", Fault(_folder["a.tar"]), StringComparison.Ordinal);
        Assert.Contains("data.imageSize", Fault(_folder["a.tar"]), StringComparison.Ordinal);
        using var resized = DataSets.Open(_folder["a.tar"], Options with { ImageSize = 4 }, null, CancellationToken.None);
        Assert.Equal(new ImageShape(3, 4, 4), resized.Shape);
    }

    [Fact]
    public void Open_BadSamples_NameShardAndKey()
    {
        (string, byte[]) image = ("x.png", Shards.Png(2, 2, (_, _) => (0, 0, 0)));
        Shards.Write(_folder["image.tar"], [("x.cls", "0"u8.ToArray())]);
        Shards.Write(_folder["label.tar"], [image]);
        Shards.Write(_folder["digits.tar"], [image, ("x.cls", "one"u8.ToArray())]);
        Shards.Write(_folder["decode.tar"], [("x.png", image.Item2[..40]), ("x.cls", "0"u8.ToArray())]);
        Shards.Write(_folder["twice.tar"], [image, ("x.cls", "0"u8.ToArray()), ("y.png", image.Item2), ("y.cls", "0"u8.ToArray()), image]);
        foreach (var name in new[] { "image.tar", "label.tar", "digits.tar", "decode.tar", "twice.tar" })
        {
            var fault = Fault(_folder[name]);
            Assert.Contains(name, fault, StringComparison.Ordinal);
            Assert.Contains("'x'", fault, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("{\"label\": \"7\"}")]
    [InlineData("{\"label\": 1.5}")]
    [InlineData("{\"label\": -1}")]
    [InlineData("{\"label\": null}")]
    [InlineData("{\"label\": NaN}")]
    [InlineData("{\"label\": 1, \"subject\": \"\\ud800\"}")]
    [InlineData("{")]
    public void Open_BadJson_NamesShardAndKeyAndBlamesNotTheTar(string json)
    {
        Shards.Write(_folder["a.tar"], [("x.png", Shards.Png(2, 2, (_, _) => (0, 0, 0))), ("x.json", Encoding.UTF8.GetBytes(json))]);
        var fault = Fault(_folder["a.tar"]);
        Assert.Contains("a.tar", fault, StringComparison.Ordinal);
        Assert.Contains("'x'", fault, StringComparison.Ordinal);
        Assert.Contains(".json", fault, StringComparison.Ordinal);
        Assert.DoesNotContain("damaged", fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("x.cls", "x.json")]
    [InlineData("x.json", "x.cls")]
    public void Open_ClsBesideAJsonLabelThatIsNone_Counts(string first, string second)
    {
        var members = new Dictionary<string, byte[]> { ["x.cls"] = "4"u8.ToArray(), ["x.json"] = "{\"label\": \"dog\"}"u8.ToArray() };
        Shards.Write(_folder["a.tar"], [("x.png", Shards.Png(2, 2, (_, _) => (0, 0, 0))), (first, members[first]), (second, members[second])]);
        using var set = Open(_folder["a.tar"]);
        Assert.Equal(4, set.Label(0));
    }

    [Fact]
    public void Open_JsonWithByteOrderMark_IsRead()
    {
        Shards.Write(_folder["a.tar"], [("x.png", Shards.Png(2, 2, (_, _) => (0, 0, 0))), ("x.json", [0xEF, 0xBB, 0xBF, .. "{\"label\": 5}"u8])]);
        using var set = Open(_folder["a.tar"]);
        Assert.Equal(5, set.Label(0));
    }

    [Fact]
    public void Open_ReadFails_NamesThePath()
    {
        // Reads of a process's first page fail, for root too.
        Directory.CreateDirectory(_folder["images/cat"]);
        File.CreateSymbolicLink(_folder["images/cat/1.png"], "/proc/self/mem");
        var fault = Fault(_folder["images"]);
        Assert.Contains("1.png", fault, StringComparison.Ordinal);
        Assert.Contains("cannot be read", fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a.tar", "a.tar")]
    [InlineData("a.bin", "a.bin")]
    [InlineData("images/cat/1.png", "images")]
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public void Open_NotAllowedToRead_NamesThePath(string name, string pattern)
    {
        Assert.SkipWhen(Environment.IsPrivilegedProcess, "root may read everything");
        Directory.CreateDirectory(Path.GetDirectoryName(_folder[name])!);
        File.WriteAllBytes(_folder[name], new byte[3073]);
        File.SetUnixFileMode(_folder[name], UnixFileMode.None);
        var fault = Fault(_folder[pattern]);
        Assert.Contains(name, fault, StringComparison.Ordinal);
        Assert.Contains("cannot be read", fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(700)]
    [InlineData(1024)]
    [InlineData(3000)]
    public void Open_TruncatedShard_NamesIt(int bytes)
    {
        Shards.WriteImages(_folder["a.tar"], 6);
        File.WriteAllBytes(_folder["cut.tar"], File.ReadAllBytes(_folder["a.tar"])[..bytes]);
        Assert.Contains("cut.tar", Fault(_folder["cut.tar"]), StringComparison.Ordinal);
    }

    [Fact]
    public void Open_CorruptHeader_NamesTheShard()
    {
        Shards.WriteImages(_folder["a.tar"], 3);
        var bytes = File.ReadAllBytes(_folder["a.tar"]);
        bytes[20] ^= 0x55;
        bytes[150] ^= 0x11;
        File.WriteAllBytes(_folder["bad.tar"], bytes);
        Assert.Contains("bad.tar", Fault(_folder["bad.tar"]), StringComparison.Ordinal);
    }

    [Fact]
    public void Open_NothingThere_NamesThePattern()
    {
        Assert.Contains("no such file", Fault(_folder["none"]), StringComparison.Ordinal);
        Assert.Contains("matches no file", Fault(_folder["*.tar"]), StringComparison.Ordinal);
    }

    [Fact]
    public void Open_RealShards_HaveTheirKeysAndLabels()
    {
        var shards = SharedFolder.Find("data/cifar10");
        using var set = Open(Path.Combine(shards, "test-000001.tar"));
        Assert.Equal(5_000, set.Count);
        Assert.Equal(new ImageShape(3, 32, 32), set.Shape);
        Assert.All(Enumerable.Range(0, set.Count), i => Assert.StartsWith("test-", set.Id(i), StringComparison.Ordinal));
        Assert.Equal(10, Enumerable.Range(0, set.Count).Select(set.Label).Distinct().Count());
    }

    private ISampleSet Open(string pattern) => DataSets.Open(pattern, Options, null, CancellationToken.None);

    private string Fault(string pattern) => Assert.Throws<InputException>(() => Open(pattern)).Message;

    private sealed class Counter(Action<DataProgress> count) : IProgress<DataProgress>
    {
        public void Report(DataProgress value) => count(value);
    }
}
