using Scissorhands.Data.Storage;
using Scissorhands.Planning;
using Scissorhands.Testing;

namespace Scissorhands.Data.Tests.Storage;

/// <summary>What every store promises its users.</summary>
public abstract class CheckpointStoreContract
{
    protected CancellationToken Cancellation { get; } = TestContext.Current.CancellationToken;

    protected abstract ICheckpointStore Store { get; }

    [Fact]
    public void Put_thenOpen_readsAnyRange()
    {
        var bytes = Bytes(100_000);
        Put("a.safetensors", bytes);

        using var stored = Store.Open("a.safetensors", Cancellation);

        Assert.Equal(bytes.Length, stored.Length);
        Assert.Contains("a.safetensors", stored.Name, StringComparison.Ordinal);
        foreach (var (offset, count) in new[] { (0, 100_000), (0, 0), (100_000, 0), (99_999, 1), (12_345, 50_000) })
        {
            var read = new byte[count];
            stored.Read(offset, read);
            Assert.Equal(bytes.AsSpan(offset, count).ToArray(), read);
        }

        Assert.Throws<EndOfStreamException>(() => stored.Read(99_999, new byte[2]));
    }

    [Fact]
    public void Put_sameKeyAgain_isOneObject()
    {
        Put("a.safetensors", Bytes(10));
        Put("a.safetensors", Bytes(10));

        Assert.Equal(["a.safetensors"], Keys());
    }

    [Theory]
    [InlineData(9)]
    [InlineData(11)]
    public void Put_otherLengthThanAnnounced_storesNothing(int announced)
    {
        Assert.Throws<InvalidOperationException>(() => Store.Put("a.safetensors", announced, stream => stream.Write(Bytes(10)), Cancellation));
        Assert.Throws<InputException>(() => Store.Open("a.safetensors", Cancellation));
    }

    [Fact]
    public void Put_contentFails_keepsWhatWasThere()
    {
        Put("a.safetensors", Bytes(10));

        Assert.Throws<TimeoutException>(() => Store.Put(
            "a.safetensors",
            10,
            stream =>
            {
                stream.Write([1, 2, 3]);
                throw new TimeoutException();
            },
            Cancellation));

        using var stored = Store.Open("a.safetensors", Cancellation);
        var read = new byte[10];
        stored.Read(0, read);
        Assert.Equal(Bytes(10), read);
    }

    [Fact]
    public void Put_canceled_storesNothing()
    {
        using var cancellation = new CancellationTokenSource();

        Assert.Throws<OperationCanceledException>(() => Store.Put(
            "a.safetensors",
            1,
            stream =>
            {
                stream.WriteByte(1);
                cancellation.Cancel();
            },
            cancellation.Token));

        Assert.Throws<InputException>(() => Store.Open("a.safetensors", Cancellation));
    }

    [Fact]
    public void Open_missing_isRefusedNamingIt() =>
        Assert.Contains("none.safetensors", Assert.Throws<InputException>(() => Store.Open("none.safetensors", Cancellation)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("")]
    [InlineData("state.json")]
    [InlineData(".safetensors")]
    [InlineData("../a.safetensors")]
    [InlineData("b/a.safetensors")]
    [InlineData("a.safetensors\n")]
    [InlineData("A.safetensors")]
    public void Calls_noKey_areRefused(string key)
    {
        Assert.Throws<ArgumentException>(() => Store.Put(key, 0, _ => { }, Cancellation));
        Assert.Throws<ArgumentException>(() => Store.Open(key, Cancellation));
        Assert.Throws<ArgumentException>(() => Store.Delete(key, Cancellation));
    }

    [Fact]
    public void List_prefix_givesThoseKeysOnly()
    {
        foreach (var key in new[] { "repair-1.safetensors", "repair-2.safetensors", "mask.safetensors" })
        {
            Put(key, Bytes(1));
        }

        Settle();

        Assert.Equal(["repair-1.safetensors", "repair-2.safetensors"], Store.List("repair-", Cancellation).Order(StringComparer.Ordinal));
        Assert.Equal(3, Store.List("", Cancellation).Count);
        Assert.Empty(Store.List("sensitivity-", Cancellation));
    }

    [Fact]
    public void Delete_thereOrNot_leavesNone()
    {
        Put("a.safetensors", Bytes(1));

        Store.Delete("a.safetensors", Cancellation);
        Store.Delete("a.safetensors", Cancellation);

        Assert.Throws<InputException>(() => Store.Open("a.safetensors", Cancellation));
    }

    [Fact]
    public void Clear_objects_deletesThemAndTellsHowMany()
    {
        Put("a.safetensors", Bytes(1));
        Put("b.safetensors", Bytes(1));

        Assert.Equal(2, Store.Clear(Cancellation));
        Assert.Equal(0, Store.Clear(Cancellation));
        Assert.Empty(Keys());
    }

    /// <summary>Lets a list that lags come up to date.</summary>
    protected virtual void Settle()
    {
    }

    /// <summary>The keys there are, without lag.</summary>
    protected virtual IReadOnlyList<string> Keys() => [.. Store.List("", Cancellation).Order(StringComparer.Ordinal)];

    protected void Put(string key, byte[] bytes) => Store.Put(key, bytes.Length, stream => stream.Write(bytes), Cancellation);

    protected static byte[] Bytes(int count) => [.. Enumerable.Range(0, count).Select(i => (byte)((i * 31) ^ (i >> 8)))];
}

public sealed class CheckpointFolderTests : CheckpointStoreContract, IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly CheckpointFolder _store;

    public CheckpointFolderTests() => _store = new CheckpointFolder(_folder.Path);

    protected override ICheckpointStore Store => _store;

    public void Dispose() => _folder.Dispose();

    /// <summary>A killed process cannot tidy up, and what it left holds gradients of samples to forget.</summary>
    [Fact]
    public void Clear_amongOtherFiles_deletesItsOwnAndWhatPutsHaveLeft()
    {
        Put("a.safetensors", Bytes(1));
        File.WriteAllText(_folder[$"b.safetensors.{Guid.NewGuid():N}.tmp"], "left");
        string[] others = ["state.json", "state.json.tmp", "plan.json", "lock", "steps.jsonl", $"c.json.{Guid.NewGuid():N}.tmp"];
        foreach (var other in others)
        {
            File.WriteAllText(_folder[other], other);
        }

        Assert.Equal(1, _store.Clear(Cancellation));

        Assert.Equal(others.Order(StringComparer.Ordinal), Directory.EnumerateFiles(_folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Put_fails_leavesNoFile()
    {
        Assert.Throws<InvalidOperationException>(() => _store.Put("a.safetensors", 2, stream => stream.WriteByte(1), Cancellation));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void List_folderThatIsNotThere_isEmpty()
    {
        var store = new CheckpointFolder(_folder["none"]);
        Assert.Empty(store.List("", Cancellation));
        Assert.Equal(0, store.Clear(Cancellation));
    }
}

public sealed class ObjectStoreTests : CheckpointStoreContract
{
    private readonly ObjectStore _store = new();

    protected override ICheckpointStore Store => _store;

    [Theory]
    [InlineData(StoreFault.Before, false)]
    [InlineData(StoreFault.Midway, false)]
    [InlineData(StoreFault.After, true)]
    public void Put_faulty_failsAndIsThereOnlyWhereItHadEnded(StoreFault fault, bool there)
    {
        var store = new ObjectStore(call => call.Kind == StoreCallKind.Put ? fault : StoreFault.None);

        Assert.Throws<IOException>(() => store.Put("a.safetensors", 4, stream => stream.Write([1, 2, 3, 4]), Cancellation));

        Assert.Equal(there ? ["a.safetensors"] : [], store.Keys);
    }

    [Fact]
    public void Put_otherBytesUnderOneKey_isRefused()
    {
        Put("a.safetensors", [1]);
        Assert.Throws<InvalidOperationException>(() => Put("a.safetensors", [2]));
    }

    protected override void Settle()
    {
        // Each deletion is a moment more; after three the list is of the last puts or later.
        for (var i = 0; i < 3; i++)
        {
            _store.Delete("nothing.safetensors", Cancellation);
        }
    }

    protected override IReadOnlyList<string> Keys() => _store.Keys;
}
