using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Scissorhands.Testing;

/// <summary>A Redis of the tests' own, with its own folder and port, that keeps nothing beyond its process.</summary>
/// <param name="certificates">Where given, it takes encrypted connections beside the plain ones.</param>
public sealed class Redis(TestCertificates? certificates = null) : IAsyncDisposable
{
    private static readonly TimeSpan StartDeadline = TimeSpan.FromSeconds(30);
    private readonly string _folder = Directory.CreateTempSubdirectory("scissorhands-redis-").FullName;
    private readonly int _encryptedPort = Ports.Free(1)[0];
    private string[] _encryption = [];
    private string _program = "";
    private ChildProcess? _server;

    /// <summary>Why there is no server; null where there is one.</summary>
    public string? Missing { get; private set; }

    /// <summary>The port it listens on.</summary>
    public int Port { get; } = Ports.Free(1)[0];

    /// <summary>Host and port.</summary>
    public string Address => $"127.0.0.1:{Port.ToString(CultureInfo.InvariantCulture)}";

    /// <summary>Host and port of encrypted connections, as an address of the client library.</summary>
    public string EncryptedAddress => $"127.0.0.1:{_encryptedPort.ToString(CultureInfo.InvariantCulture)},ssl=true";

    /// <summary>Starts the server; where it is not installed, <see cref="Missing"/> says so.</summary>
    public async ValueTask StartAsync()
    {
        var program = new[] { "/usr/bin/redis-server", "/usr/local/bin/redis-server" }.FirstOrDefault(File.Exists);
        if (program is null)
        {
            Missing = "redis-server is not installed (apt-get install redis-server).";
            return;
        }

        _program = program;
        if (certificates is not null)
        {
            var (certificate, key) = certificates.Issue("redis");
            _encryption = ["--tls-port", _encryptedPort.ToString(CultureInfo.InvariantCulture), "--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", certificates.Authority, "--tls-auth-clients", "no"];
        }

        await StartServerAsync();
    }

    /// <summary>Kills the server, and leaves it dead.</summary>
    public async Task KillAsync() => await _server!.DisposeAsync();

    /// <summary>Kills the server and starts it anew, empty, on the same port.</summary>
    public async Task RestartAsync()
    {
        await KillAsync();
        await StartServerAsync();
    }

    /// <summary>Removes all it holds.</summary>
    public async Task FlushAsync()
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", Port);
        await using var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes("FLUSHALL\r\n"));
        using var reader = new StreamReader(stream);
        var answer = await reader.ReadLineAsync();
        if (answer != "+OK")
        {
            throw new InvalidOperationException($"FLUSHALL: {answer}");
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }

    private async Task StartServerAsync()
    {
        _server = new ChildProcess(
            _program,
            ["--port", Port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1", "--dir", _folder, "--save", "", "--appendonly", "no", .. _encryption],
            new Dictionary<string, string>(),
            ready: "eady to accept connections");
        await _server.Ready.WaitAsync(StartDeadline);
    }
}
