using System.Text.RegularExpressions;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;
using Scissorhands.Planning;

namespace Scissorhands.Messaging.Control;

/// <summary>
/// Whose virtual host it is. All coordinators of one store share its queues; those of another store would take each other's
/// messages there, every other one, and nobody would be told. So a virtual host carries its owner's mark, which the first one
/// sets and the broker does not let another one set differently. It outlasts coordinators and broker, as messages do that wait there.
/// </summary>
/// <remarks>
/// The mark is a durable exchange without bindings, to which nothing is ever sent. Its owner is in its alternate exchange: of
/// an exchange's arguments this is the one that brokers compare when it is declared again, and it need not exist.
/// </remarks>
/// <param name="broker">The virtual host, with credentials.</param>
/// <param name="variable">What names it to the operator.</param>
/// <param name="owner">The installation that claims it.</param>
/// <param name="takesOver">Whether the first claim takes it from another owner.</param>
public sealed partial class BrokerClaim(Uri broker, string variable, string owner, bool takesOver) : IAsyncDisposable
{
    /// <summary>The exchange that carries the mark.</summary>
    public const string Exchange = "scissorhands.owner";

    private const string Owner = "scissorhands.installation.";

    // Coordinators of the former owner that are still there set theirs again every few seconds.
    private const int Attempts = 10;
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(5);
    private readonly SemaphoreSlim _oneAtATime = new(1, 1);
    private IConnection? _connection;
    private bool _takesOver = takesOver;

    /// <summary>Claims the virtual host, or makes sure that it still is this installation's: it may have been emptied or taken over.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The installation that it was taken from; null where it was nobody's or this one's.</returns>
    /// <exception cref="InputException">It is another installation's.</exception>
    /// <exception cref="RunFailedException">The broker cannot be reached, or refuses.</exception>
    public async Task<string?> HoldAsync(CancellationToken cancellationToken)
    {
        await _oneAtATime.WaitAsync(cancellationToken);
        try
        {
            if (_connection is not { IsOpen: true })
            {
                await CloseAsync();
                _connection = await BrokerConnection.OpenAsync(broker, "scissorhands claim", Heartbeat, cancellationToken);
            }

            string? former = null;
            for (var attempt = 1; await OtherAsync(_connection, cancellationToken) is { } other; attempt++)
            {
                if (!_takesOver || attempt == Attempts)
                {
                    throw Refused(other);
                }

                former = other;
                await using var channel = await _connection.CreateChannelAsync(cancellationToken: cancellationToken);
                await channel.ExchangeDeleteAsync(Exchange, cancellationToken: cancellationToken);
            }

            // Taken from this one in turn it is lost.
            _takesOver = false;
            return former;
        }
        catch (Exception e) when (BrokerConnection.IsFailure(e))
        {
            throw BrokerConnection.Failed(broker, e);
        }
        finally
        {
            _oneAtATime.Release();
        }
    }

    /// <summary>Closes the connection; the mark stays.</summary>
    /// <returns>Completes once it is closed.</returns>
    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        _oneAtATime.Dispose();
    }

    private async Task CloseAsync()
    {
        if (_connection is null)
        {
            return;
        }

        try
        {
            await _connection.DisposeAsync();
        }
        catch (Exception e) when (BrokerConnection.IsFailure(e))
        {
            // It is gone already.
        }

        _connection = null;
    }

    /// <summary>Sets the mark; returns whose it is where it is another's.</summary>
    private async Task<string?> OtherAsync(IConnection connection, CancellationToken cancellationToken)
    {
        await using var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
        try
        {
            var mark = new Dictionary<string, object?>(StringComparer.Ordinal) { ["alternate-exchange"] = Owner + owner };
            await channel.ExchangeDeclareAsync(Exchange, ExchangeType.Fanout, durable: true, autoDelete: false, mark, cancellationToken: cancellationToken);
            return null;
        }
        catch (OperationInterruptedException e) when (e.ShutdownReason?.ReplyCode == Constants.PreconditionFailed)
        {
            return Named().Match(e.ShutdownReason.ReplyText) is { Success: true } found ? found.Groups[1].Value : "unknown";
        }
    }

    private InputException Refused(string other)
    {
        var name = Uri.UnescapeDataString(broker.AbsolutePath.TrimStart('/'));
        return new InputException($"{variable}: virtual host {(name.Length == 0 ? "/" : name)} of the broker at {BrokerConnection.NameOf(broker)} belongs to the coordinators of another store (installation {other}; that of this store is {owner}), whose messages would be taken. "
            + "Correct SCISSORHANDS_STORE, or name a virtual host of this store's own; where the other store is lost for good, start once with --take-over-broker");
    }

    // The broker quotes both values, the present one last.
    [GeneratedRegex(@"current is.*'scissorhands\.installation\.([^']*)'", RegexOptions.CultureInvariant)]
    private static partial Regex Named();
}
