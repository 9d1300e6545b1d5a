namespace Scissorhands.Worker.Run;

/// <summary>
/// The one thread on which a worker's tensor code runs. Dispose scopes and gradient modes of TorchSharp are bound to the
/// thread that opened them, so nothing here ever awaits.
/// </summary>
public static class ComputeThread
{
    /// <summary>Runs work on a thread of its own.</summary>
    /// <param name="name">Name of the thread.</param>
    /// <param name="work">The work; runs to its end on the one thread.</param>
    /// <returns>Completes or fails with the work.</returns>
    public static Task Run(string name, Action work)
    {
        ArgumentNullException.ThrowIfNull(work);
        var completion = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(
            () =>
            {
                try
                {
                    work();
                    completion.SetResult();
                }
                catch (OperationCanceledException e)
                {
                    completion.SetCanceled(e.CancellationToken);
                }
                catch (Exception e)
                {
                    completion.SetException(e);
                }
            },
            maxStackSize: 16 * 1024 * 1024)
        {
            IsBackground = true,
            Name = name,
        };
        thread.Start();
        return completion.Task;
    }
}
