using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Hosting;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Coordinator.Cluster;
using Scissorhands.Grains.Cluster;
using Scissorhands.Grains.Store;
using Scissorhands.Planning;

namespace Scissorhands.Benchmarks.Coordinator;

/// <summary>
/// A coordinator's grains, store and keeper of open runs in this process, with queues in memory in place of the broker. Commands are handed over
/// as the grains send them.
/// </summary>
internal sealed class SimulatedCluster : IWorkerCommandSink, IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, Channel<WorkerCommand>> _inboxes = new(StringComparer.Ordinal);
    private readonly IHost _host;

    private SimulatedCluster(StoreOptions store, int[] ports, LivenessOptions liveness)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(liveness);
        builder.Services.AddSingleton(BuildVersion.Own());
        builder.Services.AddSingleton<IWorkerCommandSink>(this);
        builder.Services.AddRunStore(store);
        builder.UseOrleans(silo => silo.UseLocalhostClustering(ports[0], ports[1]));
        builder.Services.AddHostedService<RunKeeper>();
        _host = builder.Build();
        Liveness = liveness;
    }

    public LivenessOptions Liveness { get; }

    public IGrainFactory Grains => _host.Services.GetRequiredService<IGrainFactory>();

    public string Build { get; } = BuildVersion.Own().Text;

    /// <summary>Starts it.</summary>
    public static async Task<SimulatedCluster> StartAsync(StoreOptions store, int[] ports)
    {
        var cluster = new SimulatedCluster(store, ports, new LivenessOptions());
        await cluster._host.StartAsync();
        return cluster;
    }

    /// <summary>What a worker is told from now on; what it was told before goes to its former life.</summary>
    public ChannelReader<WorkerCommand> Inbox(string workerId)
    {
        var inbox = Channel.CreateUnbounded<WorkerCommand>();
        _inboxes[workerId] = inbox;
        return inbox.Reader;
    }

    /// <inheritdoc/>
    public void Send(WorkerCommand command)
    {
        if (_inboxes.TryGetValue(command.WorkerId, out var inbox))
        {
            inbox.Writer.TryWrite(command);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        _host.Dispose();
    }
}
