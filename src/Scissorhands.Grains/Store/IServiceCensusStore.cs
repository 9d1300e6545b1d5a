namespace Scissorhands.Grains.Store;

/// <summary>Counts what is in the store, for those who watch the service.</summary>
public interface IServiceCensusStore
{
    /// <summary>Counts, with one attempt: who watches wants to see that the store is away.</summary>
    /// <param name="signingKeyId">The key whose audit heads count; null where none are signed.</param>
    /// <param name="ct">Ends the attempt.</param>
    /// <returns>The counts, without the models' figures.</returns>
    Task<ServiceCensus> CountAsync(string? signingKeyId, CancellationToken ct);
}
