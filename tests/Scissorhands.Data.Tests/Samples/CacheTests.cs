using System.Diagnostics;
using System.Runtime.Versioning;
using Scissorhands.Data.Batches;
using Scissorhands.Data.Samples;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Data.Tests.Samples;

[UnsupportedOSPlatform("windows")]
public sealed class CacheTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private DataConfiguration Options => new() { Cache = _folder["cache"] };

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Open_CacheMade_IsForItsUserAlone()
    {
        Shards.WriteImages(_folder["a.tar"], 3);
        Open("a.tar").Dispose();
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(_folder["cache"]));
        Assert.Equal(2, Cached().Length);
        Assert.All(Cached(), file => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file)));
    }

    [Fact]
    public void Open_CacheFolderOfTheUsers_KeepsItsMode()
    {
        const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead;
        Shards.WriteImages(_folder["a.tar"], 3);
        Directory.CreateDirectory(_folder["cache"]);
        File.SetUnixFileMode(_folder["cache"], Mode);
        Open("a.tar").Dispose();
        Assert.Equal(Mode, File.GetUnixFileMode(_folder["cache"]));
    }

    [Fact]
    public void Open_ChangedSource_LeavesItsOldFilesAndNoOthersToDeletion()
    {
        Shards.WriteImages(_folder["a.tar"], 3);
        Shards.WriteImages(_folder["b.tar"], 2, "b");
        Open("a.tar").Dispose();
        var old = Cached();
        Open("b.tar").Dispose();
        var others = Cached().Except(old).ToArray();
        using (var resized = DataSets.Open(_folder["a.tar"], Options with { ImageSize = 2 }, null, CancellationToken.None))
        {
            Assert.Equal(5, Cached().Length);
        }

        Shards.WriteImages(_folder["a.tar"], 5);
        Open("a.tar").Dispose();

        Assert.Equal(4, Cached().Length);
        Assert.Empty(Cached().Intersect(old));
        Assert.Equal(others, Cached().Intersect(others));
    }

    [Fact]
    public void Open_ChangedSource_LeavesAnOpenSetReadable()
    {
        Shards.WriteImages(_folder["a.tar"], 3);
        using var before = Open("a.tar");
        Shards.WriteImages(_folder["a.tar"], 5);
        using var after = Open("a.tar");
        var pixels = new byte[before.Shape.Elements];
        before.Read(2, pixels);
        Assert.Equal(2, pixels[0]);
    }

    [Fact]
    public void Open_TemporaryFilesLeftBehind_DeletesOldOnesOfItsOwn()
    {
        Shards.WriteImages(_folder["a.tar"], 3);
        Open("a.tar").Dispose();
        var own = Cached()[0];
        string old = $"{own}.{new string('a', 32)}.tmp", young = $"{own}.{new string('b', 32)}.tmp", foreign = _folder["cache/theirs.tmp"];
        foreach (var file in new[] { old, young, foreign })
        {
            File.WriteAllText(file, "");
        }

        File.SetLastWriteTimeUtc(old, DateTime.UtcNow.AddDays(-2));
        File.SetLastWriteTimeUtc(foreign, DateTime.UtcNow.AddDays(-2));
        Open("a.tar").Dispose();
        Assert.False(File.Exists(old));
        Assert.True(File.Exists(young));
        Assert.True(File.Exists(foreign));
    }

    [Fact]
    public void Open_FailedDecoding_DeletesItsOwnTemporaryFile()
    {
        Shards.Write(_folder["a.tar"], [("x.png", Shards.Png(2, 2, (_, _) => (0, 0, 0))), ("x.cls", "0"u8.ToArray()), ("y.png", new byte[9]), ("y.cls", "0"u8.ToArray())]);
        Assert.Throws<InputException>(() => Open("a.tar"));
        Assert.Equal(".index", Path.GetExtension(Assert.Single(Cached())));
    }

    [Fact]
    public void Open_RewrittenWithEqualLengthAndTime_IsIndexedAnew()
    {
        var path = _folder["a.bin"];
        var bytes = new byte[3073];
        bytes[0] = 3;
        File.WriteAllBytes(path, bytes);
        var time = new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        File.SetLastWriteTimeUtc(path, time);
        Open("a.bin").Dispose();

        (bytes[0], bytes[1]) = (8, 99);
        File.WriteAllBytes(path, bytes);
        File.SetLastWriteTimeUtc(path, time);

        using var set = Open("a.bin");
        Assert.Equal(8, set.Label(0));
        var pixels = new byte[3072];
        set.Read(0, pixels);
        Assert.Equal(99, pixels[0]);
    }

    [Theory]
    [InlineData("cache")]
    [InlineData("none")]
    public void Open_MoreThanTheLimit_KeepsTheFirstGroupsAndDecodesTheRest(string cache)
    {
        foreach (var name in new[] { "a", "b", "c" })
        {
            Shards.WriteImages(_folder[name + ".tar"], 4, name);
        }

        const int Image = 3 * 3 * 4;
        var decoded = 0;
        var options = new DataConfiguration { Cache = cache == "none" ? cache : _folder[cache] };
        using var limited = (IndexedSampleSet)DataSets.Open(_folder["*.tar"], options, SampleOverlay.None, null, 9L * Image, new Counter(p => decoded += p.Activity == "decoding" ? p.Done : 0), CancellationToken.None);
        Assert.Equal(8, decoded);
        Assert.Equal(cache == "none" ? 0 : 2, Directory.Exists(_folder["cache"]) ? Directory.GetFiles(_folder["cache"], "*.pixels").Length : 0);
        Assert.True(limited.DecodesOnRead);

        using var whole = (IndexedSampleSet)DataSets.Open(_folder["*.tar"], options, null, CancellationToken.None);
        Assert.False(whole.DecodesOnRead);
        Assert.Equal(Batch(whole), Batch(limited));
    }

    [Fact]
    public void Open_ImageFolderWithOneImageChanged_DecodesOneChunkAnew()
    {
        const int Images = 3000;
        Directory.CreateDirectory(_folder["images/cat"]);
        var image = Shards.Png(1, 1, (_, _) => (1, 2, 3));
        for (var i = 0; i < Images; i++)
        {
            File.WriteAllBytes(_folder[$"images/cat/{i:D5}.png"], image);
        }

        var before = Decoded();
        File.WriteAllBytes(_folder["images/cat/02000.png"], Shards.Png(1, 1, (_, _) => (7, 8, 9)));
        File.Delete(_folder["images/cat/00000.png"]);
        var after = Decoded();

        Assert.Equal(Images, before);
        Assert.InRange(after, 1, Images - 500);
        using var set = Open("images");
        Assert.True(set.TryFind("cat/02000.png", out var ordinal));
        var pixels = new byte[3];
        set.Read(ordinal, pixels);
        Assert.Equal([7, 8, 9], pixels);

        int Decoded()
        {
            var done = 0;
            using var opened = DataSets.Open(_folder["images"], Options, new Counter(p => done = p.Activity == "decoding" ? Math.Max(done, p.Done) : done), CancellationToken.None);
            return done;
        }
    }

    [Fact]
    public void Open_DiskOfTheCacheFull_FailsAndNamesTheFolder()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root may mount a small file system");
        File.WriteAllBytes(_folder["a.bin"], new byte[1000 * 3073]);
        Directory.CreateDirectory(_folder["cache"]);
        Assert.SkipUnless(Shell("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", _folder["cache"]), "no file system may be mounted here");
        try
        {
            var fault = Assert.Throws<RunFailedException>(() => Open("a.bin")).Message;
            Assert.Contains("data.cache", fault, StringComparison.Ordinal);
            Assert.Contains(_folder["cache"], fault, StringComparison.Ordinal);
            Assert.Equal(".index", Path.GetExtension(Assert.Single(Cached())));
        }
        finally
        {
            Shell("umount", _folder["cache"]);
        }
    }

    private static float[] Batch(ISampleSet set)
    {
        using var stream = new BatchSource(set, new DataConfiguration(), new AugmentationConfiguration { Flip = true, Crop = 1 }, 1)
            .Open([new BatchRequest([.. Enumerable.Range(0, set.Count).Reverse()], 3)]);
        using var batch = stream.Next(CancellationToken.None)!;
        return [.. batch.Labels.ToArray().Select(l => (float)l), .. batch.Pixels];
    }

    private static bool Shell(string file, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(file, arguments) { RedirectStandardError = true })!;
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0;
    }

    private string[] Cached() => [.. Directory.GetFiles(_folder["cache"]).Order(StringComparer.Ordinal)];

    private ISampleSet Open(string name) => DataSets.Open(_folder[name], Options, null, CancellationToken.None);

    private sealed class Counter(Action<DataProgress> count) : IProgress<DataProgress>
    {
        private readonly Lock _lock = new();

        public void Report(DataProgress value)
        {
            lock (_lock)
            {
                count(value);
            }
        }
    }
}
