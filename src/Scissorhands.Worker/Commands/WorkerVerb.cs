using System.CommandLine;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Scissorhands.CommandLine;
using Scissorhands.Hosting.Telemetry;
using Scissorhands.Messaging.Control;
using Scissorhands.Planning;
using Scissorhands.Worker.Cluster;

namespace Scissorhands.Worker.Commands;

/// <summary><c>scissorhands worker</c>: computes for the runs of a cluster.</summary>
public static class WorkerVerb
{
    /// <summary>Makes the command.</summary>
    /// <param name="verb">What it is called: a verb of the program of all verbs, or a program of its own.</param>
    /// <returns>The command.</returns>
    public static Command Create(string verb = "worker")
    {
        var device = new Option<string>("--device") { Description = "Device: cpu, cuda or cuda:N", HelpName = "NAME", DefaultValueFactory = static _ => "cpu" };
        var pool = new Option<string>("--pool") { Description = "Pool the worker belongs to", HelpName = "NAME", DefaultValueFactory = static _ => "default" };
        var id = new Option<string?>("--id") { Description = "The worker's name, unique in the cluster; default: host name and process id", HelpName = "NAME" };
        var grace = new Option<double>("--grace") { Description = "Seconds the worker may take to come to a durable point when it is asked to end", HelpName = "SECONDS", DefaultValueFactory = static _ => 120 };
        var memory = new Option<int?>("--memory") { Description = "Memory that runs may take; default: what the machine or the container has", HelpName = "MIB" };
        var beat = ClusterOptions.Beat();
        var metrics = ClusterOptions.MetricsPort();
        var command = new Command(verb, $"Compute for the runs of a cluster, whose broker is named in {ControlBus.BrokerVariable}") { device, pool, id, grace, memory, beat, metrics };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var interval = ClusterOptions.Interval(parsed.GetValue(beat));
            var options = new ClusterWorkerOptions
            {
                Broker = ControlBus.BrokerFromEnvironment(),
                Build = BuildVersion.Own().Text,
                Device = parsed.GetRequiredValue(device),
                Pool = parsed.GetRequiredValue(pool),
                BeatInterval = interval,
                AskAgainAfter = interval,
                PeerTimeout = interval * 5,
                DeafAfter = TimeSpan.FromSeconds(Math.Max(20, 10 * interval.TotalSeconds)),
                Grace = TimeSpan.FromSeconds(parsed.GetValue(grace)),
                Telemetry = new TelemetryOptions { MetricsPort = parsed.GetValue(metrics) },
            };
            if (parsed.GetValue(memory) is { } mebibytes)
            {
                options = options with { MemoryBytes = mebibytes > 0 ? (long)mebibytes << 20 : throw new InputException($"--memory {mebibytes}: must be positive") };
            }

            if (parsed.GetValue(id) is { } name)
            {
                options = options with { WorkerId = name };
            }

            if (await RunAsync(options, cancellationToken) && !cancellationToken.IsCancellationRequested)
            {
                ProcessImage.StartAnew();
            }

            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>Works until it is asked to end.</summary>
    /// <returns>Whether the worker is to go on in a process of other numerics.</returns>
    private static async Task<bool> RunAsync(ClusterWorkerOptions options, CancellationToken cancellationToken)
    {
        using var host = ClusterWorkerHost.Build(options);
        await ClusterWorkerHost.StartAsync(host, cancellationToken);
        var worker = host.Services.GetRequiredService<ClusterWorker>();
        if (worker.Connected.IsCompleted)
        {
            Console.WriteLine($"worker {options.WorkerId} ready for pool {options.Pool}");
        }

        await host.WaitForShutdownAsync(cancellationToken);
        return worker.Refused is { } reason ? throw new InputException(reason) : worker.IsToStartAnew;
    }
}
