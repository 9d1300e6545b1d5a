using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Grains.Cluster;
using Scissorhands.Grains.Store;

namespace Scissorhands.Coordinator.Cluster;

/// <summary>
/// Keeps every open run alive: looks them up in the store again and again and wakes their grains. So a run goes on wherever
/// its host was lost, whatever else was lost with it.
/// </summary>
internal sealed partial class RunKeeper(IRunStore store, IGrainFactory grains, TimeProvider time, LivenessOptions options, ILogger<RunKeeper> logger) : BackgroundService
{
    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.WakeInterval, time);
        do
        {
            try
            {
                foreach (var run in await store.OpenRunsAsync(stoppingToken))
                {
                    await grains.GetGrain<IRunGrain>(run).WakeAsync();
                }
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogNotWoken(e);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    [LoggerMessage(LogLevel.Warning, "Open runs could not be looked up; tried again")]
    private partial void LogNotWoken(Exception exception);
}
