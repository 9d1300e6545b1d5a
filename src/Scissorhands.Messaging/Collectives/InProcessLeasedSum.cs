using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Collectives;

/// <summary>
/// A leased sum whose owners live in one process. Each owner's range is folded under a lock of its own; contributions
/// that come before all owners have opened wait for them.
/// </summary>
internal sealed class InProcessLeasedSum
{
    private readonly InProcessHub _hub;
    private readonly int _leaves;
    private readonly int _length;
    private readonly Lock _sync = new();
    private readonly Part?[] _parts;
    private readonly List<ContributeOperation> _early = [];
    private GroupFailure? _failure;
    private int _opened;
    private int _closed;

    internal InProcessLeasedSum(InProcessHub hub, OperationKey key, int leaves, int length)
    {
        _hub = hub;
        Key = key;
        _leaves = leaves;
        _length = length;
        _parts = new Part?[hub.Size];
    }

    internal OperationKey Key { get; }

    /// <summary>A rank opens its part.</summary>
    /// <returns>What is wrong, or null.</returns>
    internal string? TryOpen(int rank, int leaves, int length, IReadOnlyList<SubtreeSum> restored, out ILeasedSum? opened)
    {
        opened = null;
        if (leaves != _leaves || length != _length)
        {
            return $"{leaves} leaves of {length} elements, another rank has {_leaves} of {_length}";
        }

        if (leaves < 1 || length < 0)
        {
            return $"{leaves} leaves of {length} elements";
        }

        var owned = RangeOwnership.Owned(length, rank, _hub.Size);
        if (TreeAccumulator.TryRestore(leaves, owned.Count, restored, out var problem) is not { } accumulator)
        {
            return problem;
        }

        var part = new Part(this, rank, owned, accumulator);
        List<ContributeOperation> early = [];
        lock (_sync)
        {
            if (_parts[rank] is not null)
            {
                return "the key is used twice by this rank";
            }

            _parts[rank] = part;
            if (_failure is not null)
            {
                part.Fail(_hub.Describe(_failure, Key));
            }

            if (++_opened == _parts.Length)
            {
                early.AddRange(_early);
                _early.Clear();
            }
        }

        foreach (var contribution in early)
        {
            contribution.Start(_parts.Length);
        }

        opened = part;
        return null;
    }

    internal void Fail(GroupFailure failure)
    {
        lock (_sync)
        {
            _failure ??= failure;
            _early.Clear();
            foreach (var part in _parts)
            {
                part?.Fail(_hub.Describe(failure, Key));
            }
        }
    }

    private InProcessOperation.Handle Contribute(int rank, int leaf, ReadOnlyMemory<float> values)
    {
        var operation = new ContributeOperation(this, rank, leaf, values);
        var handle = new InProcessOperation.Handle(operation);
        if (leaf < 0 || leaf >= _leaves || values.Length != _length)
        {
            _hub.Fail(new GroupFailure(rank, Key, $"leaf {leaf} of {_leaves} with {values.Length} elements, not {_length}"));
        }

        if (!_hub.TryEnter(operation, out var failure))
        {
            operation.Fail(failure!);
            return handle;
        }

        bool open;
        lock (_sync)
        {
            open = _opened == _parts.Length;
            if (!open)
            {
                _early.Add(operation);
            }
        }

        if (open)
        {
            operation.Start(_parts.Length);
        }

        return handle;
    }

    private void Close()
    {
        bool last;
        lock (_sync)
        {
            last = ++_closed == _parts.Length;
        }

        if (last)
        {
            _hub.Forget(this);
        }
    }

    private sealed class ContributeOperation(InProcessLeasedSum sum, int rank, int leaf, ReadOnlyMemory<float> values)
        : InProcessOperation(sum._hub, sum.Key)
    {
        // Every contributor begins with its own range, so that two of them seldom want the same owner's lock.
        protected override void RunUnit(int unit, Span<float> scratch) =>
            sum._parts[(rank + unit) % sum._parts.Length]!.Fold(leaf, values.Span);
    }

    /// <summary>One owner's range.</summary>
    private sealed class Part(InProcessLeasedSum sum, int rank, IndexRange owned, TreeAccumulator accumulator) : ILeasedSum
    {
        private readonly Lock _fold = new();
        private TaskCompletionSource<ReadOnlyMemory<float>>? _completion;
        private CollectiveException? _failure;
        private bool _disposed;

        public IndexRange Owned => owned;

        public Task<ReadOnlyMemory<float>> Completion
        {
            get
            {
                lock (_fold)
                {
                    if (_completion is null)
                    {
                        _completion = new TaskCompletionSource<ReadOnlyMemory<float>>(TaskCreationOptions.RunContinuationsAsynchronously);
                        SettleCompletion();
                    }

                    return _completion.Task;
                }
            }
        }

        public ICollectiveOperation Contribute(int leaf, ReadOnlyMemory<float> values)
        {
            ObjectDisposedException.ThrowIf(_disposed, typeof(ILeasedSum));
            return sum.Contribute(rank, leaf, values);
        }

        public T Snapshot<T>(Func<IReadOnlyList<SubtreeSum>, T> read)
        {
            ArgumentNullException.ThrowIfNull(read);
            lock (_fold)
            {
                ObjectDisposedException.ThrowIf(_disposed, typeof(ILeasedSum));
                return read(accumulator.Roots);
            }
        }

        public ValueTask DisposeAsync()
        {
            lock (_fold)
            {
                if (_disposed)
                {
                    return ValueTask.CompletedTask;
                }

                _disposed = true;
                accumulator.Dispose();
                if (_completion is { Task.IsCompleted: false })
                {
                    _completion.TrySetException(new ObjectDisposedException(nameof(ILeasedSum)));
                    _ = _completion.Task.Exception;
                }
            }

            sum.Close();
            return ValueTask.CompletedTask;
        }

        internal void Fold(int leaf, ReadOnlySpan<float> values)
        {
            lock (_fold)
            {
                // A late contribution to a closed range is dropped: its owner has what it wanted, or has given up.
                if (!_disposed && accumulator.TryAdd(new TreeNode(0, leaf), values[owned.Start..owned.End]))
                {
                    SettleCompletion();
                }
            }
        }

        internal void Fail(CollectiveException failure)
        {
            lock (_fold)
            {
                _failure ??= failure;
                SettleCompletion();
            }
        }

        private void SettleCompletion()
        {
            if (_completion is null || _completion.Task.IsCompleted)
            {
                return;
            }

            if (_failure is not null)
            {
                _completion.TrySetException(_failure);
                _ = _completion.Task.Exception;
            }
            else if (!_disposed && accumulator.IsComplete)
            {
                _completion.TrySetResult(accumulator.Sum);
            }
        }
    }
}
