using Scissorhands.Deletion.Models;
using Scissorhands.Deletion.Requests;

namespace Scissorhands.Grains.Deletion;

/// <summary>What became of the copying of a request's samples.</summary>
/// <param name="Id">The request.</param>
/// <param name="Missing">How many of them are neither in the data nor in a copy; where there are any, nothing was copied.</param>
/// <param name="Failure">Why they could not be copied, in words without ids; null where they were, or are missing.</param>
public sealed record CopyOutcome(string Id, int Missing, string? Failure);

/// <summary>What a batch's run takes from copies.</summary>
/// <param name="Damaged">Requests whose copies are missing or damaged; where there are any, no file was made.</param>
/// <param name="Earlier">Samples forgotten before that the data still had, as they were, when they were looked for: copied too, in the order of their ids.</param>
public sealed record GatheredCopies(IReadOnlyList<string> Damaged, IReadOnlyList<string> Earlier);

/// <summary>
/// Copies of the samples of a model's requests, a file a request, in <c>quarantine</c> in the model's folder: what is in it
/// may be erased in the data. Everything may be done again. Calls take long; they block no thread that is not theirs.
/// </summary>
public interface IQuarantine
{
    /// <summary>Copies samples, durably. A request whose copies are there, whole, is found done.</summary>
    /// <param name="model">The model.</param>
    /// <param name="requests">The requests.</param>
    /// <param name="contents">Digests of what was forgotten under some ids before: with other bytes a row is not the sample that was meant.</param>
    /// <param name="ct">Ends the copying; what is done stays.</param>
    /// <returns>What became of each, in their order.</returns>
    Task<IReadOnlyList<CopyOutcome>> CopyAsync(ModelRecord model, IReadOnlyList<RequestSamples> requests, IReadOnlyDictionary<string, string> contents, CancellationToken ct);

    /// <summary>
    /// Puts what a batch's run has to find whatever is erased meanwhile into one file, and checks every byte: the samples of its
    /// requests, from their copies, and those forgotten before that the data still has. The latter are judged again, and must be the
    /// same for all workers and attempts. A file that is there stays as it is.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="requests">Its requests that have copies; of a sample of several the first one's copy is taken.</param>
    /// <param name="earlier">Digests of what was forgotten before, by id.</param>
    /// <param name="ct">Ends it.</param>
    /// <returns>What there is.</returns>
    /// <exception cref="Planning.RunFailedException">The data cannot be read, or is changed again and again; it may pass.</exception>
    Task<GatheredCopies> GatherAsync(ModelRecord model, DeletionBatch batch, IReadOnlyList<RequestSamples> requests, IReadOnlyDictionary<string, string> earlier, CancellationToken ct);

    /// <summary>Digests of the bytes that a batch's run took from copies, by id.</summary>
    /// <param name="model">The model.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="ct">Ends the reading.</param>
    /// <returns>The digests; none where there were no copies.</returns>
    Task<IReadOnlyDictionary<string, string>> ContentsAsync(ModelRecord model, DeletionBatch batch, CancellationToken ct);

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
