using System.Runtime.ExceptionServices;
using System.Security.Cryptography;
using Scissorhands.Data.Storage;
using Scissorhands.Planning;

namespace Scissorhands.Data.Safetensors;

/// <summary>Data of a stored object that is compared with its digests, block by block, before anybody sees it.</summary>
internal sealed class VerifiedObject : IStoredObject
{
    /// <summary>Blocks read at once: a request to an object store is worth its price then.</summary>
    private const int PieceBlocks = 4;

    /// <summary>Pieces of one range that are read and compared at once, where there are as many processors.</summary>
    private const int MaximumThreads = 4;

    private readonly IStoredObject _inner;
    private readonly long _start;
    private readonly long _dataBytes;
    private readonly int _blockBytes;
    private readonly byte[] _digests;
    private readonly Lock _lock = new();
    private byte[]? _block;
    private long _blockIndex = -1;

    /// <summary>Wraps an object, which goes with this one.</summary>
    /// <param name="inner">The object.</param>
    /// <param name="start">Bytes of its header.</param>
    /// <param name="dataBytes">Bytes of data behind it.</param>
    /// <param name="blockBytes">Bytes of a block.</param>
    /// <param name="digests">Digests of the header and of each block.</param>
    public VerifiedObject(IStoredObject inner, long start, long dataBytes, int blockBytes, byte[] digests)
    {
        _inner = inner;
        _start = start;
        _dataBytes = dataBytes;
        _blockBytes = blockBytes;
        _digests = digests;
    }

    /// <inheritdoc />
    public string Name => _inner.Name;

    /// <inheritdoc />
    public long Length => _start + _dataBytes;

    /// <inheritdoc />
    public void Read(long offset, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(offset, _start);
        if (destination.Length > Length - offset)
        {
            throw new EndOfStreamException($"{Name}: ends at byte {Length}");
        }

        while (!destination.IsEmpty)
        {
            var at = offset - _start;
            var read = at % _blockBytes == 0 ? WholeBlocks(at, destination.Length) : 0;
            if (read > 0)
            {
                ReadBlocks(at, destination[..read]);
            }
            else
            {
                read = ReadPart(at, destination);
            }

            offset += read;
            destination = destination[read..];
        }
    }

    /// <inheritdoc />
    public void Dispose() => _inner.Dispose();

    /// <summary>Bytes of the whole blocks that begin at a block's start and are wanted.</summary>
    private int WholeBlocks(long at, int wanted) => at + wanted == _dataBytes ? wanted : wanted - (wanted % _blockBytes);

    private unsafe void ReadBlocks(long at, Span<byte> destination)
    {
        var pieceBytes = PieceBlocks * _blockBytes;
        if (destination.Length <= pieceBytes)
        {
            ReadPiece(at, destination);
            return;
        }

        fixed (byte* bytes = destination)
        {
            var (address, length) = ((nint)bytes, destination.Length);
            try
            {
                Parallel.For(
                    0,
                    (int)(((long)length + pieceBytes - 1) / pieceBytes),
                    new ParallelOptions { MaxDegreeOfParallelism = Math.Min(MaximumThreads, Environment.ProcessorCount) },
                    i =>
                    {
                        var first = i * pieceBytes;
                        ReadPiece(at + first, new Span<byte>((byte*)address + first, Math.Min(pieceBytes, length - first)));
                    });
            }
            catch (AggregateException e)
            {
                // Those who wait for the store or its contents know nothing of threads.
                ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
            }
        }
    }

    private void ReadPiece(long at, Span<byte> destination)
    {
        _inner.Read(_start + at, destination);
        for (var done = 0; done < destination.Length; done += _blockBytes)
        {
            Check((at + done) / _blockBytes, destination.Slice(done, Math.Min(_blockBytes, destination.Length - done)));
        }
    }

    /// <summary>Reads what of a block is wanted; small tensors that follow each other find it read already.</summary>
    private int ReadPart(long at, Span<byte> destination)
    {
        lock (_lock)
        {
            var index = at / _blockBytes;
            var within = (int)(at - (index * _blockBytes));
            var block = (_block ??= new byte[(int)Math.Min(_blockBytes, _dataBytes)]).AsSpan(0, (int)Math.Min(_blockBytes, _dataBytes - (index * _blockBytes)));
            if (_blockIndex != index)
            {
                _blockIndex = -1;
                _inner.Read(_start + (index * _blockBytes), block);
                Check(index, block);
                _blockIndex = index;
            }

            var read = Math.Min(destination.Length, block.Length - within);
            block.Slice(within, read).CopyTo(destination);
            return read;
        }
    }

    private void Check(long index, ReadOnlySpan<byte> block)
    {
        var first = _start + (index * _blockBytes);
        BlockDigests.Check(Name, first, block, _digests.AsSpan(checked((int)(index + 1) * SHA256.HashSizeInBytes), SHA256.HashSizeInBytes));
    }
}
