using Scissorhands.Planning.Randomness;

namespace Scissorhands.Integration.Worker;

/// <summary>A stand-in for a slice's gradient: numbers of very different sizes, so that the order of additions shows.</summary>
public static class ToyGradient
{
    /// <summary>A slice's vector.</summary>
    /// <param name="seed">The step's seed.</param>
    /// <param name="slice">Index of the slice.</param>
    /// <param name="length">Elements.</param>
    /// <returns>The vector.</returns>
    public static float[] Slice(long seed, int slice, int length)
    {
        var stream = RandomStream.Create(seed, "toy-gradient", first: slice);
        var values = new float[length];
        for (var i = 0; i < length; i++)
        {
            var bits = stream.Bits((ulong)i);
            values[i] = ((bits >> 8) - 8_388_608f) * MathF.ScaleB(1, (int)(bits & 63) - 32);
        }

        return values;
    }
}
