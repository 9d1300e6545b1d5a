using System.Text.Json;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Scissorhands.Deletion.Audit;
using Scissorhands.Deletion.Models;
using Scissorhands.Grains.Deletion;
using Scissorhands.Grains.Store;

namespace Scissorhands.Grains.Tests.Deletion;

/// <summary>When heads are signed, and which are not.</summary>
public sealed class HeadSigningTests : IAsyncDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 5, 6, 12, 0, 0, TimeSpan.Zero);
    private readonly string _folder = Directory.CreateTempSubdirectory("scissorhands-heads-").FullName;
    private readonly FakeTimeProvider _time = new(Start);
    private readonly ServiceProvider _services;
    private readonly IAuditStore _store;
    private StoredModel? _model;

    public HeadSigningTests()
    {
        _services = new ServiceCollection().AddSingleton<TimeProvider>(_time).AddRunStore(StoreOptions.Parse($"sqlite:{StorePath}")).BuildServiceProvider();
        _store = _services.GetRequiredService<IAuditStore>();
    }

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private string StorePath => Path.Combine(_folder, "store.db");

    public async ValueTask DisposeAsync()
    {
        await _services.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task SignIfDue_RowsInTheCourseOfTime_OnceAnInterval()
    {
        var signing = New();
        Assert.Null(await signing.SignIfDueAsync(Ct));
        Assert.Empty(await PlacesAsync());

        await AppendAsync("request.accepted");
        await signing.SignIfDueAsync(Ct);
        Assert.Equal([1], await PlacesAsync());

        await AppendAsync("request.accepted", "request.accepted");
        _time.Advance(TimeSpan.FromMinutes(59));
        await signing.SignIfDueAsync(Ct);
        Assert.Equal([1], await PlacesAsync());

        _time.Advance(TimeSpan.FromMinutes(1));
        await signing.SignIfDueAsync(Ct);
        Assert.Equal([1, 3], await PlacesAsync());

        _time.Advance(TimeSpan.FromDays(1));
        await signing.SignIfDueAsync(Ct);
        Assert.Equal([1, 3], await PlacesAsync());
    }

    [Theory]
    [InlineData("batch.certified")]
    [InlineData("batch.failed")]
    public async Task SignIfDue_EndOfABatch_AtOnceAndOnce(string ending)
    {
        var signing = New();
        await AppendAsync("batch.formed");
        await signing.SignIfDueAsync(Ct);
        await AppendAsync(ending, "request.completed");
        await signing.SignIfDueAsync(Ct);
        await AppendAsync("batch.formed");
        await signing.SignIfDueAsync(Ct);
        Assert.Equal([1, 3], await PlacesAsync());
    }

    /// <summary>Whoever goes on after a loss knows from the store what is due.</summary>
    [Fact]
    public async Task SignIfDue_AnotherGoesOn_SignsNothingTwiceAndLeavesNothingOut()
    {
        await AppendAsync("request.accepted");
        await New().SignIfDueAsync(Ct);
        await New().SignIfDueAsync(Ct);
        Assert.Equal([1], await PlacesAsync());

        await AppendAsync("batch.certified");
        await New().SignIfDueAsync(Ct);
        Assert.Equal([1, 2], await PlacesAsync());

        // A new key vouches for all of it at once.
        await New("new key").SignIfDueAsync(Ct);
        Assert.Equal([1, 2, 2], await PlacesAsync());
    }

    [Fact]
    public async Task SignIfDue_NoLastingKey_NothingIsSigned()
    {
        await AppendAsync("batch.certified");
        Assert.Null(await New(key: null).SignIfDueAsync(Ct));
        Assert.Empty(await PlacesAsync());
    }

    [Theory]
    [InlineData("UPDATE audit_entry SET body = '{}' WHERE sequence = 3", false)]
    [InlineData("UPDATE audit_entry SET body = '{}' WHERE sequence = 3", true)]
    [InlineData("DELETE FROM audit_entry WHERE sequence = 3", false)]
    [InlineData("DELETE FROM audit_entry WHERE sequence = 3", true)]
    [InlineData("UPDATE audit_entry SET hash = previous WHERE sequence = 2", true)]
    [InlineData("DELETE FROM audit_entry WHERE sequence = 2", true)]
    [InlineData("UPDATE audit_signed_head SET envelope = '{}'", true)]
    public async Task SignIfDue_ChainChangedBehindItsBack_IsNotSigned(string change, bool another)
    {
        var signing = New();
        await AppendAsync("a", "b");
        await signing.SignIfDueAsync(Ct);
        await AppendAsync("batch.certified", "d");
        await using (var connection = new SqliteConnection($"Data Source={StorePath};Pooling=False"))
        {
            await connection.OpenAsync(Ct);
            await using var command = connection.CreateCommand();
            command.CommandText = change;
            await command.ExecuteNonQueryAsync(Ct);
        }

        var at = another ? New() : signing;
        Assert.NotNull(await at.SignIfDueAsync(Ct));
        Assert.NotNull(await at.SignIfDueAsync(Ct));
        Assert.Equal([2], await PlacesAsync());
    }

    private HeadSigning New(string? key = "key") => new("t", _store, new PlainSigner(key), new AuditHeadOptions(TimeSpan.FromHours(1)), _time);

    private async Task<IEnumerable<long>> PlacesAsync() => (await _store.HeadsAsync("t", 0, 100, Ct)).Select(static head => head.Sequence);

    private async Task AppendAsync(params string[] kinds)
    {
        var models = _services.GetRequiredService<IDeletionStore>();
        if (_model is null)
        {
            var record = new ModelRecord { Name = "m", File = "/m", Sha256 = "0", DataSet = "d", Data = "/d", Versions = "/v" };
            _model = await models.RegisterAsync(record, new ModelVersion { Model = "m", Number = 0, File = "/v/0", Sha256 = "0", PublishedAt = Start, State = VersionState.Current }, new AuditDraft("elsewhere", Start, "k", "{}"), Ct);
        }

        _model = await models.CommitAsync(_model, new ModelChange { Audit = [.. kinds.Select(kind => new AuditDraft("t", _time.GetUtcNow(), kind, """{"x":1}"""))] }, Ct);
        await _store.AppendAsync("t", await _store.TakeOverAsync("t", Ct), 100, Ct);
    }

    /// <summary>Its word is its key's name in front.</summary>
    private sealed class PlainSigner(string? key) : IHeadSigner
    {
        public string? KeyId => key;

        public string Sign(AuditHead head) => key + JsonSerializer.Serialize(head);

        public AuditHead? Open(string envelope) => envelope.StartsWith(key!, StringComparison.Ordinal) ? JsonSerializer.Deserialize<AuditHead>(envelope[key!.Length..]) : null;
    }
}
