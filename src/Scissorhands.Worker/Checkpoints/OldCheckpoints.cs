using Scissorhands.Data.Storage;

namespace Scissorhands.Worker.Checkpoints;

/// <summary>Deletes checkpoints that newer ones have taken the place of.</summary>
internal static class OldCheckpoints
{
    /// <summary>Deletes what can be deleted now.</summary>
    /// <param name="store">The run's store.</param>
    /// <param name="prefix">How the keys begin.</param>
    /// <param name="isOld">Whether a key is that of an old one.</param>
    /// <param name="cancellationToken">Ends every wait.</param>
    public static void Delete(ICheckpointStore store, string prefix, Func<string, bool> isOld, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var key in store.List(prefix, cancellationToken))
            {
                if (isOld(key))
                {
                    store.Delete(key, cancellationToken);
                }
            }
        }
        catch (IOException)
        {
            // No reason to lose a generation: what is left takes room only, the next checkpoint tries again, and the end of the
            // run does not go by before all of it is gone.
        }
    }
}
