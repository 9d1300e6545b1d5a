namespace Scissorhands.Grains.Store;

/// <summary>Messages written together with runs, which leave at least once.</summary>
public interface IOutbox
{
    /// <summary>Takes messages that nobody has taken, or whose taker's lease is over; oldest first.</summary>
    /// <param name="claimer">Who takes them.</param>
    /// <param name="limit">At most so many.</param>
    /// <param name="lease">For how long nobody else gets them; longer than the processes' clocks differ.</param>
    /// <param name="ct">Ends the wait.</param>
    Task<IReadOnlyList<PendingMessage>> ClaimAsync(string claimer, int limit, TimeSpan lease, CancellationToken ct);

    /// <summary>Removes messages that have left.</summary>
    Task DoneAsync(IReadOnlyList<long> ids, CancellationToken ct);
}
