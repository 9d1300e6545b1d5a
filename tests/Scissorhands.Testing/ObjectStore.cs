using System.Diagnostics.CodeAnalysis;
using Scissorhands.Data.Storage;
using Scissorhands.Planning;

namespace Scissorhands.Testing;

/// <summary>What a call to an <see cref="ObjectStore"/> does.</summary>
public enum StoreCallKind
{
    /// <summary>Stores an object.</summary>
    Put,

    /// <summary>Opens one.</summary>
    Open,

    /// <summary>Reads a range of one.</summary>
    Read,

    /// <summary>Lists keys.</summary>
    List,

    /// <summary>Deletes one object.</summary>
    Delete,

    /// <summary>Deletes all.</summary>
    Clear,
}

/// <summary>How a call to an <see cref="ObjectStore"/> fails.</summary>
public enum StoreFault
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>Nothing has happened.</summary>
    Before,

    /// <summary>Half the bytes have gone; a put of which nothing but an unfinished upload is left, a read of which half is there.</summary>
    Midway,

    /// <summary>It has happened, but the caller hears that it failed.</summary>
    After,
}

/// <summary>A call to an <see cref="ObjectStore"/>.</summary>
/// <param name="Index">How many came before.</param>
/// <param name="Kind">What it does.</param>
/// <param name="Key">To which object; empty where to none.</param>
public sealed record StoreCall(int Index, StoreCallKind Kind, string Key);

/// <summary>
/// An object store in memory with no more than object stores promise: objects are put whole, read by ranges and never half
/// replaced; lists are in any order and of some moment ago; any call may fail, also after it has had its effect. It holds its
/// users to their part: that equal keys are put with equal bytes, and that content is written in one go.
/// </summary>
public sealed class ObjectStore : ICheckpointStore
{
    private const int ListLag = 3;

    private readonly Lock _lock = new();
    private readonly Func<StoreCall, StoreFault> _faults;
    private readonly Random _random;
    private readonly Dictionary<string, byte[]> _objects = new(StringComparer.Ordinal);
    private readonly Dictionary<string, byte[]> _ever = new(StringComparer.Ordinal);
    private readonly List<string[]> _moments = [[]];
    private int _calls;
    private int _unfinished;

    /// <summary>Makes an empty store.</summary>
    /// <param name="faults">Decides about each call; null for one that never fails.</param>
    /// <param name="seed">Of the order and the age of lists.</param>
    public ObjectStore(Func<StoreCall, StoreFault>? faults = null, int seed = 1)
    {
        _faults = faults ?? (_ => StoreFault.None);
        _random = new Random(seed);
    }

    /// <inheritdoc />
    public string Location => "memory://runs/run";

    /// <summary>Calls so far.</summary>
    public int Calls
    {
        get
        {
            lock (_lock)
            {
                return _calls;
            }
        }
    }

    /// <summary>Uploads that never ended.</summary>
    public int Unfinished
    {
        get
        {
            lock (_lock)
            {
                return _unfinished;
            }
        }
    }

    /// <summary>The keys there are now, in order.</summary>
    public IReadOnlyList<string> Keys
    {
        get
        {
            lock (_lock)
            {
                return [.. _objects.Keys.Order(StringComparer.Ordinal)];
            }
        }
    }

    /// <summary>Takes an object's bytes, changes them and puts them back, as damage does.</summary>
    /// <param name="key">The object.</param>
    /// <param name="change">Changes them in place.</param>
    public void Damage(string key, Action<byte[]> change)
    {
        ArgumentNullException.ThrowIfNull(change);
        lock (_lock)
        {
            var bytes = _objects[key].ToArray();
            change(bytes);
            _objects[key] = bytes;
        }
    }

    /// <inheritdoc />
    public void Put(string key, long length, Action<Stream> content, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(content);
        CheckpointKey.Check(key);
        var fault = Begin(StoreCallKind.Put, key);
        var upload = new Upload(fault == StoreFault.Midway ? length / 2 : long.MaxValue, key);
        lock (_lock)
        {
            _unfinished++;
        }

        // Outside of the lock: other workers may have to put theirs for this one to end.
        content(upload);
        cancellationToken.ThrowIfCancellationRequested();
        var bytes = upload.Bytes;
        if (bytes.Length != length || fault == StoreFault.Midway)
        {
            throw new InvalidOperationException($"{key}: {bytes.Length} bytes where {length} were announced");
        }

        lock (_lock)
        {
            if (_ever.TryGetValue(key, out var before) && !before.AsSpan().SequenceEqual(bytes))
            {
                throw new InvalidOperationException($"{key}: was put with other bytes before");
            }

            _unfinished--;
            _objects[key] = _ever[key] = bytes;
            Changed();
        }

        End(fault, StoreCallKind.Put, key);
    }

    /// <inheritdoc />
    public IStoredObject Open(string key, CancellationToken cancellationToken)
    {
        CheckpointKey.Check(key);
        var fault = Begin(StoreCallKind.Open, key);
        End(fault, StoreCallKind.Open, key);
        lock (_lock)
        {
            return _objects.TryGetValue(key, out var bytes) ? new Opened(this, key, bytes) : throw new InputException($"{NameOf(key)}: there is no such object");
        }
    }

    /// <inheritdoc />
    public IReadOnlyCollection<string> List(string prefix, CancellationToken cancellationToken)
    {
        var fault = Begin(StoreCallKind.List, prefix);
        End(fault, StoreCallKind.List, prefix);
        lock (_lock)
        {
            var keys = _moments[^(1 + _random.Next(Math.Min(ListLag, _moments.Count)))].Where(key => key.StartsWith(prefix, StringComparison.Ordinal)).ToArray();
            _random.Shuffle(keys);
            return keys;
        }
    }

    /// <inheritdoc />
    public void Delete(string key, CancellationToken cancellationToken)
    {
        CheckpointKey.Check(key);
        var fault = Begin(StoreCallKind.Delete, key);
        lock (_lock)
        {
            _objects.Remove(key);
            Changed();
        }

        End(fault, StoreCallKind.Delete, key);
    }

    /// <inheritdoc />
    public int Clear(CancellationToken cancellationToken)
    {
        var fault = Begin(StoreCallKind.Clear, "");
        int count;
        lock (_lock)
        {
            (count, _unfinished) = (_objects.Count, 0);
            _objects.Clear();
            Changed();
        }

        End(fault, StoreCallKind.Clear, "");
        return count;
    }

    private string NameOf(string key) => $"{Location}/{key}";

    private void Changed() => _moments.Add([.. _objects.Keys]);

    private StoreFault Begin(StoreCallKind kind, string key)
    {
        StoreFault fault;
        lock (_lock)
        {
            fault = _faults(new StoreCall(_calls++, kind, key));
        }

        if (fault == StoreFault.Before || (fault == StoreFault.Midway && kind is not (StoreCallKind.Put or StoreCallKind.Read)))
        {
            Fail(kind, key);
        }

        return fault;
    }

    private void End(StoreFault fault, StoreCallKind kind, string key)
    {
        if (fault == StoreFault.After)
        {
            Fail(kind, key);
        }
    }

    [DoesNotReturn]
    private void Fail(StoreCallKind kind, string key) => throw new IOException($"{NameOf(key)}: {kind} was not confirmed");

    /// <summary>Takes bytes in the order in which they come, and can do nothing else.</summary>
    private sealed class Upload(long limit, string key) : Stream
    {
        private readonly MemoryStream _bytes = new();

        public byte[] Bytes => _bytes.ToArray();

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (_bytes.Length + buffer.Length > limit)
            {
                throw new IOException($"{key}: the connection was lost");
            }

            _bytes.Write(buffer);
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }

    /// <summary>An object as it was when it was opened: reads of one that was replaced by other bytes, or deleted, fail.</summary>
    private sealed class Opened(ObjectStore store, string key, byte[] bytes) : IStoredObject
    {
        public string Name => store.NameOf(key);

        public long Length => bytes.Length;

        public void Read(long offset, Span<byte> destination)
        {
            var fault = store.Begin(StoreCallKind.Read, key);
            lock (store._lock)
            {
                if (!store._objects.TryGetValue(key, out var now) || !now.AsSpan().SequenceEqual(bytes))
                {
                    store.Fail(StoreCallKind.Read, key);
                }
            }

            if (offset > bytes.Length - destination.Length)
            {
                throw new EndOfStreamException($"{Name}: ends at byte {bytes.Length}");
            }

            var read = fault == StoreFault.Midway ? destination.Length / 2 : destination.Length;
            bytes.AsSpan((int)offset, read).CopyTo(destination);
            if (fault != StoreFault.None)
            {
                store.Fail(StoreCallKind.Read, key);
            }
        }

        public void Dispose()
        {
        }
    }
}
