using System.Net.Sockets;
using RabbitMQ.Client;

namespace Scissorhands.Messaging.Rabbit;

/// <summary>
/// A socket read and written in large pieces. The client library moves everything through pipes of 4 KiB segments, one
/// system call each; a chunk of a tensor would cost hundreds of them. Small enough to stay in the core's cache.
/// </summary>
internal sealed class BufferedSocketStream(Socket socket) : NetworkStream(socket)
{
    private const int BufferBytes = 128 << 10;
    private readonly byte[] _read = GC.AllocateUninitializedArray<byte>(BufferBytes, pinned: true);
    private readonly byte[] _write = GC.AllocateUninitializedArray<byte>(BufferBytes, pinned: true);
    private int _readStart;
    private int _readEnd;
    private int _written;

    /// <summary>A client socket for a connection to the broker.</summary>
    internal static ITcpClient Client(AddressFamily family) => new Adapter(new Socket(family, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_readEnd == _readStart)
        {
            return FillAsync(buffer, cancellationToken);
        }

        return ValueTask.FromResult(Take(buffer));
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.Length > BufferBytes - _written)
        {
            return WriteThroughAsync(buffer, cancellationToken);
        }

        buffer.Span.CopyTo(_write.AsSpan(_written));
        _written += buffer.Length;
        return ValueTask.CompletedTask;
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task FlushAsync(CancellationToken cancellationToken) =>
        _written == 0 ? Task.CompletedTask : SendBufferAsync(cancellationToken).AsTask();

    private int Take(Memory<byte> buffer)
    {
        var count = Math.Min(buffer.Length, _readEnd - _readStart);
        _read.AsSpan(_readStart, count).CopyTo(buffer.Span);
        _readStart += count;
        return count;
    }

    private async ValueTask<int> FillAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        _readStart = _readEnd = 0;
        _readEnd = await Socket.ReceiveAsync(_read.AsMemory(), SocketFlags.None, cancellationToken);
        return Take(buffer);
    }

    private async ValueTask WriteThroughAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken)
    {
        await SendBufferAsync(cancellationToken);
        if (buffer.Length >= BufferBytes)
        {
            await SendAsync(buffer, cancellationToken);
            return;
        }

        buffer.Span.CopyTo(_write);
        _written = buffer.Length;
    }

    private async ValueTask SendBufferAsync(CancellationToken cancellationToken)
    {
        var count = _written;
        _written = 0;
        await SendAsync(_write.AsMemory(0, count), cancellationToken);
    }

    private async ValueTask SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await Socket.SendAsync(bytes, SocketFlags.None, cancellationToken)..];
        }
    }

    private sealed class Adapter(Socket socket) : TcpClientAdapter(socket)
    {
        public override NetworkStream GetStream() => new BufferedSocketStream(Client);
    }
}
