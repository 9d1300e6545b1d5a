using Scissorhands.Worker.Run;

namespace Scissorhands.Worker.Tests.Run;

public sealed class RunFolderTests : IDisposable
{
    private readonly RunFolder _folder = new(Directory.CreateTempSubdirectory("folder-").FullName);

    public void Dispose() => Directory.Delete(_folder.Path, recursive: true);

    [Fact]
    public void Deliver_everythingWaiting_movesItAndRemovesTheFolder()
    {
        Wait("a", "b");
        Assert.Equal(Path.Combine(_folder.ResultsPath, "a"), _folder.Result("a"));

        _folder.Deliver(["a", "b"]);

        Assert.Equal("a", File.ReadAllText(_folder.Combine("a")));
        Assert.Equal("b", File.ReadAllText(_folder.Combine("b")));
        Assert.Equal(_folder.Combine("a"), _folder.Result("a"));
        Assert.False(Directory.Exists(_folder.ResultsPath));
    }

    [Fact]
    public void Deliver_cutShortBefore_movesTheRest()
    {
        Wait("b");
        File.WriteAllText(_folder.Combine("a"), "a");

        _folder.Deliver(["a", "b"]);
        _folder.Deliver(["a", "b"]);

        Assert.Equal("a", File.ReadAllText(_folder.Combine("a")));
        Assert.Equal("b", File.ReadAllText(_folder.Combine("b")));
    }

    [Fact]
    public void Deliver_missingResult_isAnErrorThatNamesIt()
    {
        Wait("b");

        var e = Assert.Throws<FileNotFoundException>(() => _folder.Deliver(["a", "b"]));

        Assert.Contains("results", e.Message, StringComparison.Ordinal);
        Assert.True(File.Exists(_folder.Result("b")));
    }

    private void Wait(params string[] names)
    {
        Directory.CreateDirectory(_folder.ResultsPath);
        foreach (var name in names)
        {
            File.WriteAllText(Path.Combine(_folder.ResultsPath, name), name);
        }
    }
}
