using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Scissorhands.Drill.Cluster;
using Scissorhands.Drill.World;
using Scissorhands.Testing;

[assembly: AssemblyFixture(typeof(Scissorhands.Pages.Tests.Support.OpenCluster))]
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace Scissorhands.Pages.Tests.Support;

/// <summary>A coordinator that needs no key, and two workers, on inputs whose runs take seconds.</summary>
public sealed class OpenCluster : IAsyncLifetime
{
    private readonly Broker _broker = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("scissorhands-pages-").FullName;
    private readonly Lazy<Task<(string Completed, string Failed)>> _settled;
    private LocalCluster? _cluster;

    public OpenCluster() => _settled = new(SettleAsync);

    public TinyFiles Files { get; private set; } = null!;

    public HttpClient Http { get; private set; } = new();

    /// <summary>The processes; skips the test where there is no broker.</summary>
    public LocalCluster Cluster
    {
        get
        {
            Assert.SkipWhen(_cluster is null, _broker.Missing ?? "");
            return _cluster;
        }
    }

    /// <summary>A request that was completed, and one whose run failed, by id.</summary>
    public Task<(string Completed, string Failed)> Settled
    {
        get
        {
            Assert.SkipWhen(_cluster is null, _broker.Missing ?? "");
            return _settled.Value;
        }
    }

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await _broker.StartAsync();
        if (_broker.Missing is not null)
        {
            return;
        }

        Files = new TinyFiles(Directory.CreateDirectory(Path.Combine(_folder, "files")).FullName);
        await Files.WriteAsync();
        _cluster = await LocalCluster.StartAsync(new ClusterOptions { Broker = _broker, CacheHome = Path.Combine(_folder, "home"), CoordinatorArguments = ["--root", _folder] }, workers: 2);
        Http = new HttpClient { BaseAddress = new Uri(_cluster.Address) };
    }

    /// <summary>The folder of a model's versions.</summary>
    public string Versions(string model) => Path.Combine(_folder, "versions", model);

    /// <summary>Registers a model; settings override those of all runs here.</summary>
    public Task RegisterAsync(string model, params string[] settings) => TinyRegistration.RegisterAsync(Http, Files, model, Versions(model), Ct, settings: settings);

    /// <summary>Hands a request in.</summary>
    /// <returns>Its id.</returns>
    public async Task<string> SubmitAsync(string model, string requestId, params int[] samples)
    {
        var answer = await Http.PostAsJsonAsync("v1/deletion-requests", new { requestId, model, ids = samples.Select(static s => TinyData.Id("train", s)) }, Ct);
        return await IdAsync(answer, "id");
    }

    /// <summary>Submits a run by itself.</summary>
    /// <returns>Its id.</returns>
    public async Task<string> RunAsync(string forget, params string[] settings)
    {
        var answer = await Http.PostAsJsonAsync(
            "v1/runs",
            new { model = Files.ModelPath, data = Files.TrainPath, testData = Files.TestPath, forget, @out = Path.Combine(_folder, Path.GetRandomFileName()), configuration = Files.Configuration(settings), workers = 2 },
            Ct);
        return await IdAsync(answer, "run");
    }

    /// <summary>Waits until a request's state is none that another follows by itself.</summary>
    public async Task<string> EndAsync(string request) =>
        (await Http.UntilAsync($"v1/deletion-requests/{request}", "state", static state => state is "completed" or "failed" or "rejected" or "cancelled", TimeSpan.FromMinutes(4), Cluster.Describe, Ct)).Text;

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        if (_cluster is not null)
        {
            await _cluster.DisposeAsync();
        }

        await _broker.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private static async Task<string> IdAsync(HttpResponseMessage answer, string key)
    {
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Ct));
        return (await answer.Content.ReadFromJsonAsync<JsonObject>(Ct))![key]!.GetValue<string>();
    }

    private async Task<(string Completed, string Failed)> SettleAsync()
    {
        await RegisterAsync("settled");
        await RegisterAsync("diverging", "repair.lr=1e30");
        var completed = await SubmitAsync("settled", "completes", 1, 2, 3);
        var failed = await SubmitAsync("diverging", "diverges", 4, 5);
        Assert.Equal("completed", await EndAsync(completed));
        Assert.Equal("failed", await EndAsync(failed));
        return (completed, failed);
    }
}
