using System.Security.Authentication;
using Microsoft.EntityFrameworkCore;
using Scissorhands.Planning;

namespace Scissorhands.Grains.Store;

/// <summary>Finds out whether the store is there, with one attempt; makes its schema where it has none.</summary>
public sealed class StoreProbe
{
    private readonly StoreDatabase _database;

    internal StoreProbe(StoreDatabase database) => _database = database;

    /// <summary>Says which store it is and what it holds: a wrong address is another store, most often an empty one.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>What it is.</returns>
    public Task<StoreSummary> SummaryAsync(CancellationToken cancellationToken) => _database.ReadAsync(
        async context => new StoreSummary(
            _database.Name,
            _database.Installation,
            _database.IsNew,
            await context.Models.CountAsync(cancellationToken),
            await context.Runs.CountAsync(cancellationToken)),
        cancellationToken);

    /// <summary>Looks.</summary>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <returns>Which store it is and why it cannot be used now; null where it can.</returns>
    /// <exception cref="InputException">It never will be: its file is no database, or cannot be made.</exception>
    public async Task<string?> ReasonAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _database.OnceAsync(context => context.Runs.AnyAsync(cancellationToken), cancellationToken);
            return null;
        }
        catch (Exception e) when (e is not InputException && !cancellationToken.IsCancellationRequested)
        {
            var cause = e.GetBaseException();
            var remedy = cause is AuthenticationException ? "; the address names its authority's certificate as RootCertificate" : "";
            return $"{_database.Name}: {cause.Message.ReplaceLineEndings(" ")}{remedy}";
        }
    }
}
