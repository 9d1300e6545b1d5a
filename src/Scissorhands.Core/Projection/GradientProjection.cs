using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Scissorhands.Planning;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Core.Projection;

/// <summary>
/// The dual of gradient episodic memory's projection (Lopez-Paz and Ranzato, NeurIPS 2017) with a margin: multipliers from
/// the t x t Gram matrix of the memories, then one pass that adds the weighted memories to the gradient.
/// </summary>
public static class GradientProjection
{
    private const int ChunkElements = 2048;

    /// <summary>
    /// Minimises 1/2 v'Pv + (Gg)'v over v >= margin, P = GG' + eps I. Exact up to rounding: an active-set method (Lawson and
    /// Hanson) with a Cholesky solve for every set of free multipliers it visits. One memory has a closed form.
    /// </summary>
    /// <param name="gram">GG', t x t.</param>
    /// <param name="dots">Gg, t entries.</param>
    /// <param name="margin">Lower bound of the multipliers.</param>
    /// <param name="eps">Ridge, greater than 0.</param>
    /// <returns>The multipliers v.</returns>
    /// <exception cref="RunFailedException">A dot product is not finite, or P not positive definite to working precision.</exception>
    public static double[] Solve(double[,] gram, ReadOnlySpan<double> dots, double margin, double eps)
    {
        ArgumentNullException.ThrowIfNull(gram);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(eps);
        var count = dots.Length;
        if (gram.GetLength(0) != count || gram.GetLength(1) != count)
        {
            throw new ArgumentException($"The Gram matrix is {gram.GetLength(0)} x {gram.GetLength(1)} where {count} memories need {count} x {count}", nameof(gram));
        }

        var p = (double[,])gram.Clone();
        for (var i = 0; i < count; i++)
        {
            p[i, i] += eps;
        }

        foreach (var value in Flat(p))
        {
            RequireFinite(value);
        }

        foreach (var value in dots)
        {
            RequireFinite(value);
        }

        if (count == 1)
        {
            return [Math.Max(margin, -dots[0] / p[0, 0])];
        }

        // With v = margin + u the bound becomes u >= 0 and the linear term c = Gg + margin P 1.
        var linear = dots.ToArray();
        for (var i = 0; i < count; i++)
        {
            for (var j = 0; j < count; j++)
            {
                linear[i] += p[i, j] * margin;
            }
        }

        var above = NonNegativeQuadratic.Minimise(p, linear);
        for (var i = 0; i < count; i++)
        {
            above[i] += margin;
        }

        return above;
    }

    /// <summary>
    /// Adds the weighted memories: g += sum over j of v_j m_j within the segments. In float32, in the order of the
    /// memories, each term rounded after its multiplication and again after its addition: never fused, so that the bits
    /// do not depend on the processor.
    /// </summary>
    /// <param name="gradient">g, over the flat vector; changed in place.</param>
    /// <param name="memories">The memory gradients, of the same length.</param>
    /// <param name="multipliers">v, one a memory; rounded to float32.</param>
    /// <param name="segments">Flat ranges that change.</param>
    public static void Apply(Span<float> gradient, IReadOnlyList<float[]> memories, ReadOnlySpan<double> multipliers, IReadOnlyList<IndexRange> segments)
    {
        ArgumentNullException.ThrowIfNull(memories);
        ArgumentNullException.ThrowIfNull(segments);
        ArgumentOutOfRangeException.ThrowIfNotEqual(multipliers.Length, memories.Count);
        foreach (var memory in memories)
        {
            ArgumentOutOfRangeException.ThrowIfNotEqual(memory.Length, gradient.Length);
        }

        foreach (var segment in segments)
        {
            // The chunk of g stays in the first-level cache while every memory is added: one pass over memory.
            for (var start = segment.Start; start < segment.End; start += Math.Min(ChunkElements, segment.End - start))
            {
                var length = Math.Min(ChunkElements, segment.End - start);
                for (var j = 0; j < memories.Count; j++)
                {
                    AddScaled(gradient.Slice(start, length), memories[j].AsSpan(start, length), (float)multipliers[j]);
                }
            }
        }
    }

    private static void AddScaled(Span<float> target, ReadOnlySpan<float> source, float factor)
    {
        var i = 0;
        var width = Vector256<float>.Count;
        if (target.Length >= width)
        {
            ref var startTarget = ref MemoryMarshal.GetReference(target);
            ref var startSource = ref MemoryMarshal.GetReference(source);
            var factors = Vector256.Create(factor);
            for (; i <= target.Length - width; i += width)
            {
                var sum = Vector256.LoadUnsafe(ref startTarget, (nuint)i) + (Vector256.LoadUnsafe(ref startSource, (nuint)i) * factors);
                sum.StoreUnsafe(ref startTarget, (nuint)i);
            }
        }

        for (; i < target.Length; i++)
        {
            target[i] += source[i] * factor;
        }
    }

    private static Span<double> Flat(double[,] matrix) => matrix.Length == 0 ? [] : MemoryMarshal.CreateSpan(ref matrix[0, 0], matrix.Length);

    private static void RequireFinite(double value)
    {
        if (!double.IsFinite(value))
        {
            throw new RunFailedException("projection: a dot product of gradients is not finite; the loss has diverged (lower repair.lr or repair.lambda)");
        }
    }
}
