using System.Net;
using System.Net.Sockets;

namespace Scissorhands.Grains.Tests.Store;

/// <summary>Stands between client and PostgreSQL; cuts a connection once the server has answered a commit, without the answer.</summary>
internal sealed class CommitCutter : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly int _target;
    private readonly Task _accepting;
    private Func<Task>? _meanwhile;
    private int _armed;
    private int _cuts;

    public CommitCutter(int target)
    {
        _target = target;
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _accepting = AcceptAsync();
    }

    public int Port { get; }

    public int Cuts => Volatile.Read(ref _cuts);

    /// <summary>Cuts the connection of the next commit, after something else has been done.</summary>
    public void CutNextCommit(Func<Task>? meanwhile = null)
    {
        _meanwhile = meanwhile;
        Volatile.Write(ref _armed, 1);
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        var open = new List<Task>();
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_end.Token);
                open.Add(RelayAsync(client));
            }
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(open);
        }
    }

    private async Task RelayAsync(TcpClient client)
    {
        using var server = new TcpClient();
        using var held = client;
        try
        {
            await server.ConnectAsync(IPAddress.Loopback, _target, _end.Token);
            await Task.WhenAny(CopyAsync(client, server, watched: false), CopyAsync(server, client, watched: true));
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
        {
            // The client sees its connection closed, which is all there is to tell.
        }
    }

    private async Task CopyAsync(TcpClient from, TcpClient to, bool watched)
    {
        var buffer = new byte[1 << 16];
        try
        {
            for (int read; (read = await from.GetStream().ReadAsync(buffer, _end.Token)) > 0;)
            {
                // The server says "COMMIT" once it has committed.
                if (watched && buffer.AsSpan(0, read).IndexOf("COMMIT\0"u8) >= 0 && Interlocked.Exchange(ref _armed, 0) == 1)
                {
                    if (_meanwhile is { } meanwhile)
                    {
                        await meanwhile();
                    }

                    Interlocked.Increment(ref _cuts);
                    return;
                }

                await to.GetStream().WriteAsync(buffer.AsMemory(0, read), _end.Token);
            }
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The other direction ends with this one.
        }
    }
}
