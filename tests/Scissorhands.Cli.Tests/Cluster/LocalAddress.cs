using System.Net;
using System.Net.Sockets;

namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>Calls from one of this machine's addresses, each of which is a caller of its own where nobody is authenticated.</summary>
internal static class LocalAddress
{
    /// <summary>What connects from an address.</summary>
    /// <param name="address">Within 127.0.0.0/8.</param>
    public static SocketsHttpHandler Handler(string address) => new()
    {
        ConnectCallback = async (context, ct) =>
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(IPAddress.Parse(address), 0));
            await socket.ConnectAsync(context.DnsEndPoint, ct);
            return new NetworkStream(socket, ownsSocket: true);
        },
    };
}
