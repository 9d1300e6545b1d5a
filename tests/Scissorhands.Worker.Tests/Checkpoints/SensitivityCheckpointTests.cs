using System.Runtime.InteropServices;
using Scissorhands.Data.Safetensors;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning.Cut;
using Scissorhands.Worker.Checkpoints;
using Scissorhands.Worker.Run;

namespace Scissorhands.Worker.Tests.Checkpoints;

public sealed class SensitivityCheckpointTests : IDisposable
{
    private const int Length = (3 * RangeOwnership.BlockElements) + 1234;
    private readonly RunFolder _folder = new(Directory.CreateTempSubdirectory("scissorhands-worker-").FullName);
    private readonly CancellationToken _cancellationToken = TestContext.Current.CancellationToken;

    public SensitivityCheckpointTests() => _folder.Create();

    public void Dispose() => Directory.Delete(_folder.Path, recursive: true);

    [Theory]
    [InlineData(1, 3)]
    [InlineData(3, 1)]
    [InlineData(2, 4)]
    [InlineData(4, 2)]
    [InlineData(5, 3)]
    public void Read_ByAnotherNumberOfOwners_PutsEachRangeTogether(int writers, int readers)
    {
        var nodes = new[] { new TreeNode(1, 0), new TreeNode(0, 2) };
        var name = SensitivityCheckpoint.NameOf(3, writers);
        for (var rank = 0; rank < writers; rank++)
        {
            var owned = RangeOwnership.Owned(Length, rank, writers);
            SensitivityCheckpoint.Write(_folder.Checkpoints, name, rank, Length, [.. nodes.Select((node, i) => new SubtreeSum(node, Values(owned, i)))], _cancellationToken);
        }

        for (var rank = 0; rank < readers; rank++)
        {
            var owned = RangeOwnership.Owned(Length, rank, readers);
            var read = SensitivityCheckpoint.Read(_folder.Checkpoints, name, Length, rank, readers, _cancellationToken).OrderBy(s => -s.Node.Level).ToArray();
            Assert.Equal(nodes, read.Select(s => s.Node));
            for (var i = 0; i < nodes.Length; i++)
            {
                Assert.True(Values(owned, i).AsSpan().SequenceEqual(read[i].Values.Span));
            }
        }
    }

    [Fact]
    public void DeleteOlder_WhileOthersHaveGoneOn_KeepsWhatIsNewer()
    {
        foreach (var blocks in new[] { 3, 6, 9 })
        {
            SensitivityCheckpoint.Write(_folder.Checkpoints, SensitivityCheckpoint.NameOf(blocks, 1), 0, 10, [new SubtreeSum(new TreeNode(0, 0), new float[10])], _cancellationToken);
            new RepairCheckpoint(blocks, new float[1], new float[1], [], 1, Content([0]), []).Write(_folder.Checkpoints, "plan", _cancellationToken);
        }

        SensitivityCheckpoint.DeleteOlder(_folder.Checkpoints, 6, _cancellationToken);
        RepairCheckpoint.DeleteOlder(_folder.Checkpoints, 6, _cancellationToken);

        Assert.Equal(
            ["repair-00000006.safetensors", "repair-00000009.safetensors", "sensitivity-00000006-of-1.0.safetensors", "sensitivity-00000009-of-1.0.safetensors"],
            Directory.GetFiles(_folder.WorkPath).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void RepairCheckpoint_WrittenAndRead_IsEqualAndRefusesAnotherPlan()
    {
        float[] momentum = [7, 8, 9];
        float[] memory = [10, 11, 12];
        float[][] residuals = [[13, 14, 15], [16, 17, 18]];
        var written = new RepairCheckpoint(7, new float[] { 1, 2, 3 }, new float[] { 4 }, [5, 6], 3, Content(momentum), [Content(memory)])
        {
            Residuals = [.. residuals.Select(Content)],
        };
        var name = written.Write(_folder.Checkpoints, "plan-a", _cancellationToken);
        using var read = RepairCheckpointReader.Open(_folder.Checkpoints, name, "plan-a", _cancellationToken);
        Assert.Equal((7, 1, 2), (read.Steps, read.Memories, read.Residuals));
        var values = new float[3];
        read.ReadMomentum(new IndexRange(0, 3), 3, values);
        Assert.Equal(momentum, values);
        read.ReadMemory(0, new IndexRange(0, 3), 3, values);
        Assert.Equal(memory, values);
        read.ReadMomentum(new IndexRange(1, 2), 3, values.AsSpan(0, 1));
        read.ReadMemory(0, new IndexRange(1, 3), 3, values.AsSpan(1, 2));
        Assert.Equal([8, 11, 12], values);
        for (var leaf = 0; leaf < residuals.Length; leaf++)
        {
            read.ReadResidual(leaf, values);
            Assert.Equal(residuals[leaf], values);
        }

        Assert.Contains("'momentum'", Assert.Throws<Planning.InputException>(() => read.ReadMomentum(new IndexRange(0, 2), 4, new float[2])).Message, StringComparison.Ordinal);
        Assert.Contains("another plan", Assert.Throws<Planning.InputException>(() => RepairCheckpointReader.Open(_folder.Checkpoints, name, "plan-b", _cancellationToken)).Message, StringComparison.Ordinal);
    }

    private static SafetensorsContent Content(float[] values) => destination => destination.Write(MemoryMarshal.AsBytes(values.AsSpan()));

    private static float[] Values(IndexRange range, int node) => [.. Enumerable.Range(range.Start, range.Count).Select(i => (i * 2f) + node)];
}
