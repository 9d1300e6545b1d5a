using Scissorhands.Abstractions.Cluster;
using Scissorhands.Deletion.Batching;
using Scissorhands.Deletion.Gate;
using Scissorhands.Deletion.Models;
using Scissorhands.Grains.Store;

namespace Scissorhands.Grains.Deletion;

/// <summary>A version's files as they were published.</summary>
/// <param name="File">The file that is loaded.</param>
/// <param name="Sha256">Its SHA-256.</param>
/// <param name="Files">All files of the version by name, with their SHA-256.</param>
public sealed record PublishedVersion(string File, string Sha256, IReadOnlyDictionary<string, string> Files);

/// <summary>Which samples a run treats how.</summary>
/// <param name="Forget">Ids to forget.</param>
/// <param name="Earlier">Ids forgotten before that are judged again: those that the copies gathered for the batch hold.</param>
/// <param name="Withheld">Ids that are left out of everything, as their rows may be erased at any moment: those of requests that wait, and all others forgotten before.</param>
/// <param name="Copied">Whether those to forget are taken from the copies that were gathered for the batch, and not from the data.</param>
public sealed record RunSamples(IReadOnlyList<string> Forget, IReadOnlyList<string> Earlier, IReadOnlyList<string> Withheld, bool Copied);

/// <summary>
/// A model's folder on shared storage: versions, the pointer to the one in use, and what batches work on. Everything may be
/// done again after a crash: what was done already is found done.
/// </summary>
public interface IVersionFolders
{
    /// <summary>Copies the registered file to its place as version 0 and checks its SHA-256.</summary>
    /// <param name="model">The model.</param>
    /// <param name="ct">Ends the copying.</param>
    /// <returns>The version.</returns>
    /// <exception cref="Planning.InputException">The file is missing, or another one than was registered.</exception>
    Task<ModelVersion> AdoptAsync(ModelRecord model, CancellationToken ct);

    /// <summary>How far a version that was just published is from the one that was registered.</summary>
    /// <param name="model">The model.</param>
    /// <param name="versions">The versions before it.</param>
    /// <param name="version">Its number.</param>
    /// <param name="forgotten">Samples forgotten since registration, its own among them.</param>
    /// <param name="ct">Ends the reading.</param>
    /// <returns>How far; null where the reports of its lineage cannot be read.</returns>
    Task<LineageDrift?> DriftAsync(ModelRecord model, IReadOnlyList<ModelVersion> versions, int version, long forgotten, CancellationToken ct);

    /// <summary>
    /// Writes the lists of an attempt's samples and makes the order of its run. What is withheld is decided once a batch: workers
    /// that join a run later read the same list.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="attempt">The attempt.</param>
    /// <param name="from">The version it starts from.</param>
    /// <param name="samples">Its samples.</param>
    /// <param name="ct">Ends the writing.</param>
    /// <returns>The order.</returns>
    Task<RunOrder> PrepareAsync(StoredModel model, DeletionBatch batch, BatchAttempt attempt, ModelVersion from, RunSamples samples, CancellationToken ct);

    /// <summary>Reads what an attempt's run measured.</summary>
    /// <param name="model">The model.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="attempt">The attempt.</param>
    /// <param name="ct">Ends the reading.</param>
    /// <returns>The figures.</returns>
    Task<GateFigures> FiguresAsync(StoredModel model, DeletionBatch batch, BatchAttempt attempt, CancellationToken ct);

    /// <summary>Makes an attempt's results a version's folder, all at once.</summary>
    /// <param name="model">The model.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="attempt">The attempt.</param>
    /// <param name="number">The version's number.</param>
    /// <param name="ct">Ends the publication.</param>
    /// <returns>The files.</returns>
    Task<PublishedVersion> PublishAsync(StoredModel model, DeletionBatch batch, BatchAttempt attempt, int number, CancellationToken ct);

    /// <summary>Points <c>current</c> at a version, atomically.</summary>
    /// <param name="model">The model.</param>
    /// <param name="version">The version.</param>
    /// <param name="ct">Ends the pointing.</param>
    /// <returns>Completes when readers see it.</returns>
    Task PointAsync(ModelRecord model, int version, CancellationToken ct);

    /// <summary>Destroys what still knows a batch's samples: attempts with their checkpoints, the forget list, superseded versions.</summary>
    /// <param name="model">The model.</param>
    /// <param name="batch">The batch.</param>
    /// <param name="superseded">Versions whose weights are to go.</param>
    /// <param name="ct">Ends the destruction.</param>
    /// <returns>What is gone, in words without ids.</returns>
    Task<IReadOnlyList<string>> DestroyAsync(StoredModel model, DeletionBatch batch, IReadOnlyList<ModelVersion> superseded, CancellationToken ct);

    /// <summary>Deletes what batches that have ended left, and what a coordinator wrote that did not know that they had.</summary>
    /// <param name="model">The model; the folder of its open batch stays.</param>
    /// <param name="ct">Ends the removal.</param>
    /// <returns>Completes when it is gone.</returns>
    Task SweepAsync(StoredModel model, CancellationToken ct);
}
