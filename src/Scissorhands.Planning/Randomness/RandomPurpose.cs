namespace Scissorhands.Planning.Randomness;

/// <summary>The purposes random streams are keyed by. A purpose never changes its name: results depend on it.</summary>
public static class RandomPurpose
{
    /// <summary>Fresh weights of the trim, by parameter name.</summary>
    public const string FreshWeights = "fresh-weights";

    /// <summary>Order of the retain data, by epoch.</summary>
    public const string RetainShuffle = "retain-shuffle";

    /// <summary>Order of the forget data, by epoch.</summary>
    public const string ForgetShuffle = "forget-shuffle";

    /// <summary>Order of the forget data from which memory gradients are taken, by epoch.</summary>
    public const string MemoryShuffle = "memory-shuffle";

    /// <summary>Flip and crop, by sample id and epoch.</summary>
    public const string Augmentation = "augmentation";

    /// <summary>Dropout masks, by layer name, epoch, step and slice.</summary>
    public const string Dropout = "dropout";

    /// <summary>Seed of libtorch's generator around a forward of a TorchScript model, by epoch, step and slice.</summary>
    public const string TorchGenerator = "torch-generator";

    /// <summary>Which retain and test samples train the membership attack.</summary>
    public const string Mia = "mia";

    /// <summary>Which saliencies bracket the threshold.</summary>
    public const string SelectionSample = "selection-sample";

    /// <summary>Initial weights of a model trained from scratch, by parameter name.</summary>
    public const string InitialWeights = "initial-weights";

    /// <summary>Order of the data when a model is trained from scratch, by epoch.</summary>
    public const string TrainShuffle = "train-shuffle";

    /// <summary>The drawn images of the demonstration, by sample id.</summary>
    public const string Demo = "demo";
}
