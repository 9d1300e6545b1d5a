using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Scissorhands.Core.Selection;

/// <summary>
/// The passes over memory that selection is made of. Saliencies are read as the integers their bits form, which order
/// like the floats themselves as long as none is negative; a key of <see cref="FirstInvalid"/> or above is infinite, NaN
/// or negative (minus zero included).
/// </summary>
internal static class SaliencyScan
{
    /// <summary>The bits of positive infinity: the first key that is no valid saliency.</summary>
    public const uint FirstInvalid = 0x7F80_0000;

    /// <summary>Bins of a histogram over 16 bits.</summary>
    public const int Bins = 65_536;

    private const int Group = 32;
    private const int ChunkGroups = 64;

    // The processor's own prefetching stops at every page (1,024 keys); asking this far ahead bridges it.
    private const int PrefetchElements = 1024;

    /// <summary>Receives the keys inside a bracket.</summary>
    internal interface ISink
    {
        /// <summary>Takes keys.</summary>
        /// <param name="keys">Keys inside the bracket, in order.</param>
        void Add(ReadOnlySpan<uint> keys);
    }

    /// <summary>Reads floats as keys.</summary>
    public static ReadOnlySpan<uint> Keys(ReadOnlySpan<float> saliency) => MemoryMarshal.Cast<float, uint>(saliency);

    /// <summary>One pass: counts keys below <paramref name="low"/>, hands those in [low, end) over, and takes the largest of all.</summary>
    /// <param name="keys">The keys; where one is invalid only <paramref name="largest"/> has a meaning.</param>
    /// <param name="low">First key of the bracket.</param>
    /// <param name="end">One past the bracket's last key, at most <see cref="FirstInvalid"/>.</param>
    /// <param name="sink">Receives the keys inside, in order.</param>
    /// <param name="largest">Receives the largest key where it exceeds the value given.</param>
    /// <returns>Number of keys below.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static long Bracket<TSink>(ReadOnlySpan<uint> keys, uint low, uint end, ref TSink sink, ref uint largest)
        where TSink : struct, ISink
    {
        long below = 0;
        var i = 0;
        if (keys.Length >= Group)
        {
            // Valid keys are below 2^31, so signed comparison orders them too, and AVX2 has no unsigned one.
            var lows = Vector256.Create((int)low);
            var lasts = Vector256.Create((int)end - 1);
            var belowLanes = Vector256<int>.Zero;
            var largestLanes = Vector256<uint>.Zero;
            Span<uint> insides = stackalloc uint[ChunkGroups + 1];
            Span<int> places = stackalloc int[ChunkGroups + 1];
            Span<uint> found = stackalloc uint[ChunkGroups * Group];
            ref var key = ref MemoryMarshal.GetReference(found);
            ref var inside = ref MemoryMarshal.GetReference(insides);
            ref var place = ref MemoryMarshal.GetReference(places);
            ref var start = ref MemoryMarshal.GetReference(keys);
            while (i <= keys.Length - Group)
            {
                // Groups with keys inside are noted without a branch, which no processor would predict, and emptied
                // while the chunk is still in the first-level cache.
                var noted = 0;
                var stop = Math.Min(keys.Length - Group, i + ((ChunkGroups - 1) * Group));
                for (; i <= stop; i += Group)
                {
                    Prefetch(ref start, i + PrefetchElements);
                    Prefetch(ref start, i + PrefetchElements + (Group / 2));
                    var k0 = Vector256.LoadUnsafe(ref start, (nuint)i);
                    var k1 = Vector256.LoadUnsafe(ref start, (nuint)i + 8);
                    var k2 = Vector256.LoadUnsafe(ref start, (nuint)i + 16);
                    var k3 = Vector256.LoadUnsafe(ref start, (nuint)i + 24);
                    largestLanes = Vector256.Max(largestLanes, Vector256.Max(Vector256.Max(k0, k1), Vector256.Max(k2, k3)));
                    var b0 = Vector256.LessThan(k0.AsInt32(), lows);
                    var b1 = Vector256.LessThan(k1.AsInt32(), lows);
                    var b2 = Vector256.LessThan(k2.AsInt32(), lows);
                    var b3 = Vector256.LessThan(k3.AsInt32(), lows);
                    belowLanes -= (b0 + b1) + (b2 + b3);
                    var out0 = b0 | Vector256.GreaterThan(k0.AsInt32(), lasts);
                    var out1 = b1 | Vector256.GreaterThan(k1.AsInt32(), lasts);
                    var out2 = b2 | Vector256.GreaterThan(k2.AsInt32(), lasts);
                    var out3 = b3 | Vector256.GreaterThan(k3.AsInt32(), lasts);
                    var bits = ~(out0.ExtractMostSignificantBits() | (out1.ExtractMostSignificantBits() << 8)
                        | (out2.ExtractMostSignificantBits() << 16) | (out3.ExtractMostSignificantBits() << 24));
                    Unsafe.Add(ref inside, noted) = bits;
                    Unsafe.Add(ref place, noted) = i;
                    noted += bits != 0 ? 1 : 0;
                }

                var count = 0;
                for (var g = 0; g < noted; g++)
                {
                    var bits = Unsafe.Add(ref inside, g);
                    ref var group = ref Unsafe.Add(ref start, Unsafe.Add(ref place, g));
                    do
                    {
                        Unsafe.Add(ref key, count++) = Unsafe.Add(ref group, BitOperations.TrailingZeroCount(bits));
                        bits &= bits - 1;
                    }
                    while (bits != 0);
                }

                sink.Add(found[..count]);
            }

            // A lane counts at most an eighth of the 2^31 keys a span can hold: no overflow.
            for (var lane = 0; lane < Vector256<int>.Count; lane++)
            {
                below += belowLanes[lane];
                largest = Math.Max(largest, largestLanes[lane]);
            }
        }

        for (; i < keys.Length; i++)
        {
            largest = Math.Max(largest, keys[i]);
            if (keys[i] < low)
            {
                below++;
            }
            else if (keys[i] < end)
            {
                sink.Add(keys.Slice(i, 1));
            }
        }

        return below;
    }

    /// <summary>Adds the counts of the keys' upper 16 bits.</summary>
    /// <param name="keys">The keys.</param>
    /// <param name="bins">65,536 counts.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void UpperHistogram(ReadOnlySpan<uint> keys, Span<long> bins)
    {
        // Four histograms: consecutive keys often share a bin, and an increment must wait for the one before it to be stored.
        var counts = new int[4 * Bins];
        ref var c0 = ref counts[0];
        ref var c1 = ref counts[Bins];
        ref var c2 = ref counts[2 * Bins];
        ref var c3 = ref counts[3 * Bins];
        var i = 0;
        for (; i <= keys.Length - 4; i += 4)
        {
            Unsafe.Add(ref c0, keys[i] >> 16)++;
            Unsafe.Add(ref c1, keys[i + 1] >> 16)++;
            Unsafe.Add(ref c2, keys[i + 2] >> 16)++;
            Unsafe.Add(ref c3, keys[i + 3] >> 16)++;
        }

        for (; i < keys.Length; i++)
        {
            Unsafe.Add(ref c0, keys[i] >> 16)++;
        }

        for (var bin = 0; bin < Bins; bin++)
        {
            bins[bin] += (long)counts[bin] + counts[Bins + bin] + counts[(2 * Bins) + bin] + counts[(3 * Bins) + bin];
        }
    }

    /// <summary>Writes which saliencies are selected.</summary>
    /// <param name="saliency">The saliencies.</param>
    /// <param name="threshold">The threshold.</param>
    /// <param name="quota">How many of those equal to the threshold are still to be selected; reduced by those that are.</param>
    /// <param name="mask">Receives 1 for selected, 0 otherwise.</param>
    public static void WriteMask(ReadOnlySpan<float> saliency, float threshold, ref long quota, Span<byte> mask)
    {
        var i = 0;
        if (saliency.Length >= Group)
        {
            ref var start = ref MemoryMarshal.GetReference(saliency);
            ref var target = ref MemoryMarshal.GetReference(mask);
            var thresholds = Vector256.Create(threshold);
            var ones = Vector256<byte>.One;
            for (; i <= saliency.Length - Group; i += Group)
            {
                var s0 = Vector256.LoadUnsafe(ref start, (nuint)i);
                var s1 = Vector256.LoadUnsafe(ref start, (nuint)i + 8);
                var s2 = Vector256.LoadUnsafe(ref start, (nuint)i + 16);
                var s3 = Vector256.LoadUnsafe(ref start, (nuint)i + 24);
                if (quota > 0)
                {
                    var equal = (Vector256.Equals(s0, thresholds) | Vector256.Equals(s1, thresholds))
                        | (Vector256.Equals(s2, thresholds) | Vector256.Equals(s3, thresholds));
                    if (equal != Vector256<float>.Zero)
                    {
                        WriteSlowly(saliency.Slice(i, Group), threshold, ref quota, mask.Slice(i, Group));
                        continue;
                    }
                }

                var low = Vector256.Narrow(Vector256.GreaterThan(s0, thresholds).AsInt32(), Vector256.GreaterThan(s1, thresholds).AsInt32());
                var high = Vector256.Narrow(Vector256.GreaterThan(s2, thresholds).AsInt32(), Vector256.GreaterThan(s3, thresholds).AsInt32());
                (Vector256.Narrow(low, high).AsByte() & ones).StoreUnsafe(ref target, (nuint)i);
            }
        }

        WriteSlowly(saliency[i..], threshold, ref quota, mask[i..]);
    }

    // A prefetch never faults, so it may lie past the end; were the array moved meanwhile, it would only be in vain.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe void Prefetch(ref uint start, int index)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(Unsafe.AsPointer(ref Unsafe.Add(ref start, index)));
        }
    }

    private static void WriteSlowly(ReadOnlySpan<float> saliency, float threshold, ref long quota, Span<byte> mask)
    {
        for (var i = 0; i < saliency.Length; i++)
        {
            var selected = saliency[i] > threshold;
            if (!selected && quota > 0 && saliency[i] == threshold)
            {
                selected = true;
                quota--;
            }

            mask[i] = selected ? (byte)1 : (byte)0;
        }
    }
}
