using Scissorhands.Core.Replica;
using Scissorhands.Core.Trim;

namespace Scissorhands.Worker.Stages;

/// <summary>
/// A worker's replica together with what was done to it, so that a stage can ask for the model it needs whether the
/// worker has lived through the stages before or has just joined.
/// </summary>
public sealed class ModelState
{
    private readonly long _seed;

    /// <summary>Takes the freshly loaded model.</summary>
    /// <param name="replica">The replica.</param>
    /// <param name="seed">The run's seed.</param>
    public ModelState(ModelReplica replica, long seed)
    {
        ArgumentNullException.ThrowIfNull(replica);
        Replica = replica;
        _seed = seed;
    }

    /// <summary>The replica.</summary>
    public ModelReplica Replica { get; }

    /// <summary>What the weights are now.</summary>
    public ModelMoment Moment { get; private set; }

    /// <summary>The mask once it is known: n bytes, 1 = trimmed.</summary>
    public byte[]? Mask { get; set; }

    /// <summary>This worker's range of the summed magnitudes, between sensitivity and selection.</summary>
    public float[]? OwnedSums { get; set; }

    /// <summary>Re-initialises the trimmed weights, unless that has been done.</summary>
    /// <returns>Number of trimmed weights.</returns>
    public int EnsureTrimmed()
    {
        var mask = Mask ?? throw new InvalidOperationException("The mask is not known yet");
        if (Moment == ModelMoment.Original)
        {
            WeightTrim.Apply(Replica, mask, _seed);
            Moment = ModelMoment.Trimmed;
        }

        return mask.AsSpan().Count((byte)1);
    }

    /// <summary>Notes that the repair has moved the weights.</summary>
    public void MarkRepaired() => Moment = ModelMoment.Repaired;
}

/// <summary>What a replica's weights are.</summary>
public enum ModelMoment
{
    /// <summary>As trained.</summary>
    Original,

    /// <summary>Trimmed.</summary>
    Trimmed,

    /// <summary>In or after the repair.</summary>
    Repaired,
}
