using System.Globalization;
using Scissorhands.Cli.Tests.Runs;
using Scissorhands.Drill.Cluster;
using Scissorhands.Testing;

namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>A coordinator with callers' keys and a root, whose broker never comes: HTTP is served all the same, and nothing is at work.</summary>
public sealed class LoneCoordinator : IAsyncLifetime
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);

    public string Folder { get; } = Directory.CreateTempSubdirectory("scissorhands-lone-").FullName;

    public string Root => Path.Combine(Folder, "root");

    public CallerKeys Keys => field ??= new CallerKeys(Folder);

    public Uri Address { get; } = new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{Ports.Free(1)[0]}"));

    public ChildProcess Process { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Directory.CreateDirectory(Root);
        await Keys.AddAsync("operator", "submit,operate");
        await Keys.AddAsync("pipeline", "submit");
        var ports = Ports.Free(3);
        Process = Start("--http", $"http://127.0.0.1:{Address.Port}", "--silo-port", $"{ports[0]}", "--gateway-port", $"{ports[1]}", "--keys", Keys.File, "--root", Root, "--limit-submissions", "1", "--limit-refusals", "0");
        await Process.SaysAsync("Now listening", anywhere: true).WaitAsync(Deadline);
    }

    /// <summary>Starts another coordinator.</summary>
    public ChildProcess Start(params string[] arguments) => new(
        Executable.Path,
        ["coordinator", .. arguments],
        new Dictionary<string, string>
        {
            ["SCISSORHANDS_RABBITMQ"] = "amqp://guest:guest@127.0.0.1:1/",
            ["SCISSORHANDS_STORE"] = "sqlite:" + Path.Combine(Folder, $"{Guid.NewGuid():N}.db"),
            ["SCISSORHANDS_INTAKE"] = "",
            ["SCISSORHANDS_REDIS"] = "",
        });

    public HttpClient As(string? name)
    {
        var http = new HttpClient { BaseAddress = Address };
        http.DefaultRequestHeaders.Authorization = Keys.Header(name);
        return http;
    }

    /// <summary>A command with a caller's key, or that of nobody.</summary>
    public async Task<CliResult> CommandAsync(string name, params string[] arguments)
    {
        var key = Path.Combine(Folder, $"key-of-{name}");
        await File.WriteAllTextAsync(key, Keys[name] + "\n");
        await using var process = CliProcess.Start(arguments, environment: [("SCISSORHANDS_KEY_FILE", key), ("SCISSORHANDS_COORDINATOR", Address.ToString())]);
        return await process.FinishAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Process.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }
}
