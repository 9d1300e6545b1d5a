using System.Security.Cryptography;

namespace Scissorhands.Data.Safetensors;

/// <summary>
/// Passes bytes on and takes SHA-256 digests of the header and of each block of the data as they go by: of large pieces while
/// they are being written, on another thread, so that digests cost next to no time.
/// </summary>
internal sealed class DigestingStream : Stream
{
    /// <summary>Bytes that are passed on at once: they stay in the processor's cache for the other of the two.</summary>
    private const int PieceBytes = 4 << 20;

    /// <summary>Below this, another thread is not worth its call.</summary>
    private const int LeastSharedBytes = 1 << 17;

    private readonly Stream _inner;
    private readonly int _blockBytes;
    private readonly long _covered;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly byte[] _digests;
    private long _position;
    private long _digested;
    private long _end;
    private int _next;

    /// <summary>Begins a file.</summary>
    /// <param name="inner">Where the bytes go.</param>
    /// <param name="headerBytes">Bytes of the header, which has the first digest.</param>
    /// <param name="dataBytes">Bytes of data that follow and are cut into blocks; what comes behind has no digest.</param>
    /// <param name="blockBytes">Bytes of a block; the last one may be shorter.</param>
    public DigestingStream(Stream inner, int headerBytes, long dataBytes, int blockBytes)
    {
        _inner = inner;
        _blockBytes = blockBytes;
        _covered = headerBytes + dataBytes;
        _end = headerBytes;
        _digests = new byte[BlockDigests.Bytes(dataBytes, blockBytes)];
    }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => _position;
        set => throw new NotSupportedException();
    }

    /// <summary>The digests, one behind the other, once all bytes they are of have gone by.</summary>
    public ReadOnlySpan<byte> Digests => _digested == _covered ? _digests : throw new InvalidOperationException($"{_position} of {_covered} bytes have been written");

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            var piece = buffer[..Math.Min(buffer.Length, PieceBytes)];
            if (piece.Length < LeastSharedBytes)
            {
                Digest(piece);
                _inner.Write(piece);
            }
            else
            {
                DigestAndWrite(piece);
            }

            _position += piece.Length;
            buffer = buffer[piece.Length..];
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush() => _inner.Flush();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        _hash.Dispose();
        base.Dispose(disposing);
    }

    private unsafe void DigestAndWrite(ReadOnlySpan<byte> piece)
    {
        fixed (byte* bytes = piece)
        {
            var (address, length) = ((nint)bytes, piece.Length);
            var digest = Task.Run(() => Digest(new ReadOnlySpan<byte>((void*)address, length)));
            try
            {
                _inner.Write(piece);
            }
            finally
            {
                // Whatever became of the write: the bytes are held for so long only.
                digest.Wait();
            }
        }
    }

    private void Digest(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty && _digested < _covered)
        {
            var part = bytes[..(int)Math.Min(bytes.Length, _end - _digested)];
            _hash.AppendData(part);
            _digested += part.Length;
            bytes = bytes[part.Length..];
            if (_digested == _end)
            {
                _hash.GetHashAndReset(_digests.AsSpan(_next));
                _next += SHA256.HashSizeInBytes;
                _end = Math.Min(_end + _blockBytes, _covered);
            }
        }
    }
}
