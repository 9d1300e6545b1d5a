using System.Text.Json.Serialization;

namespace Scissorhands.Deletion.Requests;

/// <summary>What became of the names in a request. Positions count from 0 within the caller's own list.</summary>
public sealed record Resolution
{
    /// <summary>Different samples that are to be forgotten.</summary>
    public required int Samples { get; init; }

    /// <summary>Names that nothing in the data has, one by one, as they were given.</summary>
    public IReadOnlyList<string> Unknown { get; init; } = [];

    /// <summary>Names given more than once, or whose samples another name of the request has named already.</summary>
    public IReadOnlyList<string> Duplicates { get; init; } = [];

    /// <summary>Names whose samples an earlier run of the model has forgotten.</summary>
    public IReadOnlyList<string> AlreadyForgotten { get; init; } = [];
}

/// <summary>One deletion request to one model, as the store holds it.</summary>
public sealed record DeletionRequest
{
    private readonly DateTimeOffset? _acceptedAt;
    private readonly bool _wasAccepted;

    /// <summary>The service's id.</summary>
    public required string Id { get; init; }

    /// <summary>Whose audit chain it is written to.</summary>
    public required string Tenant { get; init; }

    /// <summary>Who asked, as the door has authenticated it.</summary>
    public required string Principal { get; init; }

    /// <summary>The caller's own id.</summary>
    public required string CallerId { get; init; }

    /// <summary>SHA-256 of what was asked.</summary>
    public required string BodyDigest { get; init; }

    /// <summary>The model.</summary>
    public required string Model { get; init; }

    /// <summary>When the person asked (UTC).</summary>
    public required DateTimeOffset ReceivedAt { get; init; }

    /// <summary>When it became durable here (UTC), before its samples were copied.</summary>
    [JsonPropertyName("acceptedAt")]
    public required DateTimeOffset StoredAt { get; init; }

    /// <summary>
    /// When it was first accepted (UTC), its samples copied: from then on its rows may be erased at any moment, whatever becomes
    /// of it. Null before, and where it never was. For one that a former version of the program wrote: when it became durable.
    /// </summary>
    [JsonPropertyName("acceptedSince")]
    public DateTimeOffset? AcceptedAt
    {
        get => _acceptedAt ?? (_wasAccepted ? StoredAt : null);
        init => _acceptedAt = value;
    }

    /// <summary>All that a former version of the program wrote of it, and reads where it works beside this one.</summary>
    [JsonInclude]
    [JsonPropertyName("rowsMayGo")]
    internal bool WasAccepted
    {
        get => AcceptedAt is not null;
        init => _wasAccepted = value;
    }

    /// <summary>
    /// Since when its rows may be erased (UTC), as callers are told: null where it has to be copied again, as its copies were
    /// damaged or a version that knows its samples is in use again.
    /// </summary>
    [JsonIgnore]
    public DateTimeOffset? RowsMayGoSince => State == RequestState.Received || (State == RequestState.Failed && QuarantinedAt is null) ? null : AcceptedAt;

    /// <summary>When it has to be done (UTC).</summary>
    public required DateTimeOffset Deadline { get; init; }

    /// <summary>Where it stands.</summary>
    public required RequestState State { get; init; }

    /// <summary>Why it was rejected, failed or cancelled, or is to be tried again; null for none.</summary>
    public string? Reason { get; init; }

    /// <summary>When a failed one is tried again (UTC); null where an operator has to say so.</summary>
    public DateTimeOffset? RetryAt { get; init; }

    /// <summary>The batch it is or was part of; null before.</summary>
    public int? Batch { get; init; }

    /// <summary>When it reached a final state (UTC).</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Whether it goes on hold, and not to the batches, once its samples are copied.</summary>
    public bool LegalHold { get; init; }

    /// <summary>Since when its samples are in quarantine (UTC); null where they are not yet, or no longer.</summary>
    public DateTimeOffset? QuarantinedAt { get; init; }

    /// <summary>Ids of its samples; null once they are forgotten and only proof is needed.</summary>
    public IReadOnlyList<string>? Samples { get; init; }

    /// <summary>
    /// Ids that it names as well and that an earlier run had forgotten: they are its samples again where that run's version is
    /// taken back. Empty once it has ended.
    /// </summary>
    public IReadOnlyList<string> ForgottenBefore { get; init; } = [];

    /// <summary>Where its trace goes on (W3C trace context); null where it was not traced.</summary>
    public string? Trace { get; init; }

    /// <summary>What became of its names, as it was answered first; without names once it is completed.</summary>
    public required Resolution Resolution { get; init; }

    /// <summary>The same once some of what it found forgotten is known again: it is to forget that, too.</summary>
    /// <param name="isKnown">Whether the model knows a sample.</param>
    /// <returns>The request.</returns>
    /// <exception cref="InvalidOperationException">It has ended, and names nothing any more.</exception>
    public DeletionRequest KnownAgain(Func<string, bool> isKnown)
    {
        ArgumentNullException.ThrowIfNull(isKnown);
        var known = ForgottenBefore.ToLookup(isKnown);
        IReadOnlyList<string> samples = [.. Samples ?? throw new InvalidOperationException($"request {Id} has ended"), .. known[true]];
        return this with { Samples = samples, ForgottenBefore = [.. known[false]], Resolution = Resolution with { Samples = samples.Count } };
    }

    /// <summary>The same without any name in it, as it stays once it has ended.</summary>
    /// <returns>The request.</returns>
    public DeletionRequest WithoutNames() => this with { Samples = null, ForgottenBefore = [], Resolution = new Resolution { Samples = Resolution.Samples } };
}
