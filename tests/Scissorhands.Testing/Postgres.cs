using System.Globalization;

namespace Scissorhands.Testing;

/// <summary>A PostgreSQL of the tests' own, with its own folder and port.</summary>
/// <param name="flushes">Whether it waits for the disk. Tests need not: it is killed, the machine is not.</param>
/// <param name="certificates">Where given, it takes encrypted connections, too.</param>
public sealed class Postgres(bool flushes = false, TestCertificates? certificates = null) : IAsyncDisposable
{
    private const string Password = "hush-7c1e";
    private static readonly TimeSpan StartDeadline = TimeSpan.FromSeconds(60);
    private static readonly Dictionary<string, string> Environment = new() { ["LC_ALL"] = "C", ["TZ"] = "UTC", ["PGPASSWORD"] = Password };
    private readonly string _folder = Directory.CreateTempSubdirectory("scissorhands-postgres-").FullName;
    private readonly int _port = Ports.Free(1)[0];
    private string _programs = "";
    private ChildProcess? _server;

    /// <summary>Why there is no server; null where there is one.</summary>
    public string? Missing { get; private set; }

    /// <summary>The secret within the addresses.</summary>
    public string Secret => Password;

    /// <summary>Its own database, as an address.</summary>
    public string Address => AddressOf("postgres");

    /// <summary>Starts the server; where it is not installed, <see cref="Missing"/> says so.</summary>
    public async ValueTask StartAsync()
    {
        var programs = Directory.Exists("/usr/lib/postgresql")
            ? Directory.EnumerateDirectories("/usr/lib/postgresql").Select(version => Path.Combine(version, "bin"))
                .Where(bin => File.Exists(Path.Combine(bin, "postgres")) && File.Exists(Path.Combine(bin, "initdb")))
                .OrderByDescending(bin => bin, StringComparer.Ordinal).FirstOrDefault()
            : null;
        if (programs is null)
        {
            Missing = "PostgreSQL is not installed (apt-get install postgresql).";
            return;
        }

        _programs = programs;
        var secret = Path.Combine(_folder, "secret");
        await File.WriteAllTextAsync(secret, Password);
        if (certificates is not null)
        {
            // Its own copy: it refuses a key that others may read.
            var (certificate, key) = certificates.Issue("postgres");
            File.Copy(certificate, Certificate);
            File.Copy(key, Certificate + ".key");
            await FinishAsync("/bin/chmod", ["600", Certificate + ".key"]);
        }

        if (System.Environment.IsPrivilegedProcess)
        {
            await FinishAsync("/bin/chown", ["-R", "postgres:postgres", _folder]);
        }

        var (file, arguments) = AsServer("initdb", ["-D", Data, "-U", "postgres", "-A", "scram-sha-256", "--pwfile", secret, "--no-locale", "-E", "UTF8", "--no-sync"]);
        await FinishAsync(file, arguments);
        await StartServerAsync();
    }

    /// <summary>The address of one of its databases; it is not made by this.</summary>
    public string AddressOf(string database) => $"postgres://postgres:{Password}@127.0.0.1:{Port}/{database}";

    /// <summary>The connection string of one of its databases, as keywords.</summary>
    public string KeywordsOf(string database) => $"Host=127.0.0.1;Port={Port};Username=postgres;Password={Password};Database={database}";

    /// <summary>Makes a database.</summary>
    /// <returns>Its address.</returns>
    public async Task<string> CreateAsync(string database)
    {
        await FinishAsync(Path.Combine(_programs, "createdb"), ["-h", "127.0.0.1", "-p", Port, "-U", "postgres", database]);
        return AddressOf(database);
    }

    /// <summary>Kills the server, all of it, and leaves it dead.</summary>
    public async Task KillAsync() => await _server!.DisposeAsync();

    /// <summary>Kills the server and starts it anew on the same port, with what it had written.</summary>
    public async Task RestartAsync()
    {
        await KillAsync();
        await StartServerAsync();
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

    private string Data => Path.Combine(_folder, "data");

    private string Certificate => Path.Combine(_folder, "server.pem");

    private string[] EncryptionArguments => certificates is null ? [] : ["-c", "ssl=on", "-c", $"ssl_cert_file={Certificate}", "-c", $"ssl_key_file={Certificate}.key"];

    private string Port => _port.ToString(CultureInfo.InvariantCulture);

    private static async Task FinishAsync(string file, IEnumerable<string> arguments)
    {
        await using var process = new ChildProcess(file, arguments, Environment);
        await process.Exited.WaitAsync(StartDeadline);
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{file}:\n{process.Output}");
        }
    }

    private async Task StartServerAsync()
    {
        var (file, arguments) = AsServer(
            "postgres", ["-D", Data, "-p", Port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", flushes ? "fsync=on" : "fsync=off", "-c", "max_connections=60", .. EncryptionArguments]);
        for (var attempt = 1; ; attempt++)
        {
            _server = new ChildProcess(file, arguments, Environment, ready: "ready to accept connections");
            try
            {
                await _server.Ready.WaitAsync(StartDeadline);
                return;
            }
            catch (InvalidOperationException) when (attempt < 20)
            {
                // The killed server's memory is not released at once, and it does not start beside that.
                await _server.DisposeAsync();
                await Task.Delay(TimeSpan.FromMilliseconds(250));
            }
        }
    }

    /// <summary>PostgreSQL refuses to run as root.</summary>
    private (string File, string[] Arguments) AsServer(string program, string[] arguments)
    {
        var file = Path.Combine(_programs, program);
        return System.Environment.IsPrivilegedProcess
            ? ("/usr/bin/setpriv", ["--reuid=postgres", "--regid=postgres", "--clear-groups", file, .. arguments])
            : (file, arguments);
    }
}
