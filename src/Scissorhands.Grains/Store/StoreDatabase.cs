using System.Data;
using System.Data.Common;
using System.Globalization;
using System.Net.Sockets;
using System.Security.Cryptography;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.Logging;
using Npgsql;
using Scissorhands.Planning;

namespace Scissorhands.Grains.Store;

/// <summary>Runs work on the database, again where the database was away, and makes the schema before the first.</summary>
internal sealed partial class StoreDatabase : IAsyncDisposable
{
    // Short, because a thread is blocked meanwhile that no cancellation reaches; further attempts follow.
    private const int BusySeconds = 10;
    private const int SqliteBusy = 5;
    private const int SqliteLocked = 6;
    private const int SqliteCannotOpen = 14;
    private const int SqliteNotADatabase = 26;
    private const int SqliteUnique = 2067;
    private const int SqlitePrimaryKey = 1555;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(5);

    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly DbContextOptions<StoreContext> _options;
    private readonly NpgsqlDataSource? _postgres;
    private readonly string? _path;
    private readonly SemaphoreSlim _oneAtATime = new(1, 1);
    private (string Installation, bool IsNew) _made;
    private volatile bool _ready;

    public StoreDatabase(StoreOptions options, TimeProvider time, ILogger<StoreDatabase> logger)
    {
        _time = time;
        _logger = logger;
        var builder = new DbContextOptionsBuilder<StoreContext>();
        if (options.PostgresConnection() is { } connection)
        {
            _postgres = NpgsqlDataSource.Create(connection);
            Name = string.Create(CultureInfo.InvariantCulture, $"{connection.Host}:{connection.Port}/{connection.Database ?? connection.Username}");
            builder.UseNpgsql(_postgres);
        }
        else
        {
            Name = _path = options.SqlitePath();
            builder.UseSqlite(new SqliteConnectionStringBuilder { DataSource = _path, ForeignKeys = true, DefaultTimeout = BusySeconds }.ToString())
                .AddInterceptors(new SqliteSettings());
        }

        _options = builder.Options;
    }

    /// <summary>The database as it is named to people: host, port and database, or the file.</summary>
    public string Name { get; }

    /// <summary>Whose store it is, by a random name that it got when its tables were made; known after the first work on it.</summary>
    public string Installation => _made.Installation;

    /// <summary>Whether this process has made its tables; known after the first work on it.</summary>
    public bool IsNew => _made.IsNew;

    /// <summary>Whether it is PostgreSQL.</summary>
    public bool IsPostgres => _postgres is not null;

    /// <summary>Carries out work in one transaction that is committed at its end. It is run again where the database fails
    /// underneath, even in the commit, so it has to recognise what an earlier attempt has left.</summary>
    public Task<T> WriteAsync<T>(Func<StoreContext, Task<T>> work, CancellationToken ct) => ReadAsync(
        async context =>
        {
            // Named, because a server's default may be another; on SQLite it becomes an immediate one.
            await using var transaction = await context.Database.BeginTransactionAsync(IsolationLevel.ReadCommitted, ct);
            var result = await work(context);
            await transaction.CommitAsync(ct);
            return result;
        },
        ct);

    /// <summary>Carries out work that changes nothing.</summary>
    public async Task<T> ReadAsync<T>(Func<StoreContext, Task<T>> work, CancellationToken ct)
    {
        var start = _time.GetTimestamp();
        for (var wait = ShortestWait; ; wait = wait < LongestWait / 2 ? wait * 2 : LongestWait)
        {
            try
            {
                return await OnceAsync(work, ct);
            }
            catch (Exception e) when (!ct.IsCancellationRequested && IsTransient(e) && _time.GetElapsedTime(start) + wait < Patience)
            {
                // Connections that have waited in the pool are as dead as this one.
                _postgres?.Clear();
                LogRetry(wait.TotalMilliseconds, e.GetBaseException().Message);
            }
            // Processes that lost the database at the same moment are not to return at the same moment.
            await Task.Delay(wait * (RandomNumberGenerator.GetInt32(50, 101) / 100.0), _time, ct);
        }
    }

    /// <summary>Carries out work with one attempt.</summary>
    public async Task<T> OnceAsync<T>(Func<StoreContext, Task<T>> work, CancellationToken ct)
    {
        try
        {
            return await AttemptAsync(work, ct);
        }
        catch (SqliteException e) when (e.SqliteErrorCode is SqliteCannotOpen or SqliteNotADatabase)
        {
            throw new InputException($"{_path}: cannot be used as the store ({e.Message})", e);
        }
    }

    /// <summary>The column in which a write met what the schema allows only once; null where that is not why it failed.</summary>
    public static string? TakenColumn(Exception thrown) => thrown.GetBaseException() switch
    {
        SqliteException { SqliteExtendedErrorCode: SqliteUnique } e => OneOf(e.Message),
        PostgresException { SqlState: PostgresErrorCodes.UniqueViolation, ConstraintName: "run_at_work" } => "model_key",
        PostgresException { SqlState: PostgresErrorCodes.UniqueViolation, ConstraintName: "run_writing" } => "output_folder",
        _ => null,
    };

    /// <summary>Whether a write met a key that somebody else has written.</summary>
    public static bool IsTaken(Exception thrown) => thrown.GetBaseException() is
        PostgresException { SqlState: PostgresErrorCodes.UniqueViolation } or SqliteException { SqliteExtendedErrorCode: SqliteUnique or SqlitePrimaryKey };

    public async ValueTask DisposeAsync()
    {
        if (_postgres is not null)
        {
            await _postgres.DisposeAsync();
        }
        else
        {
            // Otherwise the pool keeps the file open after the store is gone.
            await using var context = new StoreContext(_options);
            SqliteConnection.ClearPool((SqliteConnection)context.Database.GetDbConnection());
        }

        _oneAtATime.Dispose();
    }

    private static string? OneOf(string message) => ((string[])["model_key", "output_folder"]).FirstOrDefault(column => message.Contains("run." + column, StringComparison.Ordinal));

    private static bool IsTransient(Exception thrown)
    {
        for (var e = thrown; e is not null; e = e.InnerException)
        {
            switch (e)
            {
                case PostgresException failure:
                    return failure.IsTransient || failure.SqlState is
                        PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown or PostgresErrorCodes.CannotConnectNow;
                case SqliteException failure:
                    return failure.SqliteErrorCode is SqliteBusy or SqliteLocked;
                case NpgsqlException { IsTransient: true } or IOException or SocketException or TimeoutException:
                    return true;
            }
        }

        return false;
    }

    private async Task<T> AttemptAsync<T>(Func<StoreContext, Task<T>> work, CancellationToken ct)
    {
        if (IsPostgres)
        {
            if (!_ready)
            {
                await _oneAtATime.WaitAsync(ct);
                try
                {
                    await PrepareAsync(ct);
                }
                finally
                {
                    _oneAtATime.Release();
                }
            }

            await using var context = new StoreContext(_options);
            return await work(context);
        }

        // SQLite takes one writer and blocks the thread it is called on: here they queue without threads.
        await _oneAtATime.WaitAsync(ct);
        try
        {
            return await Task.Run(
                async () =>
                {
                    await PrepareAsync(ct);
                    await using var context = new StoreContext(_options);
                    return await work(context);
                },
                ct);
        }
        finally
        {
            _oneAtATime.Release();
        }
    }

    private async Task PrepareAsync(CancellationToken ct)
    {
        if (_ready)
        {
            return;
        }

        if (_path is not null)
        {
            try
            {
                Directory.CreateDirectory(Path.GetDirectoryName(_path)!);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new InputException($"{_path}: its folder cannot be made ({e.Message})");
            }

            MakePrivate(_path);
        }

        await using var context = new StoreContext(_options);
        _made = await StoreSchema.ApplyAsync(context, ct);
        _ready = true;
    }

    // Names of samples and people stand in it until they are forgotten. What SQLite makes beside it has the file's mode.
    private static void MakePrivate(string path)
    {
        if (OperatingSystem.IsWindows() || File.Exists(path))
        {
            return;
        }

        try
        {
            using var made = new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Another process was faster, or SQLite is about to tell why it cannot be.
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The store does not answer; next attempt in {Milliseconds} ms at the latest: {Reason}")]
    private partial void LogRetry(double milliseconds, string reason);

    /// <summary>What SQLite forgets when a connection is closed.</summary>
    private sealed class SqliteSettings : DbConnectionInterceptor
    {
        private const string Pragmas = "PRAGMA busy_timeout=5000; PRAGMA synchronous=FULL";

        public override void ConnectionOpened(DbConnection connection, ConnectionEndEventData eventData)
        {
            using var command = connection.CreateCommand();
            command.CommandText = Pragmas;
            command.ExecuteNonQuery();
        }

        public override async Task ConnectionOpenedAsync(DbConnection connection, ConnectionEndEventData eventData, CancellationToken cancellationToken = default)
        {
            await using var command = connection.CreateCommand();
            command.CommandText = Pragmas;
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }
}
