namespace Scissorhands.Abstractions.Deletion;

/// <summary>What a person does with a deletion request.</summary>
public enum RequestAction
{
    /// <summary>Withdraw it, before its run begins.</summary>
    Cancel,

    /// <summary>Keep its samples for now.</summary>
    Hold,

    /// <summary>Lift the hold.</summary>
    Release,

    /// <summary>Try one that failed again, at once.</summary>
    Retry,
}

/// <summary>
/// One model: its versions and their lineage, and what becomes of the deletion requests that name it. Turns those that wait
/// into batches, one after the other, and carries each through run, gate and publication. The key is the model's name.
/// </summary>
[Alias("scissorhands.model-grain")]
public interface IModelGrain : IGrainWithStringKey
{
    /// <summary>Something may have to be done: requests were accepted, or its host was lost.</summary>
    /// <returns>Completes at once.</returns>
    [Alias("wake")]
    Task WakeAsync();

    /// <summary>Does something with a request.</summary>
    /// <param name="requestId">The request.</param>
    /// <param name="action">What.</param>
    /// <param name="principal">Who wants it.</param>
    /// <returns>Why it cannot be done, or null where it is.</returns>
    [Alias("act")]
    Task<string?> ActAsync(string requestId, RequestAction action, string principal);

    /// <summary>Takes the newest version back and puts a former one into use.</summary>
    /// <param name="version">The version that is to be in use.</param>
    /// <param name="reopen">Whether requests whose samples that version still knows are opened again; without, such a version is refused.</param>
    /// <param name="principal">Who wants it.</param>
    /// <returns>Why it cannot be done, or null where it is.</returns>
    [Alias("rollback")]
    Task<string?> RollBackAsync(int version, bool reopen, string principal);

    /// <summary>Has the model take no more requests. Asked again, it stays as it is.</summary>
    /// <param name="principal">Who wants it.</param>
    /// <returns>Why it cannot be done, as requests are open; null where it is.</returns>
    [Alias("retire")]
    Task<string?> RetireAsync(string principal);
}

/// <summary>The one that gives the rows of a tenant's audit chain their places. The key is the chain's name.</summary>
[Alias("scissorhands.audit-grain")]
public interface IAuditGrain : IGrainWithStringKey
{
    /// <summary>Rows may wait, or the head may have to be signed.</summary>
    /// <returns>Completes when the rows that waited have their places, and the head is signed if it was time to.</returns>
    [Alias("wake")]
    Task WakeAsync();
}
