using System.Net;
using System.Net.Sockets;

namespace Scissorhands.Testing;

/// <summary>Ports nobody listens on now.</summary>
public static class Ports
{
    /// <summary>So many of them.</summary>
    public static int[] Free(int count)
    {
        // All held at once, so that they differ.
        var listeners = Enumerable.Range(0, count).Select(static _ => new TcpListener(IPAddress.Loopback, 0)).ToArray();
        foreach (var listener in listeners)
        {
            listener.Start();
        }

        var ports = listeners.Select(static l => ((IPEndPoint)l.LocalEndpoint).Port).ToArray();
        foreach (var listener in listeners)
        {
            listener.Dispose();
        }

        return ports;
    }
}
