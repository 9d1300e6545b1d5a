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
/// <param name="takesOverFrom">The installation that it is taken from where it is that one's, as refusals name it or whole; null for none.</param>
/// <param name="time">Measures <see cref="Patience"/>.</param>
public sealed partial class BrokerClaim(Uri broker, string variable, string owner, string? takesOverFrom, TimeProvider time) : IAsyncDisposable
{
    /// <summary>The exchange that carries the mark.</summary>
    public const string Exchange = "scissorhands.owner";

    /// <summary>How many characters of an installation's name the mark has: a broker's refusal, which holds two of them, is cut to 255 bytes.</summary>
    public const int NameLength = 16;

    private const string Prefix = "sh.";

    // Of the same name, so that a user who may set the mark may have it.
    private const string Lock = Exchange;

    // Coordinators of the former owner that are still there set theirs again every few seconds.
    private const int Attempts = 10;
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LockInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan CloseLimit = TimeSpan.FromSeconds(1);
    private readonly SemaphoreSlim _oneAtATime = new(1, 1);
    private readonly string _owner = NameOf(owner);
    private readonly string? _former = takesOverFrom is null ? null : NameOf(takesOverFrom);
    private IConnection? _connection;

    /// <summary>How long the broker may take for one claim, connecting included. Default: 10 seconds.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>What an installation is called in marks and refusals.</summary>
    /// <param name="installation">Its whole name, or what this made of it.</param>
    /// <returns>The first <see cref="NameLength"/> characters.</returns>
    public static string NameOf(string installation)
    {
        ArgumentNullException.ThrowIfNull(installation);
        return installation.Length <= NameLength ? installation : installation[..NameLength];
    }

    /// <summary>Claims the virtual host, or makes sure that it still is this installation's: it may have been emptied or taken over.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The installation that it was taken from; null where it was nobody's or this one's.</returns>
    /// <exception cref="InputException">It is another installation's.</exception>
    /// <exception cref="RunFailedException">The broker cannot be reached, is too slow, or refuses.</exception>
    public async Task<string?> HoldAsync(CancellationToken cancellationToken)
    {
        await _oneAtATime.WaitAsync(cancellationToken);
        using var patience = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        try
        {
            return await HoldWithinAsync(either.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or RunFailedException || BrokerConnection.IsFailure(e))
        {
            // What it was asked may be under way still: the next claim needs a connection of its own.
            await CloseAsync();
            cancellationToken.ThrowIfCancellationRequested();

            // The client library, too, says cancelled where it has waited for an answer for as long as it does.
            if (e is OperationCanceledException || patience.IsCancellationRequested)
            {
                throw BrokerConnection.Failed(broker, new TimeoutException(e.Message, e));
            }

            if (e is RunFailedException)
            {
                throw;
            }

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

    private async Task<string?> HoldWithinAsync(CancellationToken cancellationToken)
    {
        if (_connection is not { IsOpen: true })
        {
            await CloseAsync();
            _connection = await BrokerConnection.OpenAsync(broker, "scissorhands claim", Heartbeat, cancellationToken);
        }

        return await RefusalAsync(_connection, cancellationToken) switch
        {
            null => null,
            _ when _former is { } former => await TakeAsync(_connection, former, cancellationToken),
            { } refusal => throw Refused(refusal),
        };
    }

    private async Task CloseAsync()
    {
        if (_connection is null)
        {
            return;
        }

        try
        {
            await _connection.AbortAsync(CloseLimit);
            await _connection.DisposeAsync();
        }
        catch (Exception e) when (BrokerConnection.IsFailure(e) || e is OperationCanceledException)
        {
            // It is gone already.
        }

        _connection = null;
    }

    /// <summary>Sets the mark; returns the broker's words where it is another's.</summary>
    private Task<string?> RefusalAsync(IConnection connection, CancellationToken cancellationToken) =>
        RefusalAsync(connection, channel => DeclareAsync(channel, _owner, cancellationToken), cancellationToken);

    /// <summary>
    /// Sets the mark in the place of the former owner's, if that is the present one. Whoever deletes a mark holds the lock, so that of
    /// several that take over at once none deletes what another one has just set.
    /// </summary>
    private async Task<string> TakeAsync(IConnection connection, string former, CancellationToken cancellationToken)
    {
        var held = await LockAsync(connection, cancellationToken);
        var refusal = await RefusalAsync(connection, cancellationToken);
        for (var attempt = 1; refusal is not null && attempt <= Attempts && await DeleteAsync(connection, former, cancellationToken); attempt++)
        {
            refusal = await RefusalAsync(connection, cancellationToken);
        }

        await held.QueueDeleteAsync(Lock, cancellationToken: cancellationToken);
        await held.CloseAsync(cancellationToken);
        await held.DisposeAsync();
        return refusal is null ? former : throw Refused(refusal);
    }

    /// <summary>Deletes the mark; false where it is not the former owner's.</summary>
    private static async Task<bool> DeleteAsync(IConnection connection, string former, CancellationToken cancellationToken) => await RefusalAsync(
        connection,
        async channel =>
        {
            await DeclareAsync(channel, former, cancellationToken);
            await channel.ExchangeDeleteAsync(Exchange, cancellationToken: cancellationToken);
        },
        cancellationToken) is null;

    /// <summary>Has a queue to itself, which goes with the connection at the latest.</summary>
    private async Task<IChannel> LockAsync(IConnection connection, CancellationToken cancellationToken)
    {
        while (true)
        {
            var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
            try
            {
                await channel.QueueDeclareAsync(Lock, durable: false, exclusive: true, autoDelete: false, cancellationToken: cancellationToken);
                return channel;
            }
            catch (OperationInterruptedException e) when (e.ShutdownReason?.ReplyCode == Constants.ResourceLocked)
            {
                await channel.DisposeAsync();
            }

            await Task.Delay(LockInterval, time, cancellationToken);
        }
    }

    private static Task DeclareAsync(IChannel channel, string owner, CancellationToken cancellationToken) => channel.ExchangeDeclareAsync(
        Exchange,
        ExchangeType.Fanout,
        durable: true,
        autoDelete: false,
        new Dictionary<string, object?>(StringComparer.Ordinal) { ["alternate-exchange"] = Prefix + owner },
        cancellationToken: cancellationToken);

    private static async Task<string?> RefusalAsync(IConnection connection, Func<IChannel, Task> ask, CancellationToken cancellationToken)
    {
        // Where it fails it is left to the connection, which is closed then: a channel's own end would wait for the broker.
        var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
        string? refusal = null;
        try
        {
            await ask(channel);
            await channel.CloseAsync(cancellationToken);
        }
        catch (OperationInterruptedException e) when (e.ShutdownReason?.ReplyCode == Constants.PreconditionFailed)
        {
            refusal = e.ShutdownReason.ReplyText;
        }

        await channel.DisposeAsync();
        return refusal;
    }

    private InputException Refused(string refusal)
    {
        var name = Uri.UnescapeDataString(broker.AbsolutePath.TrimStart('/'));
        var host = name.Length == 0 ? "/" : name;

        // Cut off where the virtual host has a very long name.
        var (other, remedy) = Named().Match(refusal) is { Success: true } found
            ? ($"installation {found.Groups[1].Value}", $"--take-over-broker {found.Groups[1].Value}")
            : ("another installation", $"--take-over-broker INSTALLATION, which `rabbitmqctl list_exchanges -p '{host}' name arguments` shows behind {Exchange} and {Prefix}");
        return new InputException($"{variable}: virtual host {host} of the broker at {BrokerConnection.NameOf(broker)} belongs to the coordinators of another store ({other}; that of this store is {_owner}), whose messages would be taken. "
            + $"Correct SCISSORHANDS_STORE, or name a virtual host of this store's own; where the other store is lost for good, stop its coordinators and start once with {remedy}");
    }

    // The broker quotes both values, the present one last.
    [GeneratedRegex(@"current is.*'sh\.([^']*)'", RegexOptions.CultureInvariant)]
    private static partial Regex Named();
}
