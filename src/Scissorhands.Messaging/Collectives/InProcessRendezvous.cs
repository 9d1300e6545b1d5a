namespace Scissorhands.Messaging.Collectives;

/// <summary>An operation that starts when every rank has come to it.</summary>
internal abstract class InProcessRendezvous : InProcessOperation
{
    protected InProcessRendezvous(InProcessHub hub, OperationKey key) : base(hub, key)
    {
    }

    /// <summary>Ranks that have come.</summary>
    internal abstract int Arrived { get; }

    /// <summary>Whether a rank has come.</summary>
    internal abstract bool Has(int rank);

    /// <summary>All ranks have come: checks what they brought and cuts the work.</summary>
    /// <param name="units">Units of work.</param>
    /// <param name="culprit">The rank at fault, or -1.</param>
    /// <returns>What is wrong, or null.</returns>
    internal abstract string? Prepare(out int units, out int culprit);
}

/// <summary>A rendezvous of ranks that each bring a contribution.</summary>
/// <typeparam name="T">What a rank brings.</typeparam>
internal abstract class InProcessRendezvous<T> : InProcessRendezvous
{
    private readonly Contribution?[] _contributions;
    private int _arrived;

    protected InProcessRendezvous(InProcessHub hub, OperationKey key) : base(hub, key)
    {
        _contributions = new Contribution?[hub.Size];
    }

    internal sealed override int Arrived => _arrived;

    protected int Ranks => _contributions.Length;

    internal sealed override bool Has(int rank) => _contributions[rank] is not null;

    /// <summary>Called under the hub's lock. False where the rank came before or to another kind of operation.</summary>
    internal bool TryJoin(int rank, Contribution contribution)
    {
        if (_contributions[rank] is not null || contribution.Kind != Kind)
        {
            return false;
        }

        _contributions[rank] = contribution;
        _arrived++;
        return true;
    }

    /// <summary>Tells operations apart that bring the same type.</summary>
    protected abstract string Kind { get; }

    protected T Of(int rank) => _contributions[rank]!.Value;

    internal sealed record Contribution(string Kind, T Value);
}
