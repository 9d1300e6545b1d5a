using Scissorhands.Planning.Randomness;

namespace Scissorhands.Benchmarks.Selection;

/// <summary>Saliencies as measured ones are, log-normal-like over some eight decades; each a function of its flat index alone.</summary>
internal static class MadeUpSaliency
{
    /// <summary>Writes the saliencies of a range.</summary>
    /// <param name="values">Receives them.</param>
    /// <param name="start">Flat index of the first; even.</param>
    public static void Fill(Span<float> values, long start)
    {
        var stream = RandomStream.Create(7, "benchmark");
        for (var i = 0; i < values.Length; i += 2)
        {
            var (x0, x1, x2, x3) = stream.Block((ulong)(start + i));
            values[i] = MathF.Exp(((x0 >> 8) + (float)(x1 >> 8) - (1 << 24)) * (9f / (1 << 24)));
            if (i + 1 < values.Length)
            {
                values[i + 1] = MathF.Exp(((x2 >> 8) + (float)(x3 >> 8) - (1 << 24)) * (9f / (1 << 24)));
            }
        }
    }
}
