using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Scissorhands.Abstractions.Deletion;
using Scissorhands.Grains.Cluster;
using Scissorhands.Grains.Deletion;
using Scissorhands.Grains.Store;

namespace Scissorhands.Coordinator.Deletion;

/// <summary>Keeps alive what has something to do: models with requests, and audit chains with rows that wait or are not signed for.</summary>
internal sealed partial class DeletionKeeper(IDeletionStore models, IAuditStore audit, IHeadSigner signer, IGrainFactory grains, TimeProvider time, LivenessOptions options, ILogger<DeletionKeeper> logger) : BackgroundService
{
    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.WakeInterval, time);
        do
        {
            try
            {
                foreach (var model in await models.ModelsAtWorkAsync(stoppingToken))
                {
                    grains.GetGrain<IModelGrain>(model).WakeAsync().Ignore();
                }

                var unsigned = signer.KeyId is { } key ? await audit.UnsignedChainsAsync(key, stoppingToken) : [];
                foreach (var chain in (await audit.WaitingChainsAsync(stoppingToken)).Union(unsigned, StringComparer.Ordinal))
                {
                    await grains.GetGrain<IAuditGrain>(chain).WakeAsync();
                }
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogNotWoken(e);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    [LoggerMessage(LogLevel.Warning, "Models at work could not be looked up; tried again")]
    private partial void LogNotWoken(Exception exception);
}
