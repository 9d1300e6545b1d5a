using System.Runtime.Intrinsics;
using Scissorhands.Planning.Randomness;

namespace Scissorhands.Core.Models;

/// <summary>
/// Kaiming-uniform weights with a = sqrt(5), that is U(-1/sqrt(fan_in), 1/sqrt(fan_in)), whose element i is a pure function
/// of the stream and i: any part of a tensor can be drawn anywhere.
/// </summary>
public static class FreshWeights
{
    /// <summary>1/sqrt(fan_in) of a weight.</summary>
    /// <param name="shape">The weight's shape: fan_in is the product of all dimensions but the first; 1 for vectors and scalars.</param>
    /// <returns>The bound of the uniform distribution.</returns>
    public static float Bound(ReadOnlySpan<long> shape)
    {
        var fanIn = 1L;
        for (var dimension = 1; dimension < shape.Length; dimension++)
        {
            fanIn = checked(fanIn * shape[dimension]);
        }

        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(fanIn, nameof(shape));
        return (float)(1 / Math.Sqrt(fanIn));
    }

    /// <summary>One element: (2u - 1) * bound with u the stream's uniform number at the element's index.</summary>
    /// <param name="stream">The tensor's stream.</param>
    /// <param name="index">Row-major index of the element.</param>
    /// <param name="bound">Bound of the uniform distribution.</param>
    /// <returns>The value, in [-bound, bound).</returns>
    public static float ValueAt(RandomStream stream, ulong index, float bound) => Value(stream.Bits(index), bound);

    /// <summary>Writes the elements from index 0 in row-major order, the same bits as <see cref="ValueAt"/>.</summary>
    /// <param name="values">Receives them.</param>
    /// <param name="stream">The tensor's stream.</param>
    /// <param name="bound">Bound of the uniform distribution.</param>
    public static void Fill(Span<float> values, RandomStream stream, float bound)
    {
        var i = 0;
        for (; i + 4 <= values.Length; i += 4)
        {
            var (x0, x1, x2, x3) = stream.Block((ulong)i >> 2);
            var uniform = Vector128.ConvertToSingle((Vector128.Create(x0, x1, x2, x3) >> 8).AsInt32()) * (2f / 16777216f);
            ((uniform - Vector128<float>.One) * bound).CopyTo(values[i..]);
        }

        for (; i < values.Length; i++)
        {
            values[i] = ValueAt(stream, (ulong)i, bound);
        }
    }

    // u has 24 bits and 2u - 1 is exact in float32: the product is the only rounding, fused or not.
    private static float Value(uint bits, float bound) => (((bits >> 8) * (2f / 16777216f)) - 1f) * bound;
}
