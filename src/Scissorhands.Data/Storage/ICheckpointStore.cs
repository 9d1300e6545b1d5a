using Scissorhands.Planning;

namespace Scissorhands.Data.Storage;

/// <summary>
/// Durable objects of one run, which all its workers reach, in whatever generation they are: a folder on a shared file
/// system, or a prefix of an object store. Promised is what both can hold: an object is there whole or not at all, is read by
/// ranges, and is never changed but by being put again. There is no renaming, appending or locking. All members may be called
/// from several threads and processes at once; they block, as compute threads do, so an implementation that waits for a
/// network has deadlines of its own.
/// </summary>
/// <remarks>
/// An <see cref="IOException"/> says that the store did not do or not confirm something: what was put or deleted may be there
/// or not, and the same call may be made again. Equal keys are only ever put with equal bytes, so that it does not matter who
/// comes last.
/// </remarks>
public interface ICheckpointStore
{
    /// <summary>Where the objects lie, for messages.</summary>
    string Location { get; }

    /// <summary>Stores an object. When this returns, it is durable and every worker can open it.</summary>
    /// <param name="key">One of <see cref="CheckpointKey"/>; an object of that key is replaced.</param>
    /// <param name="length">Bytes that <paramref name="content"/> writes.</param>
    /// <param name="content">
    /// Writes the bytes in pieces, straight from where they are. Called once at most, on the calling thread: what it writes may
    /// come from other workers and cannot be had again.
    /// </param>
    /// <param name="cancellationToken">Gives up; what was written so far is no object.</param>
    /// <exception cref="IOException">Not stored, or not known to be.</exception>
    void Put(string key, long length, Action<Stream> content, CancellationToken cancellationToken);

    /// <summary>Opens an object that was put before, by whomever.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="cancellationToken">Ends every wait, those of later reads too.</param>
    /// <returns>The object; the caller disposes it.</returns>
    /// <exception cref="InputException">There is no such object; names it.</exception>
    /// <exception cref="IOException">The store does not answer.</exception>
    IStoredObject Open(string key, CancellationToken cancellationToken);

    /// <summary>
    /// Lists objects. The list may lag behind what was put and deleted, so nothing may depend on it but tidying up; what must be
    /// found is opened by its key.
    /// </summary>
    /// <param name="prefix">How their keys begin.</param>
    /// <param name="cancellationToken">Ends every wait.</param>
    /// <returns>Keys, in any order.</returns>
    /// <exception cref="IOException">The store does not answer.</exception>
    IReadOnlyCollection<string> List(string prefix, CancellationToken cancellationToken);

    /// <summary>Deletes an object where there is one.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="cancellationToken">Ends every wait.</param>
    /// <exception cref="IOException">Not deleted, or not known to be.</exception>
    void Delete(string key, CancellationToken cancellationToken);

    /// <summary>
    /// Deletes all objects, and what puts that never ended have left: both hold gradients of samples that are to be forgotten.
    /// An implementation whose lists lag goes on until nothing is left.
    /// </summary>
    /// <param name="cancellationToken">Ends every wait.</param>
    /// <returns>Objects deleted.</returns>
    /// <exception cref="IOException">Something is left, or not known to be deleted.</exception>
    int Clear(CancellationToken cancellationToken);
}
