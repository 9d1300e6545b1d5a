namespace Scissorhands.Grains.Store;

/// <summary>The coordinators' one store of runs. Every method may be called by several processes at once.</summary>
public interface IRunStore
{
    /// <summary>Stores a new run as version 1; where there is one of this id, that one is returned and nothing is written.</summary>
    /// <param name="run">The run; its version is ignored.</param>
    /// <param name="events">Its first events.</param>
    /// <param name="ct">Ends the wait; what was under way may still have been written.</param>
    /// <exception cref="RunConflictException">Another open run writes to its folder.</exception>
    Task<(StoredRun Run, bool Created)> CreateAsync(StoredRun run, IReadOnlyList<NewEvent> events, CancellationToken ct);

    /// <summary>The run of this id; null where there is none.</summary>
    Task<StoredRun?> ReadAsync(string runId, CancellationToken ct);

    /// <summary>Replaces a run and adds events and messages in one transaction.</summary>
    /// <param name="run">The run, with the version it was read or written with.</param>
    /// <param name="events">Events added to the run's.</param>
    /// <param name="messages">Messages that leave through the outbox.</param>
    /// <param name="ct">Ends the wait; what was under way may still have been written.</param>
    /// <returns>The run with its new version, one higher.</returns>
    /// <exception cref="StaleVersionException">Somebody else has written meanwhile; nothing was written.</exception>
    /// <exception cref="RunConflictException">Another run works on its model, or writes to its folder.</exception>
    Task<StoredRun> WriteAsync(StoredRun run, IReadOnlyList<NewEvent> events, IReadOnlyList<OutgoingMessage> messages, CancellationToken ct);

    /// <summary>Ids of queued and running ones, by deadline (those without one last), time of submission and id.</summary>
    Task<IReadOnlyList<string>> OpenRunsAsync(CancellationToken ct);

    /// <summary>The running run of a model, which keeps others of that model from running; null where there is none.</summary>
    Task<StoredRun?> RunAtWorkOnAsync(string modelKey, CancellationToken ct);

    /// <summary>The queued or running run that writes to a folder; null where there is none.</summary>
    Task<StoredRun?> OpenRunWritingToAsync(string outputFolder, CancellationToken ct);

    /// <summary>The newest runs, newest first, without what makes them large.</summary>
    Task<IReadOnlyList<RunHead>> HeadsAsync(int limit, CancellationToken ct);

    /// <summary>The runs of these ids, in any order; unknown ones are left out.</summary>
    Task<IReadOnlyList<StoredRun>> ReadManyAsync(IReadOnlyCollection<string> runIds, CancellationToken ct);

    /// <summary>Events of a run in their order.</summary>
    /// <param name="runId">The run.</param>
    /// <param name="after">Number of the last event already known; 0 for all.</param>
    /// <param name="limit">At most so many.</param>
    /// <param name="ct">Ends the wait.</param>
    Task<IReadOnlyList<StoredEvent>> EventsAsync(string runId, long after, int limit, CancellationToken ct);
}
