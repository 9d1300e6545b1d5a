using Scissorhands.Abstractions.Deletion;
using Scissorhands.Grains.Store;

namespace Scissorhands.Grains.Deletion;

/// <summary>
/// Gives the rows of a chain their places, many at a time. Should two live for a moment, as coordinators lose each other,
/// the one that took over last appends and the other finds itself superseded.
/// </summary>
public sealed class AuditGrain : Grain, IAuditGrain
{
    private const int RowsAtOnce = 500;
    private readonly IAuditStore _store;
    private long? _epoch;

    /// <summary>Creates the grain.</summary>
    /// <param name="store">The chains.</param>
    public AuditGrain(IAuditStore store)
    {
        _store = store;
    }

    /// <inheritdoc/>
    public async Task WakeAsync()
    {
        var chain = this.GetPrimaryKeyString();
        while (true)
        {
            _epoch ??= await _store.TakeOverAsync(chain, CancellationToken.None);
            switch (await _store.AppendAsync(chain, _epoch.Value, RowsAtOnce, CancellationToken.None))
            {
                case null:
                    // Somebody else appends: let it.
                    _epoch = null;
                    DeactivateOnIdle();
                    return;
                case < RowsAtOnce:
                    return;
            }
        }
    }
}
