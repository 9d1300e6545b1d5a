using MassTransit;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Scissorhands.Coordinator.Hosting;
using Scissorhands.Messaging.Control;
using Scissorhands.Planning;

namespace Scissorhands.Coordinator.Cluster;

/// <summary>
/// Starts the bus once the virtual host is this store's, and makes sure that it stays so. Says once that the broker is away and
/// why, and once that it is back; the bus itself would say so with every attempt.
/// </summary>
internal sealed partial class BrokerWatch(IBusControl bus, IBusDepot depot, BrokerClaims claims, ClusterCoordinatorOptions options, TimeProvider time, ILogger<BrokerWatch> logger) : BackgroundService
{
    private readonly TaskCompletionSource _connected = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes once the bus takes messages in.</summary>
    public Task Connected => _connected.Task;

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await depot.Stop(cancellationToken);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        string? told = null;
        Task? started = null;
        using var timer = new PeriodicTimer(BrokerClaims.Interval, time);
        do
        {
            string? away = null;
            try
            {
                if (await claims.HoldBusAsync(stoppingToken))
                {
                    started ??= depot.Start(stoppingToken);
                }

                await HoldIntakeAsync(stoppingToken);
            }
            catch (InputException e)
            {
                claims.End(e);
                return;
            }
            catch (RunFailedException e)
            {
                away = e.Message;
            }

            if (bus.CheckHealth().Status == BusHealthStatus.Healthy)
            {
                _connected.TrySetResult();
                if (told is not null)
                {
                    told = null;
                    LogBack(BrokerConnection.NameOf(options.Broker));
                }
            }
            else if (away is not null && away != told)
            {
                // The bus does not tell why.
                told = away;
                LogAway(away, BrokerClaims.Interval.TotalSeconds);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private async Task HoldIntakeAsync(CancellationToken stoppingToken)
    {
        try
        {
            await claims.HoldIntakeAsync(stoppingToken);
        }
        catch (RunFailedException)
        {
            // Its door says so.
        }
    }

    [LoggerMessage(LogLevel.Warning, "waiting for the {Reason}; retrying every {Seconds} s")]
    private partial void LogAway(string reason, double seconds);

    [LoggerMessage(LogLevel.Information, "the broker at {Broker} is back")]
    private partial void LogBack(string broker);
}
