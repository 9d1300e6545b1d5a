using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Scissorhands.Coordinator.Access;
using Scissorhands.Deletion.Requests;
using Scissorhands.Drill.Cluster;
using Scissorhands.Drill.World;
using Scissorhands.Grains.Store;
using Scissorhands.Testing;

namespace Scissorhands.Drill.Intake;

/// <summary>
/// Callers send deletion requests through both doors, many more than once, while coordinator, broker and database are killed
/// and started anew; two workers carry the requests out meanwhile. At the end every request that was accepted must be
/// completed, held or explained, none completed twice, and the audit whole.
/// </summary>
public sealed class IntakeDrill
{
    internal const string Model = "drilled";
    internal const string Pipeline = "pipeline";
    internal const string Desk = "desk";
    private const int HttpCallers = 3;
    private const int BrokerCallers = 2;
    private static readonly string[] Struck = ["coordinator", "broker", "database"];
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan LongestBurst = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(500);
    private readonly IntakeDrillOptions _options;

    /// <summary>Creates the drill.</summary>
    /// <param name="options">How hard it is.</param>
    public IntakeDrill(IntakeDrillOptions options)
    {
        _options = options;
    }

    /// <summary>Callers and their tenants: of one, as the model is that tenant's.</summary>
    internal static IReadOnlyDictionary<string, string> Tenants { get; } = new Dictionary<string, string> { [Pipeline] = "default", [Desk] = "default" };

    /// <summary>Holds it.</summary>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <returns>What became of it; null where something it needs is not installed, which <paramref name="missing"/> is told.</returns>
    /// <param name="missing">Told what is missing.</param>
    public async Task<IntakeDrillOutcome?> RunAsync(Action<string> missing, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(_options.Limit);
        var ct = limit.Token;
        await using var broker = new Broker();
        await using var postgres = new Postgres();
        await broker.StartAsync();
        await postgres.StartAsync();
        if ((broker.Missing ?? postgres.Missing) is { } reason)
        {
            missing(reason);
            return null;
        }

        var files = new TinyFiles(Directory.CreateTempSubdirectory("scissorhands-intake-drill-").FullName);
        try
        {
            await files.WriteAsync();
            return await RunAsync(broker, postgres, files, ct);
        }
        finally
        {
            Directory.Delete(files.Folder, recursive: true);
        }
    }

    private async Task<IntakeDrillOutcome> RunAsync(Broker broker, Postgres postgres, TinyFiles files, CancellationToken ct)
    {
        var intake = await broker.AddVirtualHostAsync("intake", Pipeline);
        var store = await postgres.CreateAsync("drill");
        var keys = Tenants.ToDictionary(static t => t.Key, static t => ApiKeys.New(t.Key, t.Value, AccessScopes.All));
        var keyFile = Path.Combine(files.Folder, "keys");
        await File.WriteAllLinesAsync(keyFile, keys.Values.Select(static k => k.Line), ct);
        await using var cluster = await LocalCluster.StartAsync(
            new ClusterOptions { Broker = broker, Store = store, Intake = intake, CoordinatorArguments = ["--root", files.Folder, "--keys", keyFile] },
            workers: 2);
        await RegisterAsync(cluster.Address, keys[Pipeline].Key, files, ct);
        var random = new Random(_options.Seed);
        var requests = DrilledRequest.Make(_options.Requests, random);
        var progress = new Progress();
        var callers = new IntakeCallers(cluster.Address, intake, keys.ToDictionary(static k => k.Key, static k => k.Value.Key), progress);
        var http = Deal(requests, static r => r.OverHttp, HttpCallers);
        var queue = Deal(requests, static r => r.OverBroker, BrokerCallers);
        var strikes = new List<string>();
        await using var provider = new ServiceCollection().AddSingleton(TimeProvider.System).AddRunStore(StoreOptions.Parse(store)).BuildServiceProvider();
        var models = provider.GetRequiredService<IDeletionStore>();
        var audit = provider.GetRequiredService<IAuditStore>();
        try
        {
            await Task.WhenAll([
                StrikeAsync(broker, postgres, cluster, progress, http.Concat(queue).Sum(static c => c.Count), random, strikes, ct),
                .. http.Select(list => callers.OverHttpAsync(list, ct)),
                .. queue.Select(list => callers.OverBrokerAsync(list, ct)),
            ]);
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
            patience.CancelAfter(_options.SettleLimit);
            try
            {
                await SettleAsync(models, audit, requests, patience.Token);
            }
            catch (OperationCanceledException) when (!ct.IsCancellationRequested)
            {
                // What is missing or still open is what is judged.
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            var open = await models.RequestsAsync(Model, [RequestState.Received, RequestState.Accepted, RequestState.Scheduled, RequestState.Running, RequestState.Verifying], CancellationToken.None);
            return new IntakeDrillOutcome(0, 0, new Dictionary<string, int>(), 0, strikes, [.. callers.Faults, $"not done within {_options.Limit}: {progress.Count} accepted, {open.Count} open, struck {string.Join(", ", strikes)}\n{cluster.Describe()}"]);
        }

        var outcome = await IntakeJudge.JudgeAsync(models, audit, requests, Path.Combine(files.Folder, "versions"), ct);
        return outcome with { Strikes = strikes, Faults = [.. callers.Faults, .. outcome.Faults, .. outcome.Faults.Count > 0 ? [cluster.Describe()] : (string[])[]] };
    }

    private async Task StrikeAsync(Broker broker, Postgres postgres, LocalCluster cluster, Progress progress, int sends, Random random, List<string> strikes, CancellationToken ct)
    {
        // All of them once, in some order, before any comes again; at moments within the first nine tenths of what is sent.
        var order = new List<string>();
        while (order.Count < _options.Strikes)
        {
            order.AddRange(Struck.OrderBy(_ => random.Next()).ToArray());
        }

        var moments = Enumerable.Range(0, _options.Strikes).Select(_ => random.Next(sends / 20, sends * 9 / 10)).Order().ToArray();
        for (var i = 0; i < moments.Length; i++)
        {
            // Callers wait while a batch goes on for a while; then they send up to the next strike, and are struck while they do.
            progress.Allow(moments[i]);
            await progress.ReachAsync(moments[i], ct);
            await Task.Delay(LongestPause * random.NextDouble(), TimeProvider.System, ct);
            progress.Allow(i + 1 < moments.Length ? moments[i + 1] : sends);
            await Task.Delay(LongestBurst * random.NextDouble(), TimeProvider.System, ct);
            var what = order[i];
            strikes.Add($"{what} at {progress.Count} of {sends}");
            switch (what)
            {
                case "coordinator":
                    cluster.Coordinator.Signal("KILL");
                    await cluster.Coordinator.Exited.WaitAsync(ct);
                    await cluster.StartCoordinatorAsync();
                    break;
                case "broker":
                    await broker.RestartAsync();
                    break;
                default:
                    await postgres.RestartAsync();
                    break;
            }
        }

        progress.Allow(sends);
    }

    /// <summary>Waits until all requests have arrived and none is under way, and the audit has its rows.</summary>
    private static async Task SettleAsync(IDeletionStore models, IAuditStore audit, IReadOnlyCollection<DrilledRequest> requests, CancellationToken ct)
    {
        using var timer = new PeriodicTimer(LookAgain);
        while (true)
        {
            var open = await models.RequestsAsync(Model, [RequestState.Received, RequestState.Accepted, RequestState.Scheduled, RequestState.Running, RequestState.Verifying], ct);
            if (open.Count == 0
                && (await models.RequestsAsync(Model, Enum.GetValues<RequestState>(), ct)).Count >= requests.Count
                && (await models.ModelAsync(Model, ct))!.OpenBatch is null
                && (await audit.WaitingChainsAsync(ct)).Count == 0)
            {
                return;
            }

            await timer.WaitForNextTickAsync(ct);
        }
    }

    /// <summary>Each request as often as it is to be sent, dealt so that its copies come from different callers, about when the others do.</summary>
    private static List<DrilledRequest>[] Deal(IEnumerable<DrilledRequest> requests, Func<DrilledRequest, int> times, int callers)
    {
        var lists = Enumerable.Range(0, callers).Select(static _ => new List<DrilledRequest>()).ToArray();
        var next = 0;
        foreach (var request in requests)
        {
            for (var i = 0; i < times(request); i++)
            {
                lists[next++ % callers].Add(request);
            }
        }

        return lists;
    }

    private static async Task RegisterAsync(string address, string key, TinyFiles files, CancellationToken ct)
    {
        var configuration = new JsonObject();
        foreach (var setting in files.Settings().Where(static s => s != "--set" && !s.StartsWith("data.cache", StringComparison.Ordinal)))
        {
            var parts = setting.Split('=', 2);
            configuration[parts[0]] = JsonNode.Parse(parts[1]);
        }

        using var http = new HttpClient { BaseAddress = new Uri(address) };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        using var response = await http.PutAsJsonAsync(
            $"v1/models/{Model}",
            new
            {
                file = files.ModelPath,
                dataSet = "tiny",
                data = files.TrainPath,
                testData = files.TestPath,
                versions = Path.Combine(files.Folder, "versions"),
                configuration,
                workers = 2,
                policy = new { maxWait = "00:00:00", gate = new { smallSets = "accept", forgetAbove = 100, forgetBelow = 100, retainDrop = 100, testDrop = 100 } },
            },
            ct);
        if (!response.IsSuccessStatusCode)
        {
            throw new InvalidOperationException(await response.Content.ReadAsStringAsync(ct));
        }
    }
}
