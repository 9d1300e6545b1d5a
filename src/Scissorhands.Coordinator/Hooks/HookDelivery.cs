using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Scissorhands.Grains.Cluster;
using Scissorhands.Grains.Deletion;
using Scissorhands.Grains.Store;
using Scissorhands.Grains.Telemetry;

namespace Scissorhands.Coordinator.Hooks;

/// <summary>A hook and how patient it is to be served.</summary>
/// <param name="Hook">The hook.</param>
/// <param name="Kind">Its kind, for the instruments: webhook, rabbitmq or mlflow.</param>
/// <param name="RetryAfter">The wait after the first failed attempt.</param>
/// <param name="LongestRetry">The longest wait.</param>
internal sealed record ServedHook(IPublicationHook Hook, string Kind, TimeSpan RetryAfter, TimeSpan LongestRetry);

/// <summary>
/// Takes events out of the store's outbox to their hooks, at least once each. A message leaves the store when its hook has
/// taken it and not before; what fails is tried again, after ever longer waits that keep neither other messages nor other
/// hooks waiting. How often a message has failed is this process's own knowledge: after a restart it is tried at once.
/// </summary>
internal sealed partial class HookDelivery(IReadOnlyList<ServedHook> hooks, IOutbox outbox, TimeProvider time, LivenessOptions options, ILogger<HookDelivery> logger) : BackgroundService
{
    // All of a claim are tried within its lease, however long each takes.
    private const int MostAtOnce = 8;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(5);
    private readonly string _claimer = Guid.NewGuid().ToString("N");
    private readonly ConcurrentDictionary<long, int> _failures = new();

    /// <summary>Delivers what is to be delivered to a hook now.</summary>
    /// <param name="served">The hook.</param>
    /// <param name="ct">Ends the delivery; what was not delivered is delivered later.</param>
    /// <returns>How many messages were tried.</returns>
    internal async Task<int> DeliverAsync(ServedHook served, CancellationToken ct)
    {
        var messages = await outbox.ClaimAsync(PublicationEvents.DestinationOf(served.Hook.Name), _claimer, MostAtOnce, Lease, ct);
        foreach (var message in messages)
        {
            using var patience = new CancellationTokenSource(Patience, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, patience.Token);
            try
            {
                await served.Hook.DeliverAsync(HookEvent.Read(message.Body), either.Token);
                _failures.TryRemove(message.Id, out _);
                ServiceMeters.Delivered(served.Kind, delivered: true);
            }
            catch (Exception e) when (!ct.IsCancellationRequested)
            {
                var failures = _failures.AddOrUpdate(message.Id, 1, static (_, before) => before + 1);
                var wait = WaitAfter(failures, served);
                ServiceMeters.Delivered(served.Kind, delivered: false);
                LogNotDelivered(served.Hook.Name, message.Type, message.Id, failures, wait.TotalSeconds, Reason(e));
                await outbox.PostponeAsync(message.Id, _claimer, wait, ct);
                continue;
            }

            await outbox.DoneAsync([message.Id], ct);
        }

        return messages.Count;
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (hooks.Count > 0)
        {
            await Task.WhenAll([TellStrandedAsync(stoppingToken), .. hooks.Select(hook => ServeAsync(hook, stoppingToken))]);
        }
    }

    private static string Reason(Exception failure) => failure switch
    {
        OperationCanceledException => "no answer in time",
        JsonException => "what is stored, or what it answers, is not the JSON that is expected",
        _ => failure.GetBaseException().Message,
    };

    // Half of it by chance: those who failed together are not to come back together.
    private static TimeSpan WaitAfter(int failures, ServedHook served)
    {
        var whole = served.RetryAfter * Math.Pow(2, Math.Min(failures - 1, 40));
        whole = whole < served.LongestRetry ? whole : served.LongestRetry;
        return whole * (RandomNumberGenerator.GetInt32(50, 101) / 100.0);
    }

    private async Task ServeAsync(ServedHook served, CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.WakeInterval, time);
        do
        {
            try
            {
                while (await DeliverAsync(served, stoppingToken) == MostAtOnce)
                {
                }
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogNotLookedUp(served.Hook.Name, e.GetBaseException().Message);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    /// <summary>Says where messages wait for a hook that is not in the file any more: they are kept until it is back.</summary>
    private async Task TellStrandedAsync(CancellationToken stoppingToken)
    {
        try
        {
            foreach (var (destination, count) in await outbox.WaitingAsync(stoppingToken))
            {
                if (hooks.All(h => PublicationEvents.DestinationOf(h.Hook.Name) != destination))
                {
                    LogStranded(count, destination);
                }
            }
        }
        catch (Exception e) when (!stoppingToken.IsCancellationRequested)
        {
            LogNotLookedUp("any", e.GetBaseException().Message);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Hook {Hook} has not taken {Type} (message {Message}, attempt {Attempt}); tried again in {Seconds} s: {Reason}")]
    private partial void LogNotDelivered(string hook, string type, long message, int attempt, double seconds, string reason);

    [LoggerMessage(LogLevel.Warning, "Messages to hook {Hook} could not be looked up or marked as delivered; tried again: {Reason}")]
    private partial void LogNotLookedUp(string hook, string reason);

    [LoggerMessage(LogLevel.Warning, "{Count} messages wait for {Destination}, which is not among this coordinator's hooks")]
    private partial void LogStranded(int count, string destination);
}
