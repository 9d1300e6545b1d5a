using System.Runtime.ExceptionServices;

namespace Scissorhands.Messaging.Collectives;

/// <summary>How a compute thread, which must not be left for a continuation, waits for a task.</summary>
internal static class BlockingWait
{
    /// <summary>Blocks until a task has ended, and throws what it failed with.</summary>
    /// <param name="task">The task.</param>
    /// <param name="giveUp">Called where waiting is given up, before that is thrown.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    internal static void For(Task task, Action<OperationCanceledException> giveUp, CancellationToken cancellationToken)
    {
        try
        {
            task.Wait(cancellationToken);
        }
        catch (AggregateException e)
        {
            ExceptionDispatchInfo.Throw(e.InnerException!);
        }
        catch (OperationCanceledException e)
        {
            giveUp(e);
            throw;
        }
    }

    /// <summary>Blocks until a task has ended, whichever way.</summary>
    /// <param name="task">The task.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    internal static void ForEnd(Task task, CancellationToken cancellationToken = default)
    {
        try
        {
            task.Wait(cancellationToken);
        }
        catch (AggregateException)
        {
            // Told to who waits for the task itself.
        }
    }
}
