using Microsoft.Data.Sqlite;
using Scissorhands.Grains.Store;
using Scissorhands.Planning;

namespace Scissorhands.Grains.Tests.Store;

public sealed class SqliteStoreTests : StoreTests
{
    private readonly string _folder = Directory.CreateTempSubdirectory("scissorhands-store-").FullName;

    protected override string Address => $"sqlite:{File}";

    private string File => Path.Combine(_folder, "new", "runs.db");

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task FirstUse_File_KeepsALogAhead()
    {
        await Store().CreateAsync(Run("a"), [], Ct);
        await using var connection = new SqliteConnection($"Data Source={File};Pooling=false");
        await connection.OpenAsync(Ct);
        await using var command = connection.CreateCommand();
        command.CommandText = "PRAGMA journal_mode";
        Assert.Equal("wal", await command.ExecuteScalarAsync(Ct));
    }

    [Fact]
    public async Task Write_WhileAnotherProcessWrites_Waits()
    {
        var store = Store();
        var (run, _) = await store.CreateAsync(Run("a"), [], Ct);
        await using var connection = new SqliteConnection($"Data Source={File};Pooling=false");
        await connection.OpenAsync(Ct);
        var transaction = connection.BeginTransaction();
        var write = store.WriteAsync(run, [], [], Ct);
        await Task.Delay(TimeSpan.FromSeconds(1), Ct);
        Assert.False(write.IsCompleted);
        await transaction.DisposeAsync();
        Assert.Equal(2, (await write.WaitAsync(TimeSpan.FromSeconds(30), Ct)).Version);
    }

    [Fact]
    public async Task FirstUse_NoDatabase_IsTheUsersMistake()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(File)!);
        await System.IO.File.WriteAllTextAsync(File, new string('x', 10_000), Ct);
        var thrown = await Assert.ThrowsAsync<InputException>(() => Store().ReadAsync("a", Ct));
        Assert.Contains(File, thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task FirstUse_NewerSchema_IsRefused()
    {
        await Store().CreateAsync(Run("a"), [], Ct);
        await ExecuteAsync("INSERT INTO schema_version VALUES (99)");
        await Assert.ThrowsAsync<InputException>(() => Store().ReadAsync("a", Ct));
    }

    protected override async Task ExecuteAsync(string sql)
    {
        await using var connection = new SqliteConnection($"Data Source={File};Pooling=false");
        await connection.OpenAsync(Ct);
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        await command.ExecuteNonQueryAsync(Ct);
    }
}
