using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Scissorhands.Coordinator.Deletion;
using Scissorhands.Data.Quarantine;
using Scissorhands.Deletion.Models;
using Scissorhands.Deletion.Requests;
using Scissorhands.Drill.World;
using Scissorhands.Grains.Deletion;

namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>Copies of requests' samples in a model's folder.</summary>
public sealed class QuarantineFolderTests : IDisposable
{
    private const int Samples = 12;
    private readonly string _folder = Directory.CreateTempSubdirectory("scissorhands-quarantine-").FullName;
    private readonly QuarantineFolder _quarantine = new(NullLogger<QuarantineFolder>.Instance);

    public QuarantineFolderTests()
    {
        WriteWithout();
        Directory.CreateDirectory(Model.Versions);
    }

    private static IReadOnlyDictionary<string, string> None { get; } = new Dictionary<string, string>();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private ModelRecord Model => new() { Name = "m", File = "/m", Sha256 = "0", DataSet = "d", Data = Path.Combine(_folder, "train-0.tar"), Versions = Path.Combine(_folder, "versions") };

    private DeletionBatch Batch => new() { Model = "m", Number = 1, Phase = BatchPhase.Preparing, Requests = ["a", "b"], Samples = 3, From = 0, Deadline = default, CreatedAt = default, Attempts = [] };

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Copy_rowsThatAreThereAndRowsThatAreNot_copiesWholeRequestsOnly()
    {
        var outcomes = await _quarantine.CopyAsync(Model, [Request("a", 1, 2), new RequestSamples("b", [Id(3), "nobody", "no one"])], None, Ct);
        Assert.Equal([new CopyOutcome("a", 0, null), new CopyOutcome("b", 2, null)], outcomes);
        Assert.Equal(["a"], await _quarantine.ListAsync(Model, Ct));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, new DirectoryInfo(Path.Combine(Model.Versions, "quarantine")).UnixFileMode);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, new FileInfo(PathOf("a")).UnixFileMode);

        // The first is found done without its rows; one that names the same as another has it from there.
        WriteWithout(1, 2);
        Assert.Equal([new CopyOutcome("a", 0, null), new CopyOutcome("c", 0, null)], await _quarantine.CopyAsync(Model, [Request("a", 1, 2), Request("c", 2, 4)], None, Ct));
        Assert.Equal([Id(2), Id(4)], QuarantineFolder.Names(Model, Ct).Skip(2).Select(static n => n.Id));
    }

    /// <summary>As after a roll-back: what was taken out of the copies is put in again, the rest is gone from the data.</summary>
    [Fact]
    public async Task Copy_copiesWithoutSomeOfTheSamples_areCompleted()
    {
        await CopyAsync(Request("a", 1, 2));
        await _quarantine.TrimAsync(Model, Request("a", 2), Ct);
        Assert.True(SampleCopies.Holds(PathOf("a"), [Id(2)], Ct));
        Assert.True(File.ReadAllBytes(PathOf("a")).AsSpan().IndexOf(Image(1)) < 0);
        WriteWithout(2);
        await CopyAsync(Request("a", 1, 2));
        Assert.True(SampleCopies.Holds(PathOf("a"), [Id(1), Id(2)], Ct));
    }

    [Fact]
    public async Task Copy_folderCannotBeMade_saysSoAndNamesNoSample()
    {
        await File.WriteAllTextAsync(Path.Combine(Model.Versions, "quarantine"), "in the way", Ct);
        var outcome = Assert.Single(await _quarantine.CopyAsync(Model, [Request("a", 1)], None, Ct));
        Assert.Contains("cannot be copied", outcome.Failure, StringComparison.Ordinal);
        Assert.DoesNotContain(Id(1), outcome.Failure, StringComparison.Ordinal);
        File.Delete(Path.Combine(Model.Versions, "quarantine"));
        await CopyAsync(Request("a", 1));
    }

    [Fact]
    public async Task Gather_copiesOfAllRequests_makeOneFile_damagedOnesAreNamed()
    {
        await CopyAsync(Request("a", 1, 2));
        await CopyAsync(Request("b", 2, 3));
        WriteWithout(1, 2, 3);
        Assert.Empty((await _quarantine.GatherAsync(Model, Batch, [Request("a", 1, 2), Request("b", 2, 3)], None, Ct)).Damaged);
        Assert.Equal([Id(1), Id(2), Id(3)], SampleCopies.Names(VersionFolders.GatheredPath(Model, Batch), Ct).Select(static n => n.Id));

        // What was gathered is found done, also where the copies are gone.
        await _quarantine.DestroyAsync(Model, ["b"], Ct);
        Assert.Empty((await _quarantine.GatherAsync(Model, Batch, [Request("a", 1, 2), Request("b", 2, 3)], None, Ct)).Damaged);
        var next = Batch with { Number = 2 };
        Assert.Equal(["b"], (await _quarantine.GatherAsync(Model, next, [Request("a", 1, 2), Request("b", 2, 3)], None, Ct)).Damaged);
        var bytes = await File.ReadAllBytesAsync(PathOf("a"), Ct);
        bytes[bytes.AsSpan().IndexOf(Encoding.ASCII.GetBytes("IDAT")) + 9] ^= 1;
        await File.WriteAllBytesAsync(PathOf("a"), bytes, Ct);
        Assert.Equal(["a"], (await _quarantine.GatherAsync(Model, next, [Request("a", 1, 2)], None, Ct)).Damaged);
        Assert.False(File.Exists(VersionFolders.GatheredPath(Model, next)));
    }

    /// <summary>What was forgotten before is judged again where the data still has it as it was, and whatever is erased once the batch has begun.</summary>
    [Fact]
    public async Task Gather_whatWasForgottenBefore_isCopiedWhereTheDataHasItUnchanged()
    {
        await CopyAsync(Request("a", 1));
        await CopyAsync(Request("b", 5, 6, 7));
        Assert.Empty((await _quarantine.GatherAsync(Model, Batch, [Request("b", 5, 6, 7)], None, Ct)).Damaged);
        var contents = await _quarantine.ContentsAsync(Model, Batch, Ct);
        Assert.Equal([Id(5), Id(6), Id(7)], contents.Keys.Order(StringComparer.Ordinal));
        await _quarantine.DestroyAsync(Model, ["b"], Ct);

        // The row of 6 is gone, that of 7 was overwritten.
        Write(Enumerable.Range(0, Samples).Where(static i => i != 6), static i => i == 7 ? Image(9) : Image(i));
        var next = Batch with { Number = 2 };
        Assert.Equal([Id(5)], (await _quarantine.GatherAsync(Model, next, [Request("a", 1)], contents, Ct)).Earlier);
        Assert.Equal([Id(1), Id(5)], SampleCopies.Names(VersionFolders.GatheredPath(Model, next), Ct).Select(static n => n.Id));
        WriteWithout(1, 5, 6, 7);
        Assert.Equal([Id(5)], (await _quarantine.GatherAsync(Model, next, [Request("a", 1)], contents, Ct)).Earlier);
        Assert.True(SampleCopies.Holds(VersionFolders.GatheredPath(Model, next), [Id(1), Id(5)], Ct));
        Assert.Empty((await _quarantine.GatherAsync(Model, Batch with { Number = 3 }, [Request("a", 1)], contents, Ct)).Earlier);
    }

    /// <summary>As after a roll-back: a row that was overwritten since is not the sample that has to be forgotten again.</summary>
    [Fact]
    public async Task Copy_rowThatWasOverwrittenSinceItWasForgotten_isMissing()
    {
        await CopyAsync(Request("a", 1));
        Assert.Empty((await _quarantine.GatherAsync(Model, Batch, [Request("a", 1)], None, Ct)).Damaged);
        var contents = await _quarantine.ContentsAsync(Model, Batch, Ct);
        await _quarantine.DestroyAsync(Model, ["a"], Ct);
        Write(Enumerable.Range(0, Samples), static i => i == 1 ? Image(9) : Image(i));
        Assert.Equal([new CopyOutcome("a", 1, null)], await _quarantine.CopyAsync(Model, [Request("a", 1, 2)], contents, Ct));
        WriteWithout();
        Assert.Equal([new CopyOutcome("a", 0, null)], await _quarantine.CopyAsync(Model, [Request("a", 1, 2)], contents, Ct));
    }

    [Fact]
    public async Task Destroy_copiesAndWhatWasNeverFinished_areGone()
    {
        await CopyAsync(Request("a", 1, 2));
        await File.WriteAllTextAsync(PathOf("b") + ".part", "half", Ct);
        Assert.Equal(["a", "b"], (await _quarantine.ListAsync(Model, Ct)).Order(StringComparer.Ordinal));
        await _quarantine.DestroyAsync(Model, ["a", "b", "c"], Ct);
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(Model.Versions, "quarantine")));
        await _quarantine.TrimAsync(Model, Request("a"), Ct);
    }

    private static string Id(int sample) => TinyData.Id("train", sample);

    private static byte[] Image(int sample) => TinyData.Png(TinyData.Pixels(sample, sample % 3, TinyFiles.Size), TinyFiles.Size);

    private static RequestSamples Request(string id, params int[] samples) => new(id, [.. samples.Select(Id)]);

    private string PathOf(string request) => Path.Combine(Model.Versions, "quarantine", request + ".tar");

    private async Task CopyAsync(RequestSamples request) => Assert.Equal(new CopyOutcome(request.Id, 0, null), Assert.Single(await _quarantine.CopyAsync(Model, [request], None, Ct)));

    private void WriteWithout(params int[] samples) => Write(Enumerable.Range(0, Samples).Except(samples), Image);

    private void Write(IEnumerable<int> samples, Func<int, byte[]> image) => TinyData.WriteShard(Model.Data, samples.Select(i => (Id(i), image(i), i % 3)));
}
