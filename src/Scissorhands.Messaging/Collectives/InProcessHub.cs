namespace Scissorhands.Messaging.Collectives;

/// <summary>What the ranks of an in-process group share: the operations under way and the reason for its end.</summary>
internal sealed class InProcessHub
{
    private readonly Lock _gate = new();
    private readonly Dictionary<OperationKey, InProcessRendezvous> _gathering = [];
    private readonly HashSet<InProcessOperation> _running = [];
    private readonly HashSet<InProcessLeasedSum> _leased = [];
    private readonly Dictionary<OperationKey, InProcessLeasedSum> _leasedByKey = [];
    private readonly Dictionary<string, StepSet> _used = new(StringComparer.Ordinal);
    private readonly bool[] _left;
    private GroupFailure? _failure;

    internal InProcessHub(string runId, long generation, int size)
    {
        RunId = runId;
        Generation = generation;
        Size = size;
        _left = new bool[size];
    }

    internal string RunId { get; }

    internal long Generation { get; }

    internal int Size { get; }

    /// <summary>Operations and open sums in the books.</summary>
    internal int Live
    {
        get
        {
            lock (_gate)
            {
                return _gathering.Count + _running.Count + _leased.Count;
            }
        }
    }

    /// <summary>A rank comes to an operation; the last one starts it.</summary>
    internal ICollectiveOperation Join<T>(OperationKey key, int rank, InProcessRendezvous<T>.Contribution contribution, Func<InProcessRendezvous<T>> create)
    {
        InProcessRendezvous operation;
        GroupFailure? failure;
        var complete = false;
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_left[rank], typeof(InProcessGroup));
            failure = _failure ?? FailureOfLeavers(key);
            if (failure is null && !_gathering.TryGetValue(key, out operation!))
            {
                if (TryUse(key))
                {
                    operation = create();
                    _gathering.Add(key, operation);
                }
                else
                {
                    failure = new GroupFailure(rank, key, "the key has been used before");
                    operation = create();
                }
            }
            else
            {
                operation = failure is null ? _gathering[key] : create();
            }

            if (failure is null)
            {
                if (operation is not InProcessRendezvous<T> same || !same.TryJoin(rank, contribution))
                {
                    failure = new GroupFailure(rank, key, operation.Has(rank) ? "the key is used twice by this rank" : "the ranks use the key for different operations");
                }
                else if (operation.Arrived == Size)
                {
                    complete = true;
                    _gathering.Remove(key);
                    _running.Add(operation);
                }
            }
        }

        if (complete)
        {
            var problem = operation.Prepare(out var units, out var culprit);
            if (problem is null)
            {
                operation.Start(units);
            }
            else
            {
                failure = new GroupFailure(culprit, key, problem);
            }
        }

        if (failure is not null)
        {
            Fail(failure);
            operation.Fail(failure);
        }

        return new InProcessOperation.Handle(operation);
    }

    /// <summary>A rank opens its part of a leased sum.</summary>
    internal ILeasedSum OpenLeased(OperationKey key, int rank, int leaves, int length, IReadOnlyList<SubtreeSum> restored)
    {
        GroupFailure? failure;
        InProcessLeasedSum? sum = null;
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_left[rank], typeof(InProcessGroup));
            failure = _failure ?? FailureOfLeavers(key);
            if (failure is null && !_leasedByKey.TryGetValue(key, out sum))
            {
                if (TryUse(key))
                {
                    sum = new InProcessLeasedSum(this, key, leaves, length);
                    _leased.Add(sum);
                    _leasedByKey.Add(key, sum);
                }
                else
                {
                    failure = new GroupFailure(rank, key, "the key has been used before");
                }
            }
        }

        ILeasedSum? part = null;
        if (failure is null)
        {
            var problem = sum!.TryOpen(rank, leaves, length, restored, out part);
            failure = problem is null ? null : new GroupFailure(rank, key, problem);
        }

        if (failure is null)
        {
            return part!;
        }

        Fail(failure);
        throw Describe(failure, key);
    }

    /// <summary>Enters an operation that does not gather ranks; false where the group has ended.</summary>
    internal bool TryEnter(InProcessOperation operation, out GroupFailure? failure)
    {
        lock (_gate)
        {
            failure = _failure;
            return failure is null && _running.Add(operation);
        }
    }

    internal void Forget(InProcessOperation operation)
    {
        lock (_gate)
        {
            _running.Remove(operation);
        }
    }

    internal void Forget(InProcessLeasedSum sum)
    {
        lock (_gate)
        {
            _leased.Remove(sum);
            _leasedByKey.Remove(sum.Key);
        }
    }

    /// <summary>Ends every running and future operation.</summary>
    internal void Fail(GroupFailure failure)
    {
        List<InProcessOperation> operations;
        List<InProcessLeasedSum> sums;
        lock (_gate)
        {
            _failure ??= failure;
            failure = _failure;
            operations = [.. _gathering.Values, .. _running];
            sums = [.. _leased];
            _gathering.Clear();
        }

        foreach (var operation in operations)
        {
            operation.Fail(failure);
        }

        foreach (var sum in sums)
        {
            sum.Fail(failure);
        }
    }

    /// <summary>Blocks until no thread works on an operation any more; after <see cref="Fail"/>.</summary>
    internal void WaitForEnd()
    {
        InProcessOperation[] ending;
        lock (_gate)
        {
            ending = [.. _running];
        }

        foreach (var operation in ending)
        {
            BlockingWait.ForEnd(operation.Done);
        }
    }

    /// <summary>A rank goes. Operations that wait for it end with the group's failure.</summary>
    internal void Leave(int rank)
    {
        GroupFailure? failure = null;
        lock (_gate)
        {
            _left[rank] = true;
            foreach (var operation in _gathering.Values)
            {
                if (!operation.Has(rank))
                {
                    failure = new GroupFailure(rank, operation.Key, "the rank has left the group");
                    break;
                }
            }
        }

        if (failure is not null)
        {
            Fail(failure);
        }
    }

    /// <summary>The exception of an operation that ended with the group.</summary>
    internal CollectiveException Describe(GroupFailure failure, OperationKey key) => failure.Describe(RunId, Generation, key);

    private GroupFailure? FailureOfLeavers(OperationKey key)
    {
        var rank = Array.IndexOf(_left, true);
        return rank < 0 ? null : new GroupFailure(rank, key, "the rank has left the group");
    }

    private bool TryUse(OperationKey key)
    {
        if (!_used.TryGetValue(key.Purpose, out var steps))
        {
            _used.Add(key.Purpose, steps = new StepSet());
        }

        if (steps.Contains(key.Step))
        {
            return false;
        }

        steps.Add(key.Step);
        return true;
    }
}
