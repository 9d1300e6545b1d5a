using MassTransit;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Scissorhands.Coordinator.Hosting;
using Scissorhands.Messaging.Control;
using Scissorhands.Planning;

namespace Scissorhands.Coordinator.Cluster;

/// <summary>Says once that the broker is away and why, and once that it is back; the bus itself would say so with every attempt.</summary>
internal sealed partial class BrokerWatch(IBusControl bus, ClusterCoordinatorOptions options, TimeProvider time, ILogger<BrokerWatch> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);
    private readonly TaskCompletionSource _connected = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes once the bus takes messages in.</summary>
    public Task Connected => _connected.Task;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        string? told = null;
        using var timer = new PeriodicTimer(Interval, time);
        do
        {
            if (bus.CheckHealth().Status == BusHealthStatus.Healthy)
            {
                _connected.TrySetResult();
                if (told is not null)
                {
                    told = null;
                    LogBack(BrokerConnection.NameOf(options.Broker));
                }

                continue;
            }

            try
            {
                // The bus does not tell why. Where this succeeds it is about to connect.
                await BrokerConnection.CheckAsync(options.Broker, stoppingToken);
            }
            catch (RunFailedException e) when (e.Message != told)
            {
                told = e.Message;
                LogAway(e.Message, Interval.TotalSeconds);
            }
            catch (RunFailedException)
            {
                // Said already.
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    [LoggerMessage(LogLevel.Warning, "waiting for the {Reason}; retrying every {Seconds} s")]
    private partial void LogAway(string reason, double seconds);

    [LoggerMessage(LogLevel.Information, "the broker at {Broker} is back")]
    private partial void LogBack(string broker);
}
