using System.Globalization;

namespace Scissorhands.Testing;

/// <summary>
/// A RabbitMQ of the tests' own, with private names, ports and folders, so that neither a broker of the machine nor another
/// run of the tests meets it. Its port mapper is a child too: the one Erlang starts by itself would outlive the tests.
/// </summary>
/// <param name="servesMetrics">Whether it serves metrics to Prometheus.</param>
public sealed class Broker(bool servesMetrics = false) : IAsyncDisposable
{
    private static readonly TimeSpan StartDeadline = TimeSpan.FromMinutes(3);
    private readonly string _folder = Directory.CreateTempSubdirectory("scissorhands-broker-").FullName;
    private ChildProcess? _mapper;
    private ChildProcess? _server;
    private string _program = "";
    private Dictionary<string, string> _environment = [];

    /// <summary>The broker's address.</summary>
    public Uri Address { get; private set; } = new("amqp://localhost");

    /// <summary>Where encrypted connections are taken; as <see cref="Address"/> where none are.</summary>
    public Uri EncryptedAddress { get; private set; } = new("amqp://localhost");

    /// <summary>Why there is no broker; null where there is one.</summary>
    public string? Missing { get; private set; }

    /// <summary>Id of the broker's process; 0 where there is none.</summary>
    public int ProcessId => _server?.Id ?? 0;

    /// <summary>The port it listens on.</summary>
    public int Port => Address.Port;

    /// <summary>Host and port that it serves metrics at, where it serves any.</summary>
    public string MetricsAddress { get; private set; } = "";

    /// <summary>Starts the broker; where it is not installed, <see cref="Missing"/> says so.</summary>
    /// <param name="certificates">Where given, it takes encrypted connections too, of those who have a certificate of the same authority.</param>
    public async ValueTask StartAsync(TestCertificates? certificates = null)
    {
        // Not the script in the search path: that one changes to the package's user and folders.
        var server = new[] { "/usr/lib/rabbitmq/bin/rabbitmq-server", "/opt/rabbitmq/sbin/rabbitmq-server" }.FirstOrDefault(File.Exists);
        var mapper = new[] { "/usr/bin/epmd", "/usr/local/bin/epmd" }.FirstOrDefault(File.Exists);
        if (server is null || mapper is null)
        {
            Missing = "rabbitmq-server is not installed (apt-get install rabbitmq-server).";
            return;
        }

        var ports = Ports.Free(4);
        _environment = Environment(ports);
        _mapper = new ChildProcess(mapper, ["-port", Text(ports[2])], _environment);
        _program = server;
        Address = new Uri($"amqp://guest:guest@127.0.0.1:{Text(ports[0])}/");
        EncryptedAddress = Address;
        if (certificates is not null)
        {
            EncryptedAddress = new Uri($"amqps://guest:guest@127.0.0.1:{Text(ports[3])}/");
            var (certificate, key) = certificates.Issue("broker");
            await File.WriteAllLinesAsync(
                Path.Combine(_folder, "rabbitmq.conf"),
                [
                    $"listeners.ssl.1 = 127.0.0.1:{Text(ports[3])}",
                    $"ssl_options.cacertfile = {certificates.Authority}",
                    $"ssl_options.certfile = {certificate}",
                    $"ssl_options.keyfile = {key}",
                    "ssl_options.verify = verify_peer",
                    "ssl_options.fail_if_no_peer_cert = true",
                ]);
        }

        await StartServerAsync();
    }

    /// <summary>Kills the broker and starts it anew on the same port, with what it had written.</summary>
    public async Task RestartAsync()
    {
        await _server!.DisposeAsync();
        await StartServerAsync();
    }

    /// <summary>Asks the broker what it holds: one line an object, columns apart by tabs.</summary>
    /// <param name="what">"queues", "exchanges", "connections", "channels", ...</param>
    /// <param name="columns">What to tell of each.</param>
    public Task<string[]> ListAsync(string what, params string[] columns) => ControlAsync(["--no-table-headers", $"list_{what}", .. columns]);

    /// <summary>Runs rabbitmqctl; returns the lines it prints.</summary>
    /// <exception cref="InvalidOperationException">It failed; the message is what it said.</exception>
    public async Task<string[]> ControlAsync(params string[] arguments)
    {
        var program = Path.Combine(Path.GetDirectoryName(_program)!, "rabbitmqctl");
        await using var control = new ChildProcess(program, ["--quiet", .. arguments], _environment);
        await control.Exited.WaitAsync(StartDeadline);
        return control.ExitCode == 0
            ? control.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            : throw new InvalidOperationException($"rabbitmqctl {string.Join(' ', arguments)}:\n{control.Output}");
    }

    /// <summary>Makes a virtual host, and a user who may do everything in it.</summary>
    /// <returns>The address of the virtual host for that user.</returns>
    public async Task<Uri> AddVirtualHostAsync(string name, string user)
    {
        await ControlAsync("add_vhost", name);
        await ControlAsync("add_user", user, user);
        await ControlAsync("set_permissions", "-p", name, user, ".*", ".*", ".*");
        return new UriBuilder(Address) { UserName = user, Password = user, Path = name }.Uri;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        if (_mapper is not null)
        {
            await _mapper.DisposeAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }

    private async Task StartServerAsync()
    {
        _server = new ChildProcess(_program, [], _environment, ready: "completed with");
        try
        {
            await _server.Ready.WaitAsync(StartDeadline);
        }
        catch (TimeoutException e)
        {
            throw new InvalidOperationException($"The broker was not ready after {StartDeadline}. Its output:\n{_server.Output}", e);
        }
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private Dictionary<string, string> Environment(int[] ports)
    {
        var plugins = Path.Combine(_folder, "enabled_plugins");
        var settings = Path.Combine(_folder, "env.conf");
        File.WriteAllText(plugins, servesMetrics ? "[rabbitmq_prometheus].\n" : "[].\n");
        File.WriteAllText(settings, "");
        if (servesMetrics)
        {
            MetricsAddress = $"127.0.0.1:{Text(ports[3])}";
            File.WriteAllText(Path.Combine(_folder, "rabbitmq.conf"), $"prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {Text(ports[3])}\n");
        }

        return new Dictionary<string, string>
        {
            ["HOME"] = _folder,
            ["RABBITMQ_NODENAME"] = $"scissorhands-{Text(System.Environment.ProcessId)}-{Text(ports[0])}@localhost",
            ["RABBITMQ_NODE_IP_ADDRESS"] = "127.0.0.1",
            ["RABBITMQ_NODE_PORT"] = Text(ports[0]),
            ["RABBITMQ_DIST_PORT"] = Text(ports[1]),
            ["ERL_EPMD_PORT"] = Text(ports[2]),
            ["ERL_EPMD_ADDRESS"] = "127.0.0.1",
            ["RABBITMQ_MNESIA_BASE"] = Path.Combine(_folder, "mnesia"),
            ["RABBITMQ_LOG_BASE"] = Path.Combine(_folder, "log"),
            ["RABBITMQ_PID_FILE"] = Path.Combine(_folder, "pid"),
            ["RABBITMQ_ENABLED_PLUGINS_FILE"] = plugins,
            ["RABBITMQ_CONF_ENV_FILE"] = settings,
            ["RABBITMQ_CONFIG_FILE"] = Path.Combine(_folder, "rabbitmq"),

            // The start script then becomes the broker itself, so that the child's id is the broker's.
            ["RUNNING_UNDER_SYSTEMD"] = "true",
        };
    }
}
