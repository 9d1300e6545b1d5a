using Scissorhands.Messaging.Collectives;

namespace Scissorhands.Messaging.Rabbit;

/// <summary>An operation under way on this rank; frames of peers may come before the rank itself.</summary>
internal abstract class RabbitOperation : ICollectiveOperation
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task Completion => _done.Task;

    public void Wait(CancellationToken cancellationToken)
    {
        try
        {
            _done.Task.Wait(cancellationToken);
        }
        catch (AggregateException e)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(e.InnerException!);
        }
    }

    /// <summary>Whether this rank has come to the operation.</summary>
    internal bool Started { get; set; }

    /// <summary>Takes a frame in, under the group's lock.</summary>
    /// <returns>What is wrong with it, or null.</returns>
    internal abstract string? Receive(TensorFrame frame);

    /// <summary>Everything that is still to be done here has been done.</summary>
    internal abstract bool IsFinished { get; }

    internal void Complete() => _done.TrySetResult();

    internal void Fail(CollectiveException failure)
    {
        if (_done.TrySetException(failure))
        {
            _ = _done.Task.Exception;
        }
    }
}

/// <summary>A barrier: complete when a frame of every other rank has come.</summary>
internal sealed class RabbitBarrier(int size, int rank) : RabbitOperation
{
    private readonly HashSet<int> _come = [rank];

    internal override bool IsFinished => Started && _come.Count == size;

    internal override string? Receive(TensorFrame frame)
    {
        if (frame.Kind != FrameKind.Barrier)
        {
            return $"a {frame.Kind} frame for a barrier";
        }

        _come.Add(frame.Rank);
        return null;
    }
}
