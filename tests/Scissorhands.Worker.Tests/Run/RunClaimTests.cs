using Scissorhands.Planning;
using Scissorhands.Worker.Run;

namespace Scissorhands.Worker.Tests.Run;

public sealed class RunClaimTests : IDisposable
{
    private readonly RunFolder _folder = new(Directory.CreateTempSubdirectory("scissorhands-claim-").FullName);

    public RunClaimTests() => _folder.Create();

    public void Dispose() => Directory.Delete(_folder.Path, recursive: true);

    [Fact]
    public void RefuseClusters_folderOfACluster_namesItsRun()
    {
        RunClaim.RefuseClusters(_folder);
        RunClaim.TakeForCluster(_folder, "0123abcd");
        var refused = Assert.Throws<InputException>(() => RunClaim.RefuseClusters(_folder));
        Assert.Contains("belongs to run 0123abcd of a cluster", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TakeForCluster_localRunAtWork_isRefused()
    {
        using (new FileStream(_folder.LockPath, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None))
        {
            var refused = Assert.Throws<InputException>(() => RunClaim.TakeForCluster(_folder, "0123abcd"));
            Assert.Contains(_folder.Path, refused.Message, StringComparison.Ordinal);
            Assert.False(File.Exists(_folder.ClusterPath));
        }

        RunClaim.TakeForCluster(_folder, "0123abcd");
        RunClaim.TakeForCluster(_folder, "0123abcd");
    }
}
