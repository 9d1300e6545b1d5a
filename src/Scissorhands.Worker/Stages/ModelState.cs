using Scissorhands.Core.Models;
using Scissorhands.Core.Replica;
using Scissorhands.Core.Trim;
using Scissorhands.Planning;
using Scissorhands.Worker.Run;
using Scissorhands.Worker.Stages.Repair;
using TorchSharp;

namespace Scissorhands.Worker.Stages;

/// <summary>
/// A worker's replica together with what was done to it, so that a stage can ask for the model it needs whatever the
/// replica has gone through before, in this generation or an earlier one.
/// </summary>
public sealed class ModelState : IDisposable
{
    private readonly long _seed;
    private byte[]? _originalHash;
    private RepairState? _repair;

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

    /// <summary>The mask from when it is known to the repair's first step: n bytes, 1 = trimmed.</summary>
    public byte[]? Mask { get; set; }

    /// <summary>This worker's range of the summed magnitudes, between sensitivity and selection.</summary>
    public float[]? OwnedSums { get; set; }

    /// <summary>Brings weights and buffers back to what they were when the model was loaded, unless they are that.</summary>
    /// <param name="inputs">Names the model's file.</param>
    public void EnsureOriginal(RunInputs inputs)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        if (Moment == ModelMoment.Original)
        {
            return;
        }

        // The weights it went on from are about to be gone.
        Lose();
        using (var scope = torch.NewDisposeScope())
        using (torch.no_grad())
        {
            using var loaded = ModelFiles.Load(inputs.ModelPath, inputs.Architecture);
            var own = Replica.State().ToDictionary(entry => entry.Name, entry => entry.Tensor, StringComparer.Ordinal);
            foreach (var entry in StateDict.Entries(loaded.Module))
            {
                own[entry.Name].copy_(entry.Tensor);
            }
        }

        if (_originalHash is not null && !_originalHash.AsSpan().SequenceEqual(Replica.StateHash()))
        {
            throw new RunFailedException($"{inputs.ModelPath}: has changed since the run began");
        }

        Moment = ModelMoment.Original;
    }

    /// <summary>Brings weights and buffers to those of the trimmed model, unless they are that.</summary>
    /// <param name="inputs">Names the model's file.</param>
    public void EnsureTrimmed(RunInputs inputs)
    {
        var mask = Mask ?? throw new InvalidOperationException("The mask is not known yet");
        if (Moment == ModelMoment.Trimmed)
        {
            return;
        }

        EnsureOriginal(inputs);
        _originalHash ??= Replica.StateHash();
        Lose();
        WeightTrim.Apply(Replica, mask, _seed);
        Moment = ModelMoment.Trimmed;
    }

    /// <summary>What the repair holds; null where there is none.</summary>
    internal RepairState? Repair => _repair;

    /// <summary>What an earlier generation has left of the repair, or room for it.</summary>
    /// <param name="context">The stage's context; the mask is known.</param>
    /// <returns>The state, which this object keeps.</returns>
    internal RepairState BeginRepair(StageContext context) => _repair ??= new RepairState(context);

    /// <summary>Gives back what only the repair needs.</summary>
    public void ForgetRepair()
    {
        _repair?.Dispose();
        _repair = null;
    }

    /// <summary>Lets no later stage go on from what is here: an unforeseen failure may have left it half done.</summary>
    public void Lose()
    {
        Moment = ModelMoment.Unknown;
        _repair?.Lose();
    }

    /// <inheritdoc />
    public void Dispose() => ForgetRepair();

    /// <summary>Notes that weights or buffers are about to change in ways that no stage could go on from.</summary>
    public void MarkUnknown() => Moment = ModelMoment.Unknown;

    /// <summary>Notes that weights and buffers are those after the repair's last step.</summary>
    public void MarkRepaired() => Moment = ModelMoment.Repaired;
}

/// <summary>What a replica's weights are.</summary>
public enum ModelMoment
{
    /// <summary>As trained.</summary>
    Original,

    /// <summary>Trimmed.</summary>
    Trimmed,

    /// <summary>After the repair.</summary>
    Repaired,

    /// <summary>Somewhere within the repair, or not whole.</summary>
    Unknown,
}
