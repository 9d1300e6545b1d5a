using System.Threading.Channels;
using MassTransit;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Scissorhands.Abstractions.Cluster;
using Scissorhands.Messaging.Control;

namespace Scissorhands.Coordinator.Cluster;

/// <summary>
/// Sends commands to workers beside the grains: a broker that is away must not hold a grain up. What cannot be sent in time
/// is dropped; whatever matters is asked for or sent again.
/// </summary>
internal sealed partial class WorkerCommandSink(IBus bus, BrokerClaims claims, ILogger<WorkerCommandSink> logger) : BackgroundService, IWorkerCommandSink
{
    private const int MaxWaiting = 65_536;
    private const int Senders = 32;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly Channel<WorkerCommand> _commands = Channel.CreateBounded<WorkerCommand>(
        new BoundedChannelOptions(MaxWaiting) { FullMode = BoundedChannelFullMode.DropOldest });

    /// <inheritdoc/>
    public void Send(WorkerCommand command) => _commands.Writer.TryWrite(command);

    /// <inheritdoc/>
    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(Enumerable.Range(0, Senders).Select(_ => SendAsync(stoppingToken)));

    private async Task SendAsync(CancellationToken stoppingToken)
    {
        // Another store's workers may have the same names.
        await claims.BusHeld.WaitAsync(stoppingToken);
        await foreach (var command in _commands.Reader.ReadAllAsync(stoppingToken))
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
            patience.CancelAfter(Patience);
            try
            {
                var endpoint = await bus.GetSendEndpoint(ControlBus.CommandAddress(command.WorkerId));
                await endpoint.Send(command, command.GetType(), patience.Token);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogNotSent(command.WorkerId, command.GetType().Name, e.GetBaseException().Message);
            }
        }
    }

    [LoggerMessage(LogLevel.Warning, "Command {Command} to worker {WorkerId} was not sent: {Reason}")]
    private partial void LogNotSent(string workerId, string command, string reason);
}
