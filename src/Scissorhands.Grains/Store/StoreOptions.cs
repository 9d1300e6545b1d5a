using System.Text.RegularExpressions;
using Npgsql;
using Scissorhands.Planning;

namespace Scissorhands.Grains.Store;

/// <summary>Where the store is. Its text form hides the address, which may hold a password.</summary>
public sealed partial record StoreOptions
{
    private const string Forms = "expected sqlite:PATH, a path that ends in .db, .sqlite or .sqlite3, postgres://USER:PASSWORD@HOST:PORT/DATABASE or Host=...;Database=...";

    private string Name { get; init; } = "store";

    /// <summary>Address of the database, in one of the forms that <see cref="Parse"/> takes.</summary>
    public required string Connection { get; init; }

    /// <summary>Checks an address.</summary>
    /// <param name="text">"sqlite:PATH" or a path whose ending says so: SQLite; "postgres://user:password@host:port/database" or "Host=...": PostgreSQL.</param>
    /// <param name="name">What messages call it, such as the environment variable that it came from.</param>
    /// <exception cref="InputException">It is none of these. The message does not repeat it, for it may hold a password.</exception>
    public static StoreOptions Parse(string text, string name = "store")
    {
        var options = new StoreOptions { Connection = text, Name = name };
        if (options.PostgresConnection() is null)
        {
            _ = options.SqlitePath();
        }

        return options;
    }

    /// <inheritdoc/>
    public override string ToString() => nameof(StoreOptions);

    /// <summary>Full path of the SQLite file.</summary>
    internal string SqlitePath()
    {
        var path = Connection.Trim();
        var named = path.StartsWith("sqlite:", StringComparison.OrdinalIgnoreCase);
        if (named)
        {
            path = path["sqlite:".Length..];
        }

        // A slip in any other form would become a new, empty store of that name.
        var isFile = named || (FileEnding().IsMatch(path) && !Scheme().IsMatch(path)) || File.Exists(path);

        // What looks like an address of something else would become a file with a password in its name.
        if (!isFile || path.Length == 0 || path.Contains('\0', StringComparison.Ordinal) || path.Contains("://", StringComparison.Ordinal)
            || path == ":memory:" || Secret().IsMatch(path))
        {
            throw new InputException($"{Name}: names no store; {Forms}");
        }

        return Path.GetFullPath(path);
    }

    /// <summary>What Npgsql connects with; null where the store is not a PostgreSQL.</summary>
    internal NpgsqlConnectionStringBuilder? PostgresConnection()
    {
        var text = Connection.Trim();
        var isAddress = text.StartsWith("postgres://", StringComparison.OrdinalIgnoreCase) || text.StartsWith("postgresql://", StringComparison.OrdinalIgnoreCase);
        if (!isAddress && !Keywords().IsMatch(text))
        {
            return null;
        }

        try
        {
            var builder = isAddress ? FromAddress(text) : new NpgsqlConnectionStringBuilder(text);
            if (string.IsNullOrEmpty(builder.Host))
            {
                throw new FormatException();
            }

            builder.PersistSecurityInfo = false;
            builder.IncludeErrorDetail = false;
            builder.ApplicationName ??= "scissorhands";
            if (builder.MaxPoolSize == new NpgsqlConnectionStringBuilder().MaxPoolSize)
            {
                // The default is as many as a server takes in all; several coordinators share it.
                builder.MaxPoolSize = 20;
            }

            return builder;
        }
        catch (Exception e) when (e is ArgumentException or FormatException or KeyNotFoundException or InvalidCastException or OverflowException)
        {
            // Not passed on as the cause: its message quotes parts of the address.
            throw new InputException($"{Name}: not a valid PostgreSQL address; {Forms}");
        }
    }

    private static NpgsqlConnectionStringBuilder FromAddress(string text)
    {
        var address = new Uri(text, UriKind.Absolute);
        var user = address.UserInfo.Split(':', 2);
        var builder = new NpgsqlConnectionStringBuilder { Host = address.IdnHost };
        if (address.Port > 0)
        {
            builder.Port = address.Port;
        }

        if (user[0].Length > 0)
        {
            builder.Username = Uri.UnescapeDataString(user[0]);
        }

        if (user.Length == 2)
        {
            builder.Password = Uri.UnescapeDataString(user[1]);
        }

        var database = Uri.UnescapeDataString(address.AbsolutePath.Trim('/'));
        if (database.Length > 0)
        {
            builder.Database = database;
        }

        if (address.Fragment.Length > 0)
        {
            throw new FormatException();
        }

        foreach (var pair in address.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var parts = pair.Split('=', 2);
            builder[Uri.UnescapeDataString(parts[0])] = parts.Length == 2 ? Uri.UnescapeDataString(parts[1]) : "";
        }

        return builder;
    }

    [GeneratedRegex(@"\.(db|sqlite|sqlite3)$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex FileEnding();

    // Two letters at least: one may be a drive.
    [GeneratedRegex(@"^[a-z][a-z0-9+.-]+:", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Scheme();

    [GeneratedRegex(@"(^|;)\s*(host|server)\s*=", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Keywords();

    [GeneratedRegex(@"(password|passwd|pwd|data source)\s*=", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Secret();
}
