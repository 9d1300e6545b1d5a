using Scissorhands.Deletion.Models;
using Scissorhands.Deletion.Requests;

namespace Scissorhands.Grains.Deletion;

/// <summary>What became of the copying of a request's samples.</summary>
/// <param name="Id">The request.</param>
/// <param name="Missing">How many of them are neither in the data nor in a copy; where there are any, nothing was copied.</param>
/// <param name="Failure">Why they could not be copied, in words without ids; null where they were, or are missing.</param>
public sealed record CopyOutcome(string Id, int Missing, string? Failure);

/// <summary>
/// Copies of the samples of a model's requests, a file a request, in <c>quarantine</c> in the model's folder: what is in it
/// may be erased in the data. Everything may be done again. Calls take long; they block no thread that is not theirs.
/// </summary>
public interface IQuarantine
{
    /// <summary>Copies samples, durably. A request whose copies are there, whole, is found done.</summary>
    /// <param name="model">The model.</param>
    /// <param name="requests">The requests.</param>
    /// <param name="ct">Ends the copying; what is done stays.</param>
    /// <returns>What became of each, in their order.</returns>
    Task<IReadOnlyList<CopyOutcome>> CopyAsync(ModelRecord model, IReadOnlyList<RequestSamples> requests, CancellationToken ct);

    /// <summary>Puts the samples of a batch's run into one file, from the copies of its requests, and checks every byte.</summary>
    /// <param name="model">The model.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="requests">Its requests that have copies; of a sample of several the first one's copy is taken.</param>
    /// <param name="ct">Ends it.</param>
    /// <returns>Requests whose copies are missing or damaged; where there are any, no file was made.</returns>
    Task<IReadOnlyList<string>> GatherAsync(ModelRecord model, DeletionBatch batch, IReadOnlyList<RequestSamples> requests, CancellationToken ct);

    /// <summary>Takes out of the copies of a request what it need not keep.</summary>
    /// <param name="model">The model.</param>
    /// <param name="request">The request, with the samples that stay.</param>
    /// <param name="ct">Ends it.</param>
    /// <returns>Completes when no file holds the others.</returns>
    Task TrimAsync(ModelRecord model, RequestSamples request, CancellationToken ct);

    /// <summary>Destroys the copies of requests, also those that were never finished.</summary>
    /// <param name="model">The model.</param>
    /// <param name="requests">The requests.</param>
    /// <param name="ct">Ends it.</param>
    /// <returns>Completes when they are gone.</returns>
    Task DestroyAsync(ModelRecord model, IReadOnlyList<string> requests, CancellationToken ct);

    /// <summary>Requests of which there is any file, finished or not.</summary>
    /// <param name="model">The model.</param>
    /// <param name="ct">Ends the listing.</param>
    /// <returns>Their ids.</returns>
    Task<IReadOnlyList<string>> ListAsync(ModelRecord model, CancellationToken ct);
}
