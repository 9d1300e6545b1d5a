using Scissorhands.Core.Models;
using Scissorhands.Core.Replica;
using Scissorhands.Planning.Randomness;

namespace Scissorhands.Core.Trim;

/// <summary>Re-initialises the trimmed weights.</summary>
public static class WeightTrim
{
    /// <summary>
    /// Gives trimmed weights fresh initial values: kaiming-uniform with a = sqrt(5), U(-1/sqrt(fan_in), 1/sqrt(fan_in));
    /// biases become 0; 1-D weights have fan_in 1, as the public code unsqueezes them to a column. Element i of a parameter
    /// takes number i of the stream (seed, "fresh-weights", parameter name), so every worker writes the same values and the
    /// value does not depend on what else is trimmed.
    /// </summary>
    /// <param name="replica">The model.</param>
    /// <param name="mask">n bytes in flat order, 1 = trimmed.</param>
    /// <param name="seed">The run's seed.</param>
    /// <returns>Number of weights rewritten.</returns>
    public static int Apply(ModelReplica replica, ReadOnlySpan<byte> mask, long seed)
    {
        ArgumentNullException.ThrowIfNull(replica);
        replica.WeightsToHost();
        var weights = replica.HostWeights.Span;
        var trimmed = 0;
        foreach (var slot in replica.Parameters.Slots)
        {
            var part = mask.Slice(slot.Start, slot.Count);
            if (part.IndexOf((byte)1) < 0)
            {
                continue;
            }

            var stream = RandomStream.Create(seed, RandomPurpose.FreshWeights, slot.Name);
            var isBias = slot.Name == "bias" || slot.Name.EndsWith(".bias", StringComparison.Ordinal);
            var bound = isBias ? 0f : (float)(1 / Math.Sqrt(slot.FanIn));
            for (var i = 0; i < part.Length; i++)
            {
                if (part[i] != 0)
                {
                    weights[slot.Start + i] = isBias ? 0f : FreshWeights.ValueAt(stream, (ulong)i, bound);
                    trimmed++;
                }
            }
        }

        replica.WeightsToDevice();
        return trimmed;
    }
}
