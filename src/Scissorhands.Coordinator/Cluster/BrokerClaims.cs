using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Scissorhands.Coordinator.Hosting;
using Scissorhands.Messaging.Control;
using Scissorhands.Planning;

namespace Scissorhands.Coordinator.Cluster;

/// <summary>Holds the virtual hosts for this coordinator's store: nothing is taken from them or sent to workers before that, and where they become another's, the process ends.</summary>
internal sealed partial class BrokerClaims(ClusterCoordinatorOptions options, IHostApplicationLifetime lifetime, TimeProvider time, ILogger<BrokerClaims> logger) : IAsyncDisposable
{
    /// <summary>How often a virtual host is claimed anew.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    /// <summary>How long a virtual host is left alone after it was taken from another owner, whose coordinators may use it until they claim it in vain.</summary>
    public static readonly TimeSpan Settling = Interval * 3;

    // The broker may swallow what it is sent; the service is there before that is known.
    private static readonly TimeSpan BeginLimit = TimeSpan.FromSeconds(5);
    private readonly TaskCompletionSource _busHeld = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Held? _bus;
    private Held? _intake;

    /// <summary>Completes once the workers' virtual host is this store's.</summary>
    public Task BusHeld => _busHeld.Task;

    /// <summary>Why the process ends; null where nothing was refused.</summary>
    public InputException? Refusal { get; private set; }

    /// <summary>Claims what can be reached now, before anything is started, for a few seconds; the rest is claimed once it is there.</summary>
    /// <param name="installation">Whose store it is.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="InputException">A virtual host is another store's.</exception>
    public async Task BeginAsync(string installation, CancellationToken cancellationToken)
    {
        _bus = new Held(new BrokerClaim(options.Broker, ControlBus.BrokerVariable, installation, options.TakesOverBrokerFrom, time), ControlBus.BrokerVariable);
        _intake = options.Intake is { } intake ? new Held(new BrokerClaim(intake, ControlBus.IntakeVariable, installation, options.TakesOverBrokerFrom, time), ControlBus.IntakeVariable) : null;
        using var limit = new CancellationTokenSource(BeginLimit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        await Task.WhenAll(BeginAsync(HoldBusAsync, either.Token), BeginAsync(HoldIntakeAsync, either.Token));
        cancellationToken.ThrowIfCancellationRequested();
    }

    /// <summary>Claims the workers' virtual host, or makes sure of it.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Whether it may be used; not yet where it was taken from another owner a moment ago.</returns>
    /// <exception cref="InputException">It is another store's.</exception>
    /// <exception cref="RunFailedException">The broker is away.</exception>
    public async Task<bool> HoldBusAsync(CancellationToken cancellationToken)
    {
        if (!await HoldAsync(_bus, cancellationToken))
        {
            return false;
        }

        _busHeld.TrySetResult();
        return true;
    }

    /// <summary>Claims the virtual host of deletion requests, where there is one, or makes sure of it.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Whether it may be used; not yet where it was taken from another owner a moment ago.</returns>
    /// <exception cref="InputException">It is another store's.</exception>
    /// <exception cref="RunFailedException">The broker is away.</exception>
    public Task<bool> HoldIntakeAsync(CancellationToken cancellationToken) => HoldAsync(_intake, cancellationToken);

    /// <summary>Ends the process.</summary>
    /// <param name="refusal">Why.</param>
    public void End(InputException refusal)
    {
        Refusal ??= refusal;
        lifetime.StopApplication();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var held in (Held?[])[_bus, _intake])
        {
            if (held is not null)
            {
                await held.Claim.DisposeAsync();
            }
        }
    }

    private static async Task BeginAsync(Func<CancellationToken, Task<bool>> hold, CancellationToken limit)
    {
        try
        {
            await hold(limit);
        }
        catch (Exception e) when (e is RunFailedException || (e is OperationCanceledException && limit.IsCancellationRequested))
        {
            // Whoever connects to it says that it is away.
        }
    }

    private async Task<bool> HoldAsync(Held? held, CancellationToken cancellationToken)
    {
        if (held is null)
        {
            return true;
        }

        if (await held.Claim.HoldAsync(cancellationToken) is { } former)
        {
            held.TakenAt = time.GetTimestamp();
            LogTaken(held.Variable, former, Settling.TotalSeconds);
        }

        return held.TakenAt is not { } since || time.GetElapsedTime(since) >= Settling;
    }

    [LoggerMessage(LogLevel.Warning, "The virtual host in {Variable} was taken over from installation {Former} and is used in {Seconds} s; --take-over-broker is not needed any more")]
    private partial void LogTaken(string variable, string former, double seconds);

    private sealed class Held(BrokerClaim claim, string variable)
    {
        public BrokerClaim Claim => claim;

        public string Variable => variable;

        public long? TakenAt { get; set; }
    }
}
