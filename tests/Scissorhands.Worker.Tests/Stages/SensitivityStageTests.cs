using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning;
using Scissorhands.Planning.Cut;
using Scissorhands.Worker.Stages;

namespace Scissorhands.Worker.Tests.Stages;

public sealed class SensitivityStageTests
{
    [Fact]
    public void CheckHolds_ExactlyTheFirstBlocks_Passes()
    {
        SensitivityStage.CheckHolds([Partial(0, 4), Partial(2, 0)], 5, 5);
        SensitivityStage.CheckHolds([Partial(1, 0), Partial(0, 2)], 5, 3);
        SensitivityStage.CheckHolds([], 5, 0);
    }

    [Theory]
    [InlineData(0, 3, "[0, 2), [3, 4)")]
    [InlineData(1, 1, "[0, 2), [2, 4)")]
    [InlineData(0, 1, "[0, 2), [1, 2)")]
    public void CheckHolds_AnotherSetOfBlocks_SaysWhich(int level, int index, string held)
    {
        var e = Assert.Throws<RunFailedException>(() => SensitivityStage.CheckHolds([Partial(1, 0), Partial(level, index)], 5, 3));
        Assert.Contains($"hold blocks {held} where the checkpoint is of [0, 3)", e.Message, StringComparison.Ordinal);
    }

    private static SubtreeSum Partial(int level, int index) => new(new TreeNode(level, index), default);
}
