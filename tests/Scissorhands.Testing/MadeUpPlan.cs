using Scissorhands.Planning;

namespace Scissorhands.Testing;

/// <summary>Plans of runs that read no files.</summary>
public static class MadeUpPlan
{
    /// <summary>A plan.</summary>
    /// <param name="blocks">Blocks of the sensitivity stage, and samples of each list.</param>
    /// <returns>The plan.</returns>
    public static RunPlan Of(int blocks) => new()
    {
        LibtorchVersion = "-",
        ModelDigest = "-",
        DataDigest = "-",
        ForgetDigest = "-",
        ConfigurationHash = "-",
        Parameters = 1,
        ForgetCount = blocks,
        RetainCount = blocks,
        SensitivityBatches = blocks,
        SensitivityBlocks = blocks,
        StepsPerEpoch = 1,
        JointStepsPerEpoch = 1,
    };
}
