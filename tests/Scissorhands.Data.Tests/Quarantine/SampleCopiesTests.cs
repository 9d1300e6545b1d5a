using System.Text;
using Scissorhands.Data.Quarantine;
using Scissorhands.Data.Samples;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Data.Tests.Quarantine;

/// <summary>What was copied is the same set of samples whether or not the rows are still in the data.</summary>
public sealed class SampleCopiesTests : IDisposable
{
    private const int Images = 12;
    private readonly TempFolder _folder = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private DataConfiguration Options => new() { Cache = _folder["cache"] };

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Overlay_tarShard_isTheSameSetWithTheRowsAndWithout()
    {
        WriteShard();
        Copy("a.tar", "q.tar", "s007", "s002");

        // With all rows, with one of the two, with none, and with none of what is withheld.
        var whole = Describe("a.tar", "q.tar", "s005");
        WriteShard("s002");
        Assert.Equal(whole, Describe("a.tar", "q.tar", "s005"));
        WriteShard("s002", "s007");
        Assert.Equal(whole, Describe("a.tar", "q.tar", "s005"));
        WriteShard("s002", "s005", "s007");
        Assert.Equal(whole, Describe("a.tar", "q.tar", "s005"));
        Assert.StartsWith("11 s000:0:0,s001:1:1,s003:0:3,s004:1:4,s006:0:6,", whole, StringComparison.Ordinal);
        Assert.Contains(",s011:2:11,s007:1:7,s002:2:2 ", whole, StringComparison.Ordinal);
    }

    [Fact]
    public void Overlay_cacheOfOneSelection_isNotTakenForAnothers()
    {
        WriteShard();
        Copy("a.tar", "q.tar", "s002");
        Copy("a.tar", "r.tar", "s003");
        Assert.Contains(",s001:1:1,s003:0:3,", Describe("a.tar", "q.tar"), StringComparison.Ordinal);
        Assert.Contains(",s001:1:1,s002:2:2,", Describe("a.tar", "r.tar"), StringComparison.Ordinal);
    }

    /// <summary>What is taken from the quarantine, or withheld, is decoded into no other file than the copies' own.</summary>
    [Fact]
    public void Overlay_groupsOfTheData_areDecodedWithoutWhatItNames()
    {
        WriteShard();
        Copy("a.tar", "q.tar", "s009");
        Directory.Delete(_folder["cache"], recursive: true);
        Describe("a.tar", "q.tar", "s005");
        var files = Directory.GetFiles(_folder["cache"], "*.pixels");
        Assert.Equal(2, files.Length);
        Assert.Single(files, static f => Has(f, 9));
        Assert.DoesNotContain(files, static f => Has(f, 5));
        Assert.Single(files, static f => Has(f, 8));
    }

    [Fact]
    public void Overlay_imageFolder_keepsTheNumbersOfClassesThatLostTheirFolder()
    {
        WriteFolder("bird/1.png", "cat/1.png", "cat/2.png", "dog/1.png", "eel/1.png");
        Copy("images", "q.tar", "dog/1.png", "cat/2.png");
        var whole = Describe("images", "q.tar");
        File.Delete(_folder["images/dog/1.png"]);
        Directory.Delete(_folder["images/dog"]);
        Assert.Equal(whole, Describe("images", "q.tar"));
        File.Delete(_folder["images/cat/2.png"]);
        Assert.Equal(whole, Describe("images", "q.tar"));
        Assert.Contains("eel/1.png:3:", whole, StringComparison.Ordinal);
    }

    [Fact]
    public void Overlay_cifarRowsOverwritten_isTheSameSet_rowsTakenOut_isRefused()
    {
        WriteCifar(static row => (byte)row);
        Copy("data.bin", "q.tar", "data.bin#3");
        var whole = Describe("data.bin", "q.tar");
        WriteCifar(static row => row == 3 ? (byte)0 : (byte)row);
        Assert.Equal(whole, Describe("data.bin", "q.tar"));

        File.WriteAllBytes(_folder["data.bin"], File.ReadAllBytes(_folder["data.bin"])[3073..]);
        var refused = Assert.Throws<InputException>(() => Describe("data.bin", "q.tar"));
        Assert.Contains("overwriting", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Copy_rowIsGone_comesFromAnEarlierCopy()
    {
        WriteShard();
        Copy("a.tar", "q.tar", "s001", "s002");
        WriteShard("s001", "s002");
        var copies = SampleCopies.Open(_folder["a.tar"], Options, [_folder["q.tar"]], new Dictionary<string, string>(), Ct);
        Assert.Equal(1, copies.Missing(["s001", "s003", "s099"]));
        Write("r.tar", stream => copies.Write(stream, ["s003", "s001"]));
        Assert.True(SampleCopies.Holds(_folder["r.tar"], ["s001", "s003"], Ct));
        Assert.False(SampleCopies.Holds(_folder["r.tar"], ["s001"], Ct));

        Write("m.tar", stream => SampleCopies.Merge(stream, [_folder["r.tar"], _folder["q.tar"]], ["s001", "s002", "s003"], Ct));
        Assert.True(SampleCopies.Holds(_folder["m.tar"], ["s003", "s002", "s001"], Ct));
        Assert.Equal(["s001", "s002", "s003"], SampleCopies.Names(_folder["m.tar"], Ct).Select(static n => n.Id));
    }

    [Fact]
    public void Copy_keepsTheSubject()
    {
        Shards.Write(_folder["a.tar"], [("x.png", Shards.Png(2, 2, (_, _) => (1, 2, 3))), ("x.json", Encoding.UTF8.GetBytes("{\"label\": 7, \"subject\": \"person-1\"}"))]);
        Copy("a.tar", "q.tar", "x");
        Assert.Equal(("x", "person-1"), Assert.Single(SampleCopies.Names(_folder["q.tar"], Ct)));
    }

    /// <summary>Whatever byte is another one: it is found, or it is one that says nothing (padding, times of the tar).</summary>
    [Fact]
    public void File_damagedAnywhere_isFoundOrHarmless()
    {
        WriteShard();
        Copy("a.tar", "q.tar", "s001", "s002");
        var whole = File.ReadAllBytes(_folder["q.tar"]);
        var expected = Describe("a.tar", "q.tar");
        var found = 0;
        for (var at = 0; at < whole.Length; at += 7)
        {
            var damaged = whole.ToArray();
            damaged[at] ^= 0x11;
            File.WriteAllBytes(_folder["d.tar"], damaged);
            if (!SampleCopies.Holds(_folder["d.tar"], ["s001", "s002"], Ct))
            {
                found++;
                continue;
            }

            try
            {
                // A label or a subject is under no hash of its own: the data's digest tells of it.
                var described = Describe("a.tar", "d.tar");
                found += described == expected ? 0 : 1;
            }
            catch (InputException)
            {
                found++;
            }
        }

        Assert.True(found > 50, $"{found}");
        foreach (var length in (int[])[0, 1, 511, 512, 700, 1500, whole.Length / 2])
        {
            File.WriteAllBytes(_folder["d.tar"], whole[..length]);
            Assert.False(SampleCopies.Holds(_folder["d.tar"], ["s001", "s002"], Ct));
            Assert.Throws<InputException>(() => SampleCopies.Names(_folder["d.tar"], Ct).Count + Describe("a.tar", "d.tar").Length);
        }
    }

    [Fact]
    public void Read_imageRewrittenSinceItWasIndexed_isRefused()
    {
        WriteShard();
        using var set = DataSets.Open(_folder["a.tar"], new DataConfiguration { Cache = _folder["cache"] }, SampleOverlay.None, null, room: 0, null, Ct);
        var pixels = new byte[set.Shape.Elements];
        set.Read(3, pixels);
        WriteShard("s002");
        Assert.Throws<InputException>(() => set.Read(3, pixels));
    }

    private static bool Has(string file, byte red) => File.ReadAllBytes(file).AsSpan().IndexOf((byte[])[.. Enumerable.Repeat(red, 12), 0, 1, 2, 3]) >= 0;

    private void WriteShard(params string[] without) => Shards.Write(_folder["a.tar"], Enumerable.Range(0, Images).Where(i => !without.Contains($"s{i:D3}")).SelectMany(static i => new[]
    {
        ($"s{i:D3}.png", Shards.Png(4, 3, (x, y) => ((byte)i, (byte)x, (byte)y))),
        ($"s{i:D3}.cls", Encoding.ASCII.GetBytes($"{i % 3}\n")),
    }));

    private void WriteFolder(params string[] names)
    {
        foreach (var (number, name) in names.Index())
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_folder["images/" + name])!);
            File.WriteAllBytes(_folder["images/" + name], Shards.Png(2, 2, (_, _) => ((byte)number, 0, 0)));
        }
    }

    private void WriteCifar(Func<int, byte> value)
    {
        using var stream = File.Create(_folder["data.bin"]);
        for (var row = 0; row < 6; row++)
        {
            stream.WriteByte((byte)(row % 3));
            stream.Write(Enumerable.Repeat(value(row), 3072).ToArray());
        }
    }

    private void Copy(string data, string target, params string[] ids)
    {
        var copies = SampleCopies.Open(_folder[data], Options, [], new Dictionary<string, string>(), Ct);
        Assert.Equal(0, copies.Missing(ids));
        Write(target, stream => copies.Write(stream, ids));
    }

    private void Write(string target, Action<Stream> write)
    {
        using var stream = File.Create(_folder[target]);
        write(stream);
    }

    /// <summary>Ids, labels and the first byte of the pixels, in order, and the digest.</summary>
    private string Describe(string data, string quarantine, params string[] withheld)
    {
        using var set = DataSets.Open(_folder[data], Options, new SampleOverlay(_folder[quarantine], withheld), null, Ct);
        var pixels = new byte[set.Shape.Elements];
        var samples = Enumerable.Range(0, set.Count).Select(i =>
        {
            set.Read(i, pixels);
            return $"{set.Id(i)}:{set.Label(i)}:{pixels[0]}";
        });
        return $"{set.Count} {string.Join(',', samples)} {set.Digest} {string.Join(',', set.ClassNames ?? [])}";
    }
}
