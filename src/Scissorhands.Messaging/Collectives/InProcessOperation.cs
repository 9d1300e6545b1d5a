using System.Buffers;

namespace Scissorhands.Messaging.Collectives;

/// <summary>
/// Work cut into units that whoever waits for it does: each waiting compute thread takes units until none is left, so
/// that as many threads share the work as there are ranks waiting and no others compete for their cores. A rank that
/// awaits <see cref="ICollectiveOperation.Completion"/> instead lends a thread of the pool.
/// </summary>
internal abstract class InProcessOperation
{
    private readonly InProcessHub _hub;
    private readonly Lock _sync = new();
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile GroupFailure? _failure;
    private long _startedAt;
    private int _units = -1;
    private int _next;
    private int _remaining;
    private int _active;
    private int _helpersWanted;

    protected InProcessOperation(InProcessHub hub, OperationKey key)
    {
        _hub = hub;
        Key = key;
    }

    /// <summary>The operation.</summary>
    internal OperationKey Key { get; }

    /// <summary>Ends when the work is done or given up and no thread touches the ranks' memory any more.</summary>
    internal Task Done => _done.Task;

    /// <summary>Elements of scratch memory a working thread needs.</summary>
    protected virtual int ScratchElements => 0;

    /// <summary>One unit of the work; units are independent of each other.</summary>
    protected abstract void RunUnit(int unit, Span<float> scratch);

    /// <summary>Everything the units need is there.</summary>
    /// <param name="units">Number of units.</param>
    internal void Start(int units)
    {
        int helpers;
        bool finished;
        lock (_sync)
        {
            if (_units >= 0 || _done.Task.IsCompleted)
            {
                return;
            }

            _startedAt = TimeProvider.System.GetTimestamp();
            _remaining = units;
            Volatile.Write(ref _units, units);
            helpers = Math.Min(_helpersWanted, units);
            finished = units == 0;
        }

        if (finished)
        {
            Finish();
        }

        _started.TrySetResult();
        for (var i = 0; i < helpers; i++)
        {
            QueueHelper();
        }
    }

    /// <summary>Gives the operation up; it ends as soon as no thread works on it.</summary>
    internal void Fail(GroupFailure failure)
    {
        bool idle;
        lock (_sync)
        {
            if (_done.Task.IsCompleted)
            {
                return;
            }

            _failure ??= failure;
            idle = _active == 0;
        }

        if (idle)
        {
            Finish();
        }

        _started.TrySetResult();
    }

    /// <summary>Lends a thread of the pool to the operation.</summary>
    internal void AddHelper()
    {
        lock (_sync)
        {
            if (_units < 0)
            {
                _helpersWanted++;
                return;
            }
        }

        if (!_done.Task.IsCompleted)
        {
            QueueHelper();
        }
    }

    /// <summary>Works along and blocks until the operation has ended.</summary>
    internal void Wait(CancellationToken cancellationToken)
    {
        try
        {
            _started.Task.Wait(cancellationToken);
            Work(cancellationToken);
            if (!_done.Task.IsCompleted)
            {
                _done.Task.Wait(cancellationToken);
            }
        }
        catch (AggregateException)
        {
            // Told apart below: every waiter gets an exception object of its own.
        }
        catch (OperationCanceledException)
        {
            // Other ranks' threads may be reading the memory that the caller is about to free.
            _hub.Fail(new GroupFailure(-1, Key, "a rank has given up waiting"));
            BlockingWait.ForEnd(_done.Task, CancellationToken.None);
            throw;
        }

        if (_failure is { } failure && _done.Task.IsFaulted)
        {
            throw _hub.Describe(failure, Key);
        }
    }

    private void QueueHelper() =>
        ThreadPool.UnsafeQueueUserWorkItem(static operation => operation.Work(CancellationToken.None), this, preferLocal: false);

    private void Work(CancellationToken cancellationToken)
    {
        lock (_sync)
        {
            if (_failure is not null || Volatile.Read(ref _next) >= _units)
            {
                return;
            }

            _active++;
        }

        float[]? scratch = null;
        GroupFailure? failure = null;
        try
        {
            if (ScratchElements > 0)
            {
                scratch = ArrayPool<float>.Shared.Rent(ScratchElements);
            }

            while (_failure is null && !cancellationToken.IsCancellationRequested)
            {
                var unit = Interlocked.Increment(ref _next) - 1;
                if (unit >= _units)
                {
                    break;
                }

                RunUnit(unit, scratch);
                Interlocked.Decrement(ref _remaining);
            }
        }
        catch (Exception e)
        {
            failure = new GroupFailure(-1, Key, e.Message, e);
        }

        if (scratch is not null)
        {
            ArrayPool<float>.Shared.Return(scratch);
        }

        bool last;
        lock (_sync)
        {
            _failure ??= failure;
            last = --_active == 0 && (_failure is not null || Volatile.Read(ref _remaining) == 0);
        }

        if (last)
        {
            Finish();
        }

        if (failure is not null)
        {
            _hub.Fail(failure);
        }
    }

    private void Finish()
    {
        // Out of the hub's books first: who sees the end may use the key of a next operation or look at the counts.
        _hub.Forget(this);
        if (_failure is { } failure)
        {
            if (_done.TrySetException(_hub.Describe(failure, Key)))
            {
                // Observed here: ranks that wait on their compute thread never look at the task.
                _ = _done.Task.Exception;
            }
        }
        else
        {
            _done.TrySetResult();
        }
    }

    /// <summary>One rank's view of an operation.</summary>
    internal sealed class Handle(InProcessOperation operation) : ICollectiveOperation
    {
        private readonly long _came = TimeProvider.System.GetTimestamp();
        private int _helps;

        public Task Completion
        {
            get
            {
                if (Interlocked.Exchange(ref _helps, 1) == 0)
                {
                    operation.AddHelper();
                }

                return operation.Done;
            }
        }

        public TimeSpan Waited => operation._startedAt > _came ? TimeProvider.System.GetElapsedTime(_came, operation._startedAt) : TimeSpan.Zero;

        public void Wait(CancellationToken cancellationToken) => operation.Wait(cancellationToken);
    }
}
