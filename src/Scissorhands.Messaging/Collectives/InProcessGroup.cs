using System.Collections.Concurrent;
using System.Numerics.Tensors;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Messaging.Collectives;

/// <summary>
/// The workers of one process as a collective group: the twin of the group over RabbitMQ, with the same sums along the same
/// tree. Ranks meet in shared memory; each adds up the range it owns on the thread that waits for the result.
/// </summary>
public sealed class InProcessGroup
{
    private readonly ConcurrentDictionary<OperationKey, Meeting> _meetings = new();
    private readonly ConcurrentDictionary<OperationKey, SharedLeasedSum> _sums = new();
    private readonly Lock _lock = new();
    private Exception? _aborted;

    private InProcessGroup(string runId, long generation, int size)
    {
        RunId = runId;
        Generation = generation;
        Size = size;
    }

    private string RunId { get; }

    private long Generation { get; }

    private int Size { get; }

    /// <summary>Creates a group.</summary>
    /// <param name="runId">The run.</param>
    /// <param name="generation">The generation.</param>
    /// <param name="size">Number of ranks.</param>
    /// <returns>One view a rank.</returns>
    public static IReadOnlyList<ICollectiveGroup> Create(string runId, long generation, int size)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        var group = new InProcessGroup(runId, generation, size);
        return [.. Enumerable.Range(0, size).Select(rank => new RankView(group, rank))];
    }

    private string Describe(OperationKey key) => $"{key.Purpose}/{key.Step} of run {RunId}, generation {Generation}";

    private Meeting Meet(OperationKey key, string kind)
    {
        Meeting meeting;
        lock (_lock)
        {
            meeting = _meetings.GetOrAdd(key, _ => new Meeting(this, key, kind));
            if (_aborted is { } reason)
            {
                meeting.Fail(reason);
            }
        }

        if (meeting.Kind != kind)
        {
            meeting.Fail(new InvalidOperationException($"{kind} meets {meeting.Kind} under one key"));
        }

        return meeting;
    }

    private SharedLeasedSum OpenSum(OperationKey key, int leaves, int length)
    {
        lock (_lock)
        {
            if (!_sums.TryGetValue(key, out var sum))
            {
                _sums[key] = sum = new SharedLeasedSum(this, key, leaves, length);
            }

            if (_aborted is { } reason)
            {
                sum.Fail(reason);
            }

            return sum;
        }
    }

    private void Abort(Exception reason)
    {
        lock (_lock)
        {
            if (_aborted is not null)
            {
                return;
            }

            _aborted = reason;
            foreach (var meeting in _meetings.Values)
            {
                meeting.Fail(reason);
            }

            foreach (var sum in _sums.Values)
            {
                sum.Fail(reason);
            }
        }
    }

    private CollectiveException Failure(OperationKey key, Exception reason) =>
        new($"{Describe(key)} cannot complete: {reason.Message}", reason);

    /// <summary>Where the ranks of one operation meet: the last to come lets all work, the last to finish lets all go.</summary>
    private sealed class Meeting
    {
        private readonly InProcessGroup _group;
        private readonly Action[] _work;
        private readonly int[] _taken;
        private readonly TaskCompletionSource _arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _completed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly bool[] _joined;
        private int _count;
        private int _remaining;
        private Func<string?>? _check;

        public Meeting(InProcessGroup group, OperationKey key, string kind)
        {
            _group = group;
            Key = key;
            Kind = kind;
            _work = new Action[group.Size];
            _taken = new int[group.Size];
            _joined = new bool[group.Size];
            Shares = new object?[group.Size];
            _remaining = group.Size;
        }

        public OperationKey Key { get; }

        public string Kind { get; }

        /// <summary>What each rank brought.</summary>
        public object?[] Shares { get; }

        public Task Completed => _completed.Task;

        public ICollectiveOperation Join(int rank, object share, Func<string?>? check, Action work)
        {
            lock (_joined)
            {
                if (_joined[rank])
                {
                    Fail(new InvalidOperationException($"rank {rank} used the key twice"));
                    return new Operation(this, rank);
                }

                _joined[rank] = true;
                Shares[rank] = share;
                _work[rank] = work;
                _check ??= check;
                _count++;
                if (_count < _group.Size)
                {
                    return new Operation(this, rank);
                }
            }

            if (_check?.Invoke() is { } fault)
            {
                Fail(new InvalidOperationException(fault));
            }
            else
            {
                _arrived.TrySetResult();
            }

            return new Operation(this, rank);
        }

        public void Fail(Exception reason)
        {
            var failure = _group.Failure(Key, reason);
            _arrived.TrySetException(failure);
            _completed.TrySetException(failure);
            _ = _completed.Task.Exception;
            _ = _arrived.Task.Exception;
        }

        private void DoWork(int rank)
        {
            if (Interlocked.Exchange(ref _taken[rank], 1) != 0)
            {
                return;
            }

            try
            {
                _work[rank]();
            }
            catch (Exception e)
            {
                Fail(e);
                return;
            }

            if (Interlocked.Decrement(ref _remaining) == 0)
            {
                // The key stays known by its purpose's steps alone; the meeting itself goes, with all it held.
                _group._meetings.TryRemove(Key, out _);
                _completed.TrySetResult();
            }
        }

        private sealed class Operation : ICollectiveOperation
        {
            private readonly Meeting _meeting;
            private readonly int _rank;
            private Task? _completion;

            public Operation(Meeting meeting, int rank)
            {
                _meeting = meeting;
                _rank = rank;
            }

            public Task Completion => _completion ??= CompleteAsync();

            public void Wait(CancellationToken cancellationToken)
            {
                Block(_meeting._arrived.Task, cancellationToken);
                _meeting.DoWork(_rank);
                Block(_meeting._completed.Task, cancellationToken);
            }

            private static void Block(Task task, CancellationToken cancellationToken)
            {
                try
                {
                    task.Wait(cancellationToken);
                }
                catch (AggregateException e)
                {
                    System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(e.InnerException!);
                }
            }

            private async Task CompleteAsync()
            {
                await _meeting._arrived.Task.ConfigureAwait(false);
                _meeting.DoWork(_rank);
                await _meeting._completed.Task.ConfigureAwait(false);
            }
        }
    }

    private sealed record ReduceShare(int Leaves, IReadOnlyList<SubtreeSum> Held, int Length, Memory<float> Result);

    /// <summary>A rank's view of the group.</summary>
    private sealed class RankView : ICollectiveGroup
    {
        private const int ChunkElements = 16_384;
        private readonly InProcessGroup _group;

        public RankView(InProcessGroup group, int rank)
        {
            _group = group;
            Rank = rank;
        }

        public string RunId => _group.RunId;

        public long Generation => _group.Generation;

        public int Rank { get; }

        public int Size => _group.Size;

        public ICollectiveOperation AllReduce(OperationKey key, int leaves, IReadOnlyList<SubtreeSum> held, Memory<float> result)
        {
            var meeting = _group.Meet(key, "all-reduce");
            var share = new ReduceShare(leaves, held, result.Length, result);
            return meeting.Join(Rank, share, () => CheckShares(meeting), () => Reduce(meeting, RangeOwnership.Owned(result.Length, Rank, Size), everywhere: true));
        }

        public ICollectiveOperation ReduceScatter(OperationKey key, int leaves, IReadOnlyList<SubtreeSum> held, int length, Memory<float> ownedResult)
        {
            var meeting = _group.Meet(key, "reduce-scatter");
            var share = new ReduceShare(leaves, held, length, ownedResult);
            return meeting.Join(Rank, share, () => CheckShares(meeting), () => Reduce(meeting, RangeOwnership.Owned(length, Rank, Size), everywhere: false));
        }

        public ICollectiveOperation AllGather(OperationKey key, IReadOnlyList<IndexRange> ranges, Memory<byte> buffer)
        {
            var meeting = _group.Meet(key, "all-gather");
            return meeting.Join(Rank, buffer, null, () =>
            {
                var mine = ranges[Rank];
                for (var other = 0; other < Size; other++)
                {
                    if (other != Rank)
                    {
                        buffer.Span[mine.Start..mine.End].CopyTo(((Memory<byte>)meeting.Shares[other]!).Span[mine.Start..mine.End]);
                    }
                }
            });
        }

        public ICollectiveOperation Broadcast(OperationKey key, int root, Memory<byte> buffer)
        {
            var meeting = _group.Meet(key, "broadcast");
            return meeting.Join(Rank, buffer, null, () =>
            {
                if (Rank != root)
                {
                    ((Memory<byte>)meeting.Shares[root]!).Span.CopyTo(buffer.Span);
                }
            });
        }

        public ICollectiveOperation SumCounts(OperationKey key, Memory<long> values)
        {
            var meeting = _group.Meet(key, "sum-counts");
            return meeting.Join(Rank, values, () => meeting.Shares.Any(s => ((Memory<long>)s!).Length != values.Length) ? "the ranks' vectors differ in length" : null, () =>
            {
                // One rank does it: the vectors are small, and every one of them is also read by the others.
                if (Rank != 0)
                {
                    return;
                }

                var sum = new long[values.Length];
                foreach (var share in meeting.Shares)
                {
                    TensorPrimitives.Add(sum, ((Memory<long>)share!).Span, sum);
                }

                foreach (var share in meeting.Shares)
                {
                    sum.CopyTo(((Memory<long>)share!).Span);
                }
            });
        }

        public ICollectiveOperation Barrier(OperationKey key) => _group.Meet(key, "barrier").Join(Rank, 0, null, static () => { });

        public ILeasedSum OpenLeasedSum(OperationKey key, int leaves, int length, IReadOnlyList<SubtreeSum> restored) =>
            _group.OpenSum(key, leaves, length).View(Rank, restored);

        public void Abort(Exception reason) => _group.Abort(reason);

        public ValueTask DisposeAsync()
        {
            return ValueTask.CompletedTask;
        }

        private static string? CheckShares(Meeting meeting)
        {
            var shares = meeting.Shares.Cast<ReduceShare>().ToArray();
            var tree = new ReductionTree(shares[0].Leaves);
            var covered = new bool[tree.Leaves];
            for (var rank = 0; rank < shares.Length; rank++)
            {
                if (shares[rank].Leaves != tree.Leaves || shares[rank].Length != shares[0].Length)
                {
                    return $"rank {rank} has {shares[rank].Leaves} leaves of {shares[rank].Length} elements, rank 0 has {tree.Leaves} of {shares[0].Length}";
                }

                foreach (var held in shares[rank].Held)
                {
                    if (!tree.Contains(held.Node) || held.Values.Length != shares[0].Length)
                    {
                        return $"rank {rank} brings node {held.Node} of {held.Values.Length} elements to a tree of {tree.Leaves} leaves and {shares[0].Length} elements";
                    }

                    var leaves = tree.LeavesOf(held.Node);
                    for (var leaf = leaves.Start; leaf < leaves.End; leaf++)
                    {
                        if (covered[leaf])
                        {
                            return $"rank {rank} brings leaf {leaf} a second time";
                        }

                        covered[leaf] = true;
                    }
                }
            }

            var missing = Array.IndexOf(covered, false);
            return missing < 0 ? null : $"nobody brings leaf {missing}";
        }

        private void Reduce(Meeting meeting, IndexRange owned, bool everywhere)
        {
            var shares = meeting.Shares.Cast<ReduceShare>().ToArray();
            var held = shares.SelectMany(s => s.Held).ToDictionary(h => h.Node, h => h.Values);
            var tree = new ReductionTree(shares[0].Leaves);
            if (held.Count == 1 && held.TryGetValue(tree.Root, out var only))
            {
                Deliver(shares, owned, owned, only.Span[owned.Start..owned.End], everywhere);
                return;
            }

            var scratch = new float[(tree.Height + 1) * ChunkElements];
            for (var start = owned.Start; start < owned.End; start += ChunkElements)
            {
                var chunk = new IndexRange(start, Math.Min(owned.End, start + ChunkElements));

                // Into scratch first: a result may lie where a contribution still lies, and only this chunk is read by us alone.
                Sum(tree, held, tree.Root, chunk, scratch, 0);
                Deliver(shares, owned, chunk, scratch.AsSpan(0, chunk.Count), everywhere);
            }
        }

        private static void Sum(ReductionTree tree, Dictionary<TreeNode, ReadOnlyMemory<float>> held, TreeNode node, IndexRange chunk, float[] scratch, int depth)
        {
            var target = scratch.AsSpan(depth * ChunkElements, chunk.Count);
            if (held.TryGetValue(node, out var values))
            {
                values.Span[chunk.Start..chunk.End].CopyTo(target);
                return;
            }

            var left = new TreeNode(node.Level - 1, node.Index * 2);
            Sum(tree, held, left, chunk, scratch, depth);
            if (!tree.Contains(left.Sibling))
            {
                return;
            }

            if (held.TryGetValue(left.Sibling, out var right))
            {
                TensorPrimitives.Add(target, right.Span[chunk.Start..chunk.End], target);
                return;
            }

            Sum(tree, held, left.Sibling, chunk, scratch, depth + 1);
            TensorPrimitives.Add(target, scratch.AsSpan((depth + 1) * ChunkElements, chunk.Count), target);
        }

        private void Deliver(ReduceShare[] shares, IndexRange owned, IndexRange chunk, ReadOnlySpan<float> sum, bool everywhere)
        {
            if (!everywhere)
            {
                sum.CopyTo(shares[Rank].Result.Span[(chunk.Start - owned.Start)..]);
                return;
            }

            foreach (var share in shares)
            {
                var target = share.Result.Span[chunk.Start..chunk.End];
                if (sum.Overlaps(target, out var offset) && offset == 0)
                {
                    continue;
                }

                sum.CopyTo(target);
            }
        }
    }

    /// <summary>A leased sum as all ranks share it: one accumulator an owner, each under its own lock.</summary>
    private sealed class SharedLeasedSum
    {
        private readonly InProcessGroup _group;
        private readonly OperationKey _key;
        private readonly ReductionTree _tree;
        private readonly Owner[] _owners;
        private readonly TaskCompletionSource _allOpen = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _open;

        public SharedLeasedSum(InProcessGroup group, OperationKey key, int leaves, int length)
        {
            _group = group;
            _key = key;
            _tree = new ReductionTree(leaves);
            Length = length;
            _owners = [.. Enumerable.Range(0, group.Size).Select(rank => new Owner(_tree, RangeOwnership.Owned(length, rank, group.Size)))];
        }

        public int Length { get; }

        public ILeasedSum View(int rank, IReadOnlyList<SubtreeSum> restored)
        {
            _owners[rank].Restore(restored);
            if (Interlocked.Increment(ref _open) == _group.Size)
            {
                _allOpen.TrySetResult();
            }

            return new SumView(this, rank);
        }

        public void Fail(Exception reason)
        {
            var failure = _group.Failure(_key, reason);
            _allOpen.TrySetException(failure);
            _ = _allOpen.Task.Exception;
            foreach (var owner in _owners)
            {
                owner.Fail(failure);
            }
        }

        private async Task ContributeAsync(int leaf, ReadOnlyMemory<float> values)
        {
            if (values.Length != Length || leaf < 0 || leaf >= _tree.Leaves)
            {
                throw new CollectiveException($"{_group.Describe(_key)}: leaf {leaf} of {values.Length} elements does not fit {_tree.Leaves} leaves of {Length}");
            }

            // An owner that has not restored its checkpoint yet does not know which leaves it holds.
            await _allOpen.Task.ConfigureAwait(false);
            foreach (var owner in _owners)
            {
                owner.Add(leaf, values.Span);
            }
        }

        private sealed class Owner : IDisposable
        {
            private readonly Lock _lock = new();
            private readonly ReductionTree _tree;
            private readonly TreeAccumulator _accumulator;
            private readonly bool[] _counted;
            private readonly TaskCompletionSource<ReadOnlyMemory<float>> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

            public Owner(ReductionTree tree, IndexRange range)
            {
                _tree = tree;
                _accumulator = new TreeAccumulator(tree);
                _counted = new bool[tree.Leaves];
                Range = range;
            }

            public IndexRange Range { get; }

            public Task<ReadOnlyMemory<float>> Completion => _completion.Task;

            public void Restore(IReadOnlyList<SubtreeSum> restored)
            {
                lock (_lock)
                {
                    foreach (var partial in restored)
                    {
                        var leaves = _tree.LeavesOf(partial.Node);
                        _counted.AsSpan(leaves.Start, leaves.Count).Fill(true);
                        _accumulator.Add(partial.Node, partial.Values.Span);
                    }

                    CompleteIfWhole();
                }
            }

            public void Add(int leaf, ReadOnlySpan<float> values)
            {
                lock (_lock)
                {
                    if (_counted[leaf])
                    {
                        return;
                    }

                    _counted[leaf] = true;
                    _accumulator.Add(new TreeNode(0, leaf), values[Range.Start..Range.End]);
                    CompleteIfWhole();
                }
            }

            public IReadOnlyList<SubtreeSum> Snapshot()
            {
                lock (_lock)
                {
                    return [.. _accumulator.Roots.Select(r => new SubtreeSum(r.Node, r.Values.ToArray()))];
                }
            }

            public void Fail(Exception failure)
            {
                _completion.TrySetException(failure);
                _ = _completion.Task.Exception;
            }

            public void Dispose()
            {
                lock (_lock)
                {
                    _accumulator.Dispose();
                }
            }

            private void CompleteIfWhole()
            {
                if (_accumulator.IsComplete)
                {
                    _completion.TrySetResult(_accumulator.Sum);
                }
            }
        }

        private sealed class SumView : ILeasedSum
        {
            private readonly SharedLeasedSum _sum;
            private readonly int _rank;

            public SumView(SharedLeasedSum sum, int rank)
            {
                _sum = sum;
                _rank = rank;
            }

            public IndexRange Owned => _sum._owners[_rank].Range;

            public Task<ReadOnlyMemory<float>> Completion => _sum._owners[_rank].Completion;

            public ICollectiveOperation Contribute(int leaf, ReadOnlyMemory<float> values) => new TaskOperation(_sum.ContributeAsync(leaf, values));

            public IReadOnlyList<SubtreeSum> Snapshot() => _sum._owners[_rank].Snapshot();

            public ValueTask DisposeAsync()
            {
                _sum._owners[_rank].Dispose();
                if (Interlocked.Decrement(ref _sum._open) == 0)
                {
                    _sum._group._sums.TryRemove(_sum._key, out _);
                }

                return ValueTask.CompletedTask;
            }
        }
    }

    private sealed class TaskOperation(Task task) : ICollectiveOperation
    {
        public Task Completion => task;

        public void Wait(CancellationToken cancellationToken) => task.WaitAsync(cancellationToken).GetAwaiter().GetResult();
    }
}
