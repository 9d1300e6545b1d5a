namespace Scissorhands.Grains.Store;

/// <summary>Messages written together with runs and models, which leave at least once.</summary>
public interface IOutbox
{
    /// <summary>Takes messages to a destination that nobody has taken, or whose taker's lease is over; oldest first.</summary>
    /// <param name="destination">Where they go.</param>
    /// <param name="claimer">Who takes them.</param>
    /// <param name="limit">At most so many.</param>
    /// <param name="lease">For how long nobody else gets them; longer than the processes' clocks differ.</param>
    /// <param name="ct">Ends the wait.</param>
    Task<IReadOnlyList<PendingMessage>> ClaimAsync(string destination, string claimer, int limit, TimeSpan lease, CancellationToken ct);

    /// <summary>Leaves a message alone for a while: nobody is given it before.</summary>
    /// <param name="id">The message.</param>
    /// <param name="claimer">Who has it; where another has taken it meanwhile, nothing is changed.</param>
    /// <param name="wait">For how long.</param>
    /// <param name="ct">Ends the wait.</param>
    Task PostponeAsync(long id, string claimer, TimeSpan wait, CancellationToken ct);

    /// <summary>Destinations with messages, each with how many.</summary>
    Task<IReadOnlyDictionary<string, int>> WaitingAsync(CancellationToken ct);

    /// <summary>Removes messages that have left.</summary>
    Task DoneAsync(IReadOnlyList<long> ids, CancellationToken ct);
}
