using System.IO.Compression;
using System.Net;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Scissorhands.Coordinator.Access;
using Scissorhands.Coordinator.Api;
using Scissorhands.Deletion.Models;
using Scissorhands.Grains.Deletion;
using Scissorhands.Grains.Store;
using Scissorhands.Planning;

namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>Which files the service tells, and which it takes for models; whom it takes for one caller.</summary>
public sealed class OwnFilesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("scissorhands-own-").FullName;

    [Fact]
    public void File_thatALinkLeadsTo_isNotServed()
    {
        var root = Directory.CreateDirectory(Path.Combine(_folder, "root")).FullName;
        var outside = Write("secret", "s");
        var inside = Write(Path.Combine("root", "certificate"), "c");
        var link = Path.Combine(root, "link");
        File.CreateSymbolicLink(link, outside);
        Directory.CreateSymbolicLink(Path.Combine(root, "folder"), _folder);
        var near = Path.Combine(root, "near");
        File.CreateSymbolicLink(near, inside);

        Assert.True(new StorageRoots([root]).MayServe(inside));
        Assert.True(new StorageRoots([]).MayServe(inside));
        foreach (var path in (string[])[link, near, outside, Path.Combine(root, "folder", "secret"), Path.Combine(root, "missing"), root])
        {
            Assert.False(new StorageRoots([root]).MayServe(path), path);
        }

        Assert.False(new StorageRoots([]).MayServe(link));
    }

    [Theory]
    [InlineData("m.pt", "not a zip", "neither a TorchScript model nor, by its name, safetensors")]
    [InlineData("m.pt", "", "neither a TorchScript model nor, by its name, safetensors")]
    [InlineData("m.safetensors", "not a header", "m.safetensors")]
    [InlineData("m.safetensors", "\u0002\0\0\0\0\0\0\0{}", "holds no tensors")]
    public void Model_thatIsNone_isRefusedByName(string name, string content, string expected)
    {
        var path = Write(name, content);
        var error = Assert.Throws<InputException>(() => ModelFileForm.Check(path)).Message;
        Assert.Contains(path, error, StringComparison.Ordinal);
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }

    [Fact]
    public void Model_thatIsWeightsInAPickle_isRefusedWithWhatToDo()
    {
        Assert.Contains("save it with torch.jit.script(model).save", Assert.Throws<InputException>(() => ModelFileForm.Check(Archive("m/data.pkl"))).Message, StringComparison.Ordinal);
        ModelFileForm.Check(Archive("m/data.pkl", "m/code/__torch__.py"));
    }

    [Theory]
    [InlineData("192.0.2.7", "192.0.2.7")]
    [InlineData("::ffff:192.0.2.7", "192.0.2.7")]
    [InlineData("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::")]
    [InlineData("2001:db8:1:2::9", "2001:db8:1:2::")]
    [InlineData("2001:db8:1:3::9", "2001:db8:1:3::")]
    [InlineData("::1", "::1")]
    [InlineData("fe80::1:2", "fe80::1:2")]
    public void Caller_isToldByTheNetworkThatIsItsOwn(string address, string origin) => Assert.Equal(origin, CallLimits.Origin(IPAddress.Parse(address)));

    /// <summary>A full disk may have cut the owner's name short: nothing is whose folder it is then.</summary>
    [Fact]
    public async Task Versions_whoseOwnerWasNeverWritten_areTakenAndThoseOfAnotherAreNot()
    {
        var file = Write("m.safetensors", "weights");
        var record = new ModelRecord { Name = "mine", Tenant = "t", File = file, Sha256 = await VersionFolders.HashAsync(file, TestContext.Current.CancellationToken), DataSet = "d", Data = "/d", Versions = Path.Combine(_folder, "versions") };
        Directory.CreateDirectory(record.Versions);
        Write(Path.Combine("versions", ".model"), "");
        var folders = new VersionFolders();

        Assert.Equal(record.Sha256, (await folders.AdoptAsync(record, TestContext.Current.CancellationToken)).Sha256);
        await folders.AdoptAsync(record, TestContext.Current.CancellationToken);
        var refused = await Assert.ThrowsAsync<InputException>(() => folders.AdoptAsync(record with { Name = "other" }, TestContext.Current.CancellationToken));
        Assert.Contains("is another model's folder", refused.Message, StringComparison.Ordinal);
        Assert.Equal("mine", await File.ReadAllTextAsync(Path.Combine(record.Versions, ".model"), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Store_inAFile_isItsOwnersAlone()
    {
        var path = Path.Combine(_folder, "store.db");
        await using var provider = new ServiceCollection().AddLogging().AddSingleton(TimeProvider.System).AddRunStore(StoreOptions.Parse("sqlite:" + path)).BuildServiceProvider();
        await provider.GetRequiredService<IRunStore>().OpenRunsAsync(TestContext.Current.CancellationToken);
        Assert.True(OperatingSystem.IsWindows() || File.GetUnixFileMode(path) == (UnixFileMode.UserRead | UnixFileMode.UserWrite));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Write(string name, string content)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllText(path, content, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
        return path;
    }

    private string Archive(params string[] entries)
    {
        var path = Path.Combine(_folder, $"{entries.Length}.pt");
        using var archive = ZipFile.Open(path, ZipArchiveMode.Create);
        foreach (var entry in entries)
        {
            archive.CreateEntry(entry);
        }

        return path;
    }
}
