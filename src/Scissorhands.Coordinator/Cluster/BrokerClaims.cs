using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Scissorhands.Coordinator.Hosting;
using Scissorhands.Messaging.Control;
using Scissorhands.Planning;

namespace Scissorhands.Coordinator.Cluster;

/// <summary>Holds the virtual hosts for this coordinator's store: nothing is taken from them or sent to workers before that, and where they become another's, the process ends.</summary>
internal sealed partial class BrokerClaims(ClusterCoordinatorOptions options, IHostApplicationLifetime lifetime, ILogger<BrokerClaims> logger) : IAsyncDisposable
{
    private readonly TaskCompletionSource _busHeld = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private BrokerClaim? _bus;
    private BrokerClaim? _intake;

    /// <summary>Completes once the workers' virtual host is this store's.</summary>
    public Task BusHeld => _busHeld.Task;

    /// <summary>Why the process ends; null where nothing was refused.</summary>
    public InputException? Refusal { get; private set; }

    /// <summary>Claims what can be reached now, before anything is started; the rest is claimed once it is there.</summary>
    /// <param name="installation">Whose store it is.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="InputException">A virtual host is another store's.</exception>
    public async Task BeginAsync(string installation, CancellationToken cancellationToken)
    {
        _bus = new BrokerClaim(options.Broker, ControlBus.BrokerVariable, installation, options.TakesOverBroker);
        _intake = options.Intake is { } intake ? new BrokerClaim(intake, ControlBus.IntakeVariable, installation, options.TakesOverBroker) : null;
        foreach (var hold in (Func<CancellationToken, Task>[])[HoldBusAsync, HoldIntakeAsync])
        {
            try
            {
                await hold(cancellationToken);
            }
            catch (RunFailedException)
            {
                // Whoever connects to it says that it is away.
            }
        }
    }

    /// <summary>Claims the workers' virtual host, or makes sure of it.</summary>
    /// <exception cref="InputException">It is another store's.</exception>
    /// <exception cref="RunFailedException">The broker is away.</exception>
    public async Task HoldBusAsync(CancellationToken cancellationToken)
    {
        await HoldAsync(_bus, ControlBus.BrokerVariable, cancellationToken);
        _busHeld.TrySetResult();
    }

    /// <summary>Claims the virtual host of deletion requests, where there is one, or makes sure of it.</summary>
    /// <exception cref="InputException">It is another store's.</exception>
    /// <exception cref="RunFailedException">The broker is away.</exception>
    public Task HoldIntakeAsync(CancellationToken cancellationToken) => HoldAsync(_intake, ControlBus.IntakeVariable, cancellationToken);

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
        foreach (var claim in (BrokerClaim?[])[_bus, _intake])
        {
            if (claim is not null)
            {
                await claim.DisposeAsync();
            }
        }
    }

    private async Task HoldAsync(BrokerClaim? claim, string variable, CancellationToken cancellationToken)
    {
        if (claim is not null && await claim.HoldAsync(cancellationToken) is { } former)
        {
            LogTaken(variable, former);
        }
    }

    [LoggerMessage(LogLevel.Warning, "The virtual host in {Variable} was taken over from installation {Former}; --take-over-broker is not needed any more")]
    private partial void LogTaken(string variable, string former);
}
