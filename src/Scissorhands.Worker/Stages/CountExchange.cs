using Scissorhands.Core.Selection;
using Scissorhands.Messaging.Collectives;

namespace Scissorhands.Worker.Stages;

/// <summary>Adds the counts of exact selection up over the workers of a group.</summary>
public sealed class CountExchange : ICountExchange
{
    private readonly ICollectiveGroup _group;
    private readonly CancellationToken _cancellationToken;
    private long _round;

    /// <summary>Creates the exchange.</summary>
    /// <param name="group">The workers.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    public CountExchange(ICollectiveGroup group, CancellationToken cancellationToken)
    {
        _group = group;
        _cancellationToken = cancellationToken;
    }

    /// <inheritdoc />
    public int Rank => _group.Rank;

    /// <inheritdoc />
    public int Size => _group.Size;

    /// <inheritdoc />
    public void Sum(Span<long> counts)
    {
        if (_group.Size == 1)
        {
            return;
        }

        var values = counts.ToArray();
        _group.SumCounts(new OperationKey("selection", _round++), values).Wait(_cancellationToken);
        values.CopyTo(counts);
    }
}
