using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Scissorhands.Planning;

namespace Scissorhands.Coordinator.Hosting;

/// <summary>
/// Looks whether a coordinator can listen where it is to, before anything of it starts: later the reason would stand beneath what
/// all the parts that were started say while they end.
/// </summary>
internal static class ListeningPorts
{
    /// <summary>Looks at the ports of HTTP and of the other coordinators.</summary>
    /// <param name="options">How the coordinator is reached.</param>
    /// <exception cref="InputException">A port is taken or not allowed; names its option.</exception>
    public static void Check(ClusterCoordinatorOptions options)
    {
        Check("--http", options.Http.ToString().TrimEnd('/'), Hosts(options.Http), options.Http.Port);

        // A single coordinator's are for itself; where there are several they listen on all addresses of their own one's family.
        var silo = options.Redis is null || IPAddress.IsLoopback(options.Address) ? IPAddress.Loopback : options.Address.AddressFamily == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Any : IPAddress.Any;
        Check("--silo-port", Text(options.SiloPort), [silo], options.SiloPort);
        Check("--gateway-port", Text(options.GatewayPort), [silo], options.GatewayPort);
    }

    private static IPAddress[] Hosts(Uri http) => IPAddress.TryParse(http.DnsSafeHost, out var address)
        ? address.Equals(IPAddress.IPv6Any) ? [IPAddress.Any, address] : [address]
        : http.IsLoopback ? [IPAddress.Loopback, IPAddress.IPv6Loopback] : [IPAddress.Any, IPAddress.IPv6Any];

    private static void Check(string option, string given, IEnumerable<IPAddress> addresses, int port)
    {
        foreach (var address in addresses.Where(static a => a.AddressFamily == AddressFamily.InterNetwork || Socket.OSSupportsIPv6))
        {
            using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.Bind(new IPEndPoint(address, port));
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
                throw new InputException($"{option} {given}: port {Text(port)} is taken by another program of this machine; end that one, or name another port with {option}", e);
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.AccessDenied)
            {
                throw new InputException($"{option} {given}: this user may not listen on port {Text(port)}; name one from 1024 on with {option}", e);
            }
            catch (SocketException)
            {
                // An address that this machine has not, as IPv6's where that is off: whoever listens says so.
            }
        }
    }

    private static string Text(int port) => port.ToString(CultureInfo.InvariantCulture);
}
