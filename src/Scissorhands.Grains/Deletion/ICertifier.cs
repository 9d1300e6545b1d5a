using Scissorhands.Deletion.Models;
using Scissorhands.Deletion.Requests;
using Scissorhands.Grains.Store;

namespace Scissorhands.Grains.Deletion;

/// <summary>Certifies what was forgotten.</summary>
public interface ICertifier
{
    /// <summary>Writes the certificate of a batch into its version's folder.</summary>
    /// <param name="model">The model.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="version">The version.</param>
    /// <param name="from">The version it was made of.</param>
    /// <param name="requests">The batch's requests.</param>
    /// <param name="forgotten">Ids that the version no longer knows and the one before did, each once.</param>
    /// <param name="ct">Ends the writing.</param>
    /// <returns>SHA-256 of the certificate's file.</returns>
    Task<string> CertifyAsync(StoredModel model, DeletionBatch batch, ModelVersion version, ModelVersion from, IReadOnlyList<DeletionRequest> requests, IReadOnlyList<string> forgotten, CancellationToken ct);

    /// <summary>SHA-256 (lower-case hex) of the file of a version's certificate; null where it has none.</summary>
    /// <param name="model">The model.</param>
    /// <param name="version">The version's number.</param>
    /// <param name="ct">Ends the reading.</param>
    Task<string?> DigestAsync(StoredModel model, int version, CancellationToken ct);
}
