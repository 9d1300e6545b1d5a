using System.Numerics.Tensors;

namespace Scissorhands.Core.Sensitivity;

/// <summary>From the summed magnitudes to the saliency.</summary>
public static class Saliency
{
    /// <summary>s = |w * sum|, elementwise, in place over the owned range.</summary>
    /// <param name="sums">Sum over batches of |gradient|; receives the saliency.</param>
    /// <param name="weights">The original weights of the same range.</param>
    public static void Finish(Span<float> sums, ReadOnlySpan<float> weights)
    {
        TensorPrimitives.Multiply(sums, weights, sums);
        TensorPrimitives.Abs(sums, sums);
    }
}
