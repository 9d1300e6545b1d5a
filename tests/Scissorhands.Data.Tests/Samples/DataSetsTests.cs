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

    [Fact]
    public void Open_ImageFolder_CountsEmptyClassFoldersAndNamesTheClasses()
    {
        WriteImages("images", "cat/1.png", "dog/2.png", ".checkpoints/3.png");
        Directory.CreateDirectory(_folder["images/bird"]);
        using var set = Open(_folder["images"]);
        Assert.Equal(["bird", "cat", "dog"], set.ClassNames!);
        Assert.Equal([1, 2], Enumerable.Range(0, set.Count).Select(set.Label));
    }

    [Fact]
    public void Open_ImageFolderWithAnotherClass_HasAnotherDigest()
    {
        WriteImages("images", "cat/1.png");
        using var before = Open(_folder["images"]);
        Directory.CreateDirectory(_folder["images/dog"]);
        using var after = Open(_folder["images"]);
        Assert.Equal(before.Label(0), after.Label(0));
        Assert.NotEqual(before.Digest, after.Digest);
    }

    [Fact]
    public void Open_ImageFolderBesideAnother_TakesItsNumbers()
    {
        WriteImages("train", "bird/0.png", "cat/1.png", "dog/2.png");
        WriteImages("test", "dog/3.png");
        using var train = Open(_folder["train"]);
        using var alone = Open(_folder["test"]);
        using var test = DataSets.Open(_folder["test"], Options, train.ClassNames, null, CancellationToken.None);
        Assert.Equal(0, alone.Label(0));
        Assert.Equal(2, test.Label(0));
        Assert.Equal(train.ClassNames, test.ClassNames);
        Assert.NotEqual(alone.Digest, test.Digest);
    }

    [Fact]
    public void Open_ImageFolderWithAClassTheOtherLacks_NamesIt()
    {
        WriteImages("test", "dog/3.png", "wolf/4.png");
        var fault = Assert.Throws<InputException>(() => DataSets.Open(_folder["test"], Options, ["cat", "dog"], null, CancellationToken.None)).Message;
        Assert.Contains("'wolf'", fault, StringComparison.Ordinal);
        Assert.Contains(_folder["test"], fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_Shards_NameNoClasses()
    {
        Shards.WriteImages(_folder["a.tar"], 1);
        using var set = Open(_folder["a.tar"]);
        Assert.Null(set.ClassNames);
    }

    [Theory]
    [InlineData("train-000.tar", "test-000.tar")]
    [InlineData("cifar-train-000.tar", "cifar-val-000.tar")]
    [InlineData("data_batch_1.bin", "test_batch.bin")]
    [InlineData("train.bin", "test.bin")]
    public void Open_FolderOfTrainingAndTestFiles_AsksForAGlob(string train, string test)
    {
        foreach (var name in new[] { train, test })
        {
            if (Path.GetExtension(name) == ".tar")
            {
                Shards.WriteImages(_folder[name], 2, Path.GetFileNameWithoutExtension(name));
            }
            else
            {
                File.WriteAllBytes(_folder[name], new byte[3073]);
            }
        }

        var fault = Fault(_folder.Path);
        Assert.Contains($"'{train}'", fault, StringComparison.Ordinal);
        Assert.Contains($"'{test}'", fault, StringComparison.Ordinal);
        Assert.Contains("glob", fault, StringComparison.Ordinal);
        using var named = Open(_folder[train[..^5] + "*"]);
        Assert.Equal(train.EndsWith(".tar", StringComparison.Ordinal) ? 2 : 1, named.Count);
    }

    [Fact]
    public void Open_FolderOfTestFilesAlone_IsTaken()
    {
        Directory.CreateDirectory(_folder["data"]);
        Shards.WriteImages(_folder["data/test-000.tar"], 2);
        using var set = Open(_folder["data"]);
        Assert.Equal(2, set.Count);
    }

    [Fact]
    public void Open_FolderOfImageFolders_AsksForOne()
    {
        WriteImages("images", "train/cat/1.png", "test/cat/2.png");
        Assert.Contains("'train' and 'test'", Fault(_folder["images"]), StringComparison.Ordinal);
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

    private void WriteImages(string folder, params string[] names)
    {
        foreach (var name in names)
        {
            var path = Path.Combine(_folder[folder], name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllBytes(path, Shards.Png(2, 2, (_, _) => (1, 2, 3)));
        }
    }

    [Fact]
    public void Open_Shrunk_CountsEveryPixel()
    {
        Shards.Write(_folder["a.tar"], [("x.png", Shards.Png(64, 32, (x, _) => ((byte)(x % 8 == 0 ? 240 : 0), 0, 0))), ("x.cls", "0"u8.ToArray())]);
        using var set = DataSets.Open(_folder["a.tar"], Options with { ImageSize = 8 }, null, CancellationToken.None);
        var pixels = new byte[set.Shape.Elements];
        set.Read(0, pixels);
        Assert.All(pixels[..64], red => Assert.InRange(red, 20, 40));
    }

    [Fact]
    public void Open_Range_TakesTheNamedShards()
    {
        foreach (var number in new[] { "08", "09", "10", "11" })
        {
            Shards.WriteImages(_folder[$"train-{number}.tar"], 1, number);
        }

        using var set = Open(_folder["train-{08..10}.tar"]);
        Assert.Equal(["08000", "09000", "10000"], Enumerable.Range(0, set.Count).Select(set.Id));
        using var two = Open(_folder["train-{1..1}{0..1}.tar"]);
        Assert.Equal(["10000", "11000"], Enumerable.Range(0, two.Count).Select(two.Id));
    }

    [Theory]
    [InlineData("train-{08..12}.tar", "train-10.tar does not exist")]
    [InlineData("train-{0..9999}{0..9999}.tar", "more than 1000000")]
    [InlineData("train-{0..99999999999999999999}.tar", "too long")]
    public void Open_RangeThatNamesNoFiles_SaysWhy(string range, string reason)
    {
        Shards.WriteImages(_folder["train-08.tar"], 1);
        Shards.WriteImages(_folder["train-09.tar"], 1);
        var fault = Fault(_folder[range]);
        Assert.Contains(range, fault, StringComparison.Ordinal);
        Assert.Contains(reason, fault, StringComparison.Ordinal);
    }

    private ISampleSet Open(string pattern) => DataSets.Open(pattern, Options, null, CancellationToken.None);

    private string Fault(string pattern) => Assert.Throws<InputException>(() => Open(pattern)).Message;

    private sealed class Counter(Action<DataProgress> count) : IProgress<DataProgress>
    {
        public void Report(DataProgress value) => count(value);
    }
}
