namespace Scissorhands.Messaging.Wire;

/// <summary>What a format makes of the nodes of the reduction tree. Both operations change nothing the second time.</summary>
public static class WireArithmetic
{
    /// <summary>Elements that rounding sees together: a piece of a vector must begin at a multiple of it.</summary>
    public const int AlignmentElements = BlockInt8.BlockElements;

    /// <summary>Rounds a node of either kind into other memory.</summary>
    /// <param name="format">The format.</param>
    /// <param name="isLeaf">Whether it holds a single leaf.</param>
    /// <param name="source">The vector, or a piece that begins at a multiple of <see cref="AlignmentElements"/>.</param>
    /// <param name="destination">Receives it; of equal length, and either the same memory or none of it.</param>
    public static void Round(WireFormat format, bool isLeaf, ReadOnlySpan<float> source, Span<float> destination)
    {
        if (isLeaf)
        {
            RoundLeaf(format, source, destination);
        }
        else
        {
            RoundNode(format, source, destination);
        }
    }

    /// <summary>Rounds a leaf, which is also what passes up a tree where a leaf has no sibling.</summary>
    /// <param name="format">The format.</param>
    /// <param name="values">The vector, or a piece that begins at a multiple of <see cref="AlignmentElements"/>.</param>
    public static void RoundLeaf(WireFormat format, Span<float> values)
    {
        if (format != WireFormat.Fp32)
        {
            RoundLeaf(format, values, values);
        }
    }

    /// <summary>Rounds a leaf into other memory.</summary>
    /// <param name="format">The format.</param>
    /// <param name="source">The vector, or a piece that begins at a multiple of <see cref="AlignmentElements"/>.</param>
    /// <param name="destination">Receives it; of equal length, and either the same memory or none of it.</param>
    public static void RoundLeaf(WireFormat format, ReadOnlySpan<float> source, Span<float> destination)
    {
        if (format == WireFormat.Int8)
        {
            BlockInt8.Quantize(source, destination);
        }
        else
        {
            RoundNode(format, source, destination);
        }
    }

    /// <summary>Rounds a sum of leaves. What <see cref="RoundLeaf(WireFormat, Span{float})"/> leaves stays as it is.</summary>
    /// <param name="format">The format.</param>
    /// <param name="values">The vector or any piece of it.</param>
    public static void RoundNode(WireFormat format, Span<float> values)
    {
        if (format != WireFormat.Fp32)
        {
            RoundNode(format, values, values);
        }
    }

    /// <summary>Rounds a sum of leaves into other memory.</summary>
    /// <param name="format">The format.</param>
    /// <param name="source">The vector or any piece of it.</param>
    /// <param name="destination">Receives it; of equal length, and either the same memory or none of it.</param>
    public static void RoundNode(WireFormat format, ReadOnlySpan<float> source, Span<float> destination)
    {
        switch (format)
        {
            case WireFormat.Fp32:
                source.CopyTo(destination);
                break;
            case WireFormat.Bf16 or WireFormat.Int8:
                Bfloat16.Round(source, destination);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(format), format, "No such format.");
        }
    }
}
