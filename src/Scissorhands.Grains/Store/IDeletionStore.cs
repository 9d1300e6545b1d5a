using Scissorhands.Deletion.Audit;
using Scissorhands.Deletion.Batching;
using Scissorhands.Deletion.Models;
using Scissorhands.Deletion.Requests;

namespace Scissorhands.Grains.Store;

/// <summary>A registered model and where it stands.</summary>
public sealed record StoredModel
{
    /// <summary>What was registered.</summary>
    public required ModelRecord Record { get; init; }

    /// <summary>Counts the writes to it and to all of its requests; from 1.</summary>
    public required long Version { get; init; }

    /// <summary>Number of the version in use.</summary>
    public required int CurrentVersion { get; init; }

    /// <summary>Number of the newest batch; 0 for none.</summary>
    public required int LastBatch { get; init; }

    /// <summary>Number of the batch at work; null for none.</summary>
    public int? OpenBatch { get; init; }

    /// <summary>Different samples forgotten since it was registered.</summary>
    public long Forgotten { get; init; }
}

/// <summary>What is written with a model in one transaction.</summary>
public sealed record ModelChange
{
    /// <summary>Requests of the model with their new state.</summary>
    public IReadOnlyList<DeletionRequest> Requests { get; init; } = [];

    /// <summary>The batch, new or changed; null for none.</summary>
    public DeletionBatch? Batch { get; init; }

    /// <summary>Versions, new or changed.</summary>
    public IReadOnlyList<ModelVersion> Versions { get; init; } = [];

    /// <summary>Samples that the batch's version no longer knows; known ones are left as they are.</summary>
    public IReadOnlyList<string> Tombstones { get; init; } = [];

    /// <summary>Digests of the forgotten samples' bytes, by id; known ones are left as they are.</summary>
    public IReadOnlyDictionary<string, string> Contents { get; init; } = new Dictionary<string, string>();

    /// <summary>Batches whose samples are known again, as their version was taken back.</summary>
    public IReadOnlyList<int> ReopenedBatches { get; init; } = [];

    /// <summary>Requests that are done, with the samples that each named: what it is opened again with, should they be known again.</summary>
    public IReadOnlyList<RequestSamples> Done { get; init; } = [];

    /// <summary>Requests that are opened again: what they named stands with them, and is kept nowhere else.</summary>
    public IReadOnlyList<string> Reopened { get; init; } = [];

    /// <summary>Rows for the audit.</summary>
    public IReadOnlyList<AuditDraft> Audit { get; init; } = [];

    /// <summary>Messages that leave through the outbox.</summary>
    public IReadOnlyList<OutgoingMessage> Messages { get; init; } = [];
}

/// <summary>What has to be done with the samples of requests.</summary>
public enum CustodyNeed
{
    /// <summary>They are yet to be copied into quarantine.</summary>
    Copy,

    /// <summary>They are there, and their request is yet to be accepted.</summary>
    Accept,

    /// <summary>They are there, and their request is open: they have to stay.</summary>
    Hold,

    /// <summary>They are there, and their request has ended.</summary>
    Destroy,
}

/// <summary>What became of a request that was handed in.</summary>
/// <param name="Request">The request as it is stored: the first of its id.</param>
/// <param name="Conflict">Whether the first asked for something else.</param>
public sealed record AcceptOutcome(DeletionRequest Request, bool Conflict);

/// <summary>Models, deletion requests and what becomes of them. Every method may be called by several processes at once.</summary>
public interface IDeletionStore
{
    /// <summary>Registers a model with its version 0; where there is one of this name, that one is returned and nothing is written.</summary>
    /// <param name="record">The model.</param>
    /// <param name="first">Its version 0.</param>
    /// <param name="audit">The row for the audit.</param>
    /// <param name="ct">Ends the wait.</param>
    Task<StoredModel> RegisterAsync(ModelRecord record, ModelVersion first, AuditDraft audit, CancellationToken ct);

    /// <summary>The model of a name; null where there is none.</summary>
    Task<StoredModel?> ModelAsync(string name, CancellationToken ct);

    /// <summary>All models, by name; those of a data set where one is named.</summary>
    Task<IReadOnlyList<StoredModel>> ModelsAsync(string? dataSet, CancellationToken ct);

    /// <summary>Names of the models with an open batch, with requests that wait, or with samples in quarantine that are to be destroyed.</summary>
    Task<IReadOnlyList<string>> ModelsAtWorkAsync(CancellationToken ct);

    /// <summary>
    /// Stores requests that are new, each with its row for the audit, in one transaction. A request whose id is taken stays
    /// the first one.
    /// </summary>
    /// <param name="requests">The requests and their rows; ids may repeat.</param>
    /// <param name="ct">Ends the wait; what was under way may still have been written.</param>
    /// <returns>What became of each, in their order.</returns>
    Task<IReadOnlyList<AcceptOutcome>> AcceptAsync(IReadOnlyList<(DeletionRequest Request, AuditDraft Audit)> requests, CancellationToken ct);

    /// <summary>The request of an id; null where there is none.</summary>
    Task<DeletionRequest?> RequestAsync(string id, CancellationToken ct);

    /// <summary>Requests of a model in some states, by deadline and id.</summary>
    Task<IReadOnlyList<DeletionRequest>> RequestsAsync(string model, IReadOnlyList<RequestState> states, CancellationToken ct);

    /// <summary>Requests of a model by their ids, by deadline and id; unknown ones are left out.</summary>
    Task<IReadOnlyList<DeletionRequest>> RequestsAsync(string model, IReadOnlyCollection<string> ids, CancellationToken ct);

    /// <summary>What has to be known of a model's requests to choose those of a batch: of accepted ones, and of failed ones whose time has come.</summary>
    /// <param name="model">The model.</param>
    /// <param name="now">Now.</param>
    /// <param name="ct">Ends the wait.</param>
    /// <returns>Those that wait, in any order.</returns>
    Task<IReadOnlyList<WaitingRequest>> WaitingAsync(string model, DateTimeOffset now, CancellationToken ct);

    /// <summary>Requests of a model with whose samples something has to be done, by deadline and id.</summary>
    /// <param name="model">The model.</param>
    /// <param name="need">What.</param>
    /// <param name="now">Now: what failed is copied again when its time has come.</param>
    /// <param name="limit">At most so many.</param>
    /// <param name="ct">Ends the wait.</param>
    /// <returns>The requests.</returns>
    Task<IReadOnlyList<DeletionRequest>> CustodyAsync(string model, CustodyNeed need, DateTimeOffset now, int limit, CancellationToken ct);

    /// <summary>Newest requests of a tenant, of one model where it is named, newest first.</summary>
    Task<IReadOnlyList<DeletionRequest>> ListAsync(string tenant, string? model, int limit, CancellationToken ct);

    /// <summary>Counts a tenant's requests, and finds the open ones that are due first.</summary>
    /// <param name="tenant">The tenant.</param>
    /// <param name="now">Now.</param>
    /// <param name="due">At most so many of those.</param>
    /// <param name="ct">Ends the wait.</param>
    Task<RequestCounts> CountAsync(string tenant, DateTimeOffset now, int due, CancellationToken ct);

    /// <summary>Writes a model and what has changed with it.</summary>
    /// <param name="model">The model, with the version it was read or written with.</param>
    /// <param name="change">What has changed.</param>
    /// <param name="ct">Ends the wait; what was under way may still have been written.</param>
    /// <returns>The model with its new version, one higher.</returns>
    /// <exception cref="StaleVersionException">Somebody else has written meanwhile; nothing was written.</exception>
    Task<StoredModel> CommitAsync(StoredModel model, ModelChange change, CancellationToken ct);

    /// <summary>A batch of a model; null where there is none.</summary>
    Task<DeletionBatch?> BatchAsync(string model, int number, CancellationToken ct);

    /// <summary>Versions of a model, by number.</summary>
    Task<IReadOnlyList<ModelVersion>> VersionsAsync(string model, CancellationToken ct);

    /// <summary>Samples that published versions of a model have forgotten, sorted by their bytes.</summary>
    Task<IReadOnlyList<string>> TombstonesAsync(string model, CancellationToken ct);

    /// <summary>
    /// Digests of the bytes that were forgotten under an id, by id, also where the version was taken back since: what the data
    /// has under that id may be something else by now.
    /// </summary>
    Task<IReadOnlyDictionary<string, string>> ContentsAsync(string model, CancellationToken ct);

    /// <summary>Requests that are done because some batches forgot samples of theirs, with all that each named.</summary>
    /// <param name="model">The model.</param>
    /// <param name="batches">The batches.</param>
    /// <param name="ct">Ends the wait.</param>
    Task<IReadOnlyList<RequestSamples>> DoneByAsync(string model, IReadOnlyList<int> batches, CancellationToken ct);

    /// <summary>Those that one batch was the first to forget, sorted by their bytes.</summary>
    Task<IReadOnlyList<string>> TombstonesAsync(string model, int batch, CancellationToken ct);
}

/// <summary>A signed head of an audit chain; none is ever changed.</summary>
/// <param name="Number">Its number; later ones have higher numbers, not without gaps. 0 before it is stored.</param>
/// <param name="Chain">The chain.</param>
/// <param name="Sequence">Place of the chain's last row.</param>
/// <param name="Time">When it was signed (UTC).</param>
/// <param name="KeyId">SHA-256 of the public key (SubjectPublicKeyInfo).</param>
/// <param name="Envelope">The DSSE envelope, which alone is signed: what else stands here helps to find it.</param>
public sealed record StoredHead(long Number, string Chain, long Sequence, DateTimeOffset Time, string KeyId, string Envelope);

/// <summary>Chains of what happened. Rows wait in an inbox, written with what they tell of, until one sequencer gives them their place.</summary>
public interface IAuditStore
{
    /// <summary>Takes the sequencing of a chain over: whoever had it can append no more.</summary>
    /// <param name="chain">The chain.</param>
    /// <param name="ct">Ends the wait.</param>
    /// <returns>The new epoch.</returns>
    Task<long> TakeOverAsync(string chain, CancellationToken ct);

    /// <summary>Gives rows that wait their place, oldest first, in one transaction.</summary>
    /// <param name="chain">The chain.</param>
    /// <param name="epoch">The epoch of the one who appends.</param>
    /// <param name="limit">At most so many.</param>
    /// <param name="ct">Ends the wait.</param>
    /// <returns>How many; null where another epoch has begun, and nothing was written.</returns>
    Task<int?> AppendAsync(string chain, long epoch, int limit, CancellationToken ct);

    /// <summary>Chains with rows that wait.</summary>
    Task<IReadOnlyList<string>> WaitingChainsAsync(CancellationToken ct);

    /// <summary>Rows of a chain in their order.</summary>
    /// <param name="chain">The chain.</param>
    /// <param name="after">Place of the last row already known; 0 for all.</param>
    /// <param name="limit">At most so many.</param>
    /// <param name="ct">Ends the wait.</param>
    Task<IReadOnlyList<AuditEntry>> RowsAsync(string chain, long after, int limit, CancellationToken ct);

    /// <summary>Chains with rows that are under no head of a key.</summary>
    Task<IReadOnlyList<string>> UnsignedChainsAsync(string keyId, CancellationToken ct);

    /// <summary>Stores a head; the first one of a key and place stays.</summary>
    Task AddHeadAsync(StoredHead head, CancellationToken ct);

    /// <summary>The furthest head of a chain and key; null where there is none.</summary>
    Task<StoredHead?> LastHeadAsync(string chain, string keyId, CancellationToken ct);

    /// <summary>Heads of a chain in the order in which they were stored.</summary>
    /// <param name="chain">The chain.</param>
    /// <param name="after">Number of the last head already known; 0 for all.</param>
    /// <param name="limit">At most so many.</param>
    /// <param name="ct">Ends the wait.</param>
    Task<IReadOnlyList<StoredHead>> HeadsAsync(string chain, long after, int limit, CancellationToken ct);
}
