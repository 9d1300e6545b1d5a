using System.CommandLine;
using System.Globalization;
using Scissorhands.Drill.Cluster;
using Scissorhands.Testing;

namespace Scissorhands.Drill.Commands;

/// <summary><c>cluster</c>: broker, databases, coordinators and workers as processes, until it is interrupted.</summary>
internal static class ClusterCommand
{
    public static Command Create()
    {
        var workers = new Option<int>("--workers") { Description = "Workers", DefaultValueFactory = static _ => 2 };
        var coordinators = new Option<int>("--coordinators") { Description = "Coordinators; several share a PostgreSQL and a Redis", DefaultValueFactory = static _ => 1 };
        var port = new Option<int>("--port") { Description = "Port of the first coordinator's HTTP", DefaultValueFactory = static _ => 8080 };
        var root = new Option<string>("--root") { Description = "Folder that models and deletion requests may name paths in", DefaultValueFactory = static _ => Environment.CurrentDirectory };
        var command = new Command("cluster", "Start broker, coordinators and workers on this machine, say how to use them, and keep them until interrupted") { workers, coordinators, port, root };
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed.GetValue(workers), parsed.GetValue(coordinators), parsed.GetValue(port), Path.GetFullPath(parsed.GetRequiredValue(root)), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(int workers, int coordinators, int port, string root, CancellationToken cancellationToken)
    {
        if (workers is < 0 or > 64 || coordinators is < 1 or > 8)
        {
            await Console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"--workers {workers}, --coordinators {coordinators}: 0 to 64 workers and 1 to 8 coordinators can be started"));
            return 2;
        }

        if (!Directory.Exists(root))
        {
            await Console.Error.WriteLineAsync($"--root {root}: no such folder; name one that exists");
            return 2;
        }

        if (port is < 1 or > 65_535 || Ports.IsTaken(port))
        {
            await Console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"--port {port}: {(port is < 1 or > 65_535 ? "must be between 1 and 65535" : "is taken by another program of this machine; end that one, or name another with --port")}"));
            return 2;
        }

        try
        {
            return await KeepAsync(workers, coordinators, port, root, cancellationToken);
        }
        catch (Exception e) when (e is InvalidOperationException or TimeoutException)
        {
            // Of a process that has ended early the message holds what it said.
            await Console.Error.WriteLineAsync(e.Message);
            return 1;
        }
    }

    private static async Task<int> KeepAsync(int workers, int coordinators, int port, string root, CancellationToken cancellationToken)
    {
        await using var broker = new Broker();
        await using var redis = new Redis();
        await using var postgres = new Postgres();
        await broker.StartAsync();
        if (coordinators > 1)
        {
            await redis.StartAsync();
            await postgres.StartAsync();
        }

        if ((broker.Missing ?? redis.Missing ?? postgres.Missing) is { } missing)
        {
            await Console.Error.WriteLineAsync(missing);
            return 1;
        }

        var intake = await broker.AddVirtualHostAsync("intake", "pipeline");
        var options = new ClusterOptions
        {
            Broker = broker,
            Coordinators = coordinators,
            HttpPort = port,
            Store = coordinators > 1 ? await postgres.CreateAsync("scissorhands") : null,
            Redis = coordinators > 1 ? redis.Address : null,
            BeatSeconds = 2,
            Intake = intake,
            CoordinatorArguments = ["--root", root],
        };
        await using var cluster = await LocalCluster.StartAsync(options, workers);
        Console.WriteLine($"broker        {broker.Address}");
        for (var i = 0; i < coordinators; i++)
        {
            Console.WriteLine($"coordinator   {cluster.AddressOf(i)}");
        }

        foreach (var id in cluster.Workers)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"worker        {id}, process {cluster.Worker(id).Id}"));
        }

        Console.WriteLine();
        Console.WriteLine("To use it in another shell:");
        Console.WriteLine($"export SCISSORHANDS_COORDINATOR={cluster.Address}");
        Console.WriteLine($"export SCISSORHANDS_RABBITMQ={broker.Address}");
        Console.WriteLine($"export SCISSORHANDS_INTAKE={intake}");
        Console.WriteLine("Ctrl-C ends it.");
        await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return 0;
    }
}
