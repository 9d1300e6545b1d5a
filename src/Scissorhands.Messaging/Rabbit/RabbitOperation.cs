using System.Diagnostics;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Frames;
using Scissorhands.Messaging.Rabbit.Bodies;

namespace Scissorhands.Messaging.Rabbit;

/// <summary>
/// An operation under way on this rank; frames of peers may come before the rank itself does. Each operation has a lock of
/// its own, and never holds it while it ends the group: what is wrong is returned to the caller.
/// </summary>
internal abstract class RabbitOperation : ICollectiveOperation
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _started;
    private Activity? _span;
    private int _waited;
    private int _unsent;
    private bool _ended;
    private CollectiveException? _failure;

    protected RabbitOperation(IOperationHost host, OperationId id)
    {
        Host = host;
        Id = id;
        LastProgress = host.Now;
    }

    public Task Completion => _done.Task;

    public TimeSpan Waited { get; private set; }

    /// <summary>The operation.</summary>
    internal OperationId Id { get; }

    /// <summary>Name of the operation for messages; known once this rank comes to it.</summary>
    internal OperationKey Key { get; set; }

    /// <summary>Whether this rank has come to the operation.</summary>
    internal bool IsStarted { get; private set; }

    /// <summary>Whether a frame of every other rank has come.</summary>
    internal bool IsAllHeard { get; private set; }

    /// <summary>When a frame of the operation came last, or this rank did.</summary>
    internal long LastProgress { get; set; }

    /// <summary>The kind, for the case that two ranks use a key for different things.</summary>
    internal abstract OperationKind Kind { get; }

    protected IOperationHost Host { get; }

    protected Lock Sync { get; } = new();

    // Where waiting is given up, what waits to be sent is memory that the caller is about to free.
    public void Wait(CancellationToken cancellationToken) => BlockingWait.For(_done.Task, Host.Abort, cancellationToken);

    /// <summary>Takes a frame in.</summary>
    /// <returns>What is wrong with it, or null.</returns>
    internal abstract string? Receive(in FrameHeader frame, ReceivedBody payload);

    /// <summary>The ranks without which the operation cannot go on.</summary>
    internal abstract IReadOnlyList<int> Missing();

    /// <summary>Whether anything of a rank, now or later, has yet to come before the operation can end.</summary>
    internal abstract bool Needs(int rank);

    /// <summary>
    /// Gives the operation up. It ends as soon as nothing that waits to be sent refers to the caller's memory any more: who
    /// sees the failure may free that memory.
    /// </summary>
    internal void Fail(CollectiveException failure)
    {
        lock (Sync)
        {
            // What only waits for its last frames to be sent has its result, and peers may have ended it and left already.
            if (_ended || _failure is not null || (IsStarted && IsFinished))
            {
                return;
            }

            _failure = failure;
            Release();
        }

        TryEnd();
    }

    /// <summary>Whether all but sending is done; called within the lock.</summary>
    protected abstract bool IsFinished { get; }

    /// <summary>Whether the operation has ended or been given up: the caller's memory must not be touched. Read within the lock.</summary>
    protected bool IsOver => _ended || _failure is not null;

    /// <summary>Frees what an operation that is given up holds; called within the lock.</summary>
    protected virtual void Release()
    {
    }

    /// <summary>The head of a frame of this operation.</summary>
    protected FrameHeader Frame(FrameKind kind) => new() { Kind = kind, Operation = Kind, Purpose = Id.Purpose, Step = Id.Step };

    /// <summary>Sends memory of the caller's, which the operation then waits for.</summary>
    protected void SendMemory(int target, in FrameHeader frame, ReadOnlyMemory<byte> payload)
    {
        Hold();
        Host.Send(target, frame, payload, LetGo);
    }

    /// <summary>Keeps the operation from ending until <see cref="LetGo"/>.</summary>
    protected void Hold() => Interlocked.Increment(ref _unsent);

    /// <summary>Ends the operation where this was the last thing it waited for.</summary>
    protected void LetGo()
    {
        if (Interlocked.Decrement(ref _unsent) == 0)
        {
            TryEnd();
        }
    }

    /// <summary>Ends the operation where everything is done. Not to be called within the lock.</summary>
    protected void TryEnd()
    {
        lock (Sync)
        {
            if (_ended || Volatile.Read(ref _unsent) > 0 || (_failure is null && !(IsStarted && IsFinished)))
            {
                return;
            }

            _ended = true;
        }

        // Out of the books first: who sees the end may use the key of a next operation or look at the counts.
        Host.Forget(this);
        if (_failure is { } failure)
        {
            if (_done.TrySetException(failure))
            {
                // Observed here: ranks that wait on their compute thread never look at the task.
                _ = _done.Task.Exception;
                End("failed");
            }
        }
        else if (_done.TrySetResult())
        {
            End("completed");
        }
    }

    /// <summary>This rank has come; called within the lock.</summary>
    protected void MarkStarted(OperationKey key)
    {
        Key = key;
        IsStarted = true;
        LastProgress = Host.Now;
        _started = Host.Now;
        _span = CollectiveMeters.Spans.StartActivity(Kind.ToString());
        _span?.SetTag("scissorhands.operation", key.Purpose).SetTag("scissorhands.step", key.Step);
    }

    /// <summary>A frame of every other rank has come.</summary>
    protected void MarkAllHeard()
    {
        IsAllHeard = true;
        if (IsStarted && Interlocked.Exchange(ref _waited, 1) == 0)
        {
            Waited = Host.Elapsed(_started);
            CollectiveMeters.Waited(Kind.ToString(), Waited);
        }
    }

    private void End(string outcome)
    {
        if (IsStarted)
        {
            CollectiveMeters.Completed(Kind.ToString(), Host.Elapsed(_started), outcome);
        }

        _span?.SetStatus(outcome == "failed" ? ActivityStatusCode.Error : ActivityStatusCode.Ok).Dispose();
    }
}

/// <summary>An operation's key as frames carry it.</summary>
/// <param name="Purpose">Hash of the purpose.</param>
/// <param name="Step">Step.</param>
internal readonly record struct OperationId(ulong Purpose, long Step);

/// <summary>What operations need of their group.</summary>
internal interface IOperationHost
{
    /// <summary>This rank.</summary>
    int Rank { get; }

    /// <summary>Ranks of the group.</summary>
    int Size { get; }

    /// <summary>Settings.</summary>
    CollectiveOptions Options { get; }

    /// <summary>A timestamp of the group's clock.</summary>
    long Now { get; }

    /// <summary>Time since a timestamp.</summary>
    TimeSpan Elapsed(long since);

    /// <summary>Puts a frame behind those that wait to be sent.</summary>
    /// <param name="target">A rank, or -1 for all others.</param>
    /// <param name="frame">The header; source, run, generation and numbers are filled in.</param>
    /// <param name="payload">Memory that stays as it is until <paramref name="sent"/>.</param>
    /// <param name="sent">Called when the memory may be changed; null where nobody cares.</param>
    void Send(int target, FrameHeader frame, ReadOnlyMemory<byte> payload, Action? sent);

    /// <summary>Ends all operations of the group; returns when nothing touches their memory any more.</summary>
    void Abort(Exception reason);

    /// <summary>The operation has ended.</summary>
    void Forget(RabbitOperation operation);
}
