using System.Diagnostics;
using System.Formats.Tar;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Scissorhands.Cli.Tests.Runs;
using Scissorhands.Drill.Cluster;
using Scissorhands.Testing;

namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>
/// All the way on real images: curl hands in requests that name photographs, a trained network forgets them in a cluster, and
/// somebody with nothing but files checks the certificates. The photographs are ones that a retrained model has never seen, and its
/// figures are the gate's references. Part of a shard of CIFAR-10 and two epochs of repair instead of all and ten, so the bounds are
/// wider than the defaults: 10 to 15 points of accuracy, not 2.
/// </summary>
[Collection(AloneCollection.Name)]
public sealed class RealDeletionTests(BrokerFixture fixture) : IClassFixture<BrokerFixture>, IDisposable
{
    private const string Name = "photographs";
    private const string Curl = "/usr/bin/curl";
    private const int TrainSamples = 1500;
    private const int TestSamples = 600;
    private const int Asked = 40;

    // The retrained model's on the tenth of CIFAR-10 that it never saw, as the page of the models says.
    private const double RetrainedForgetAccuracy = 84.7;
    private const double RetrainedMia = 25.6;

    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    private readonly string _folder = Directory.CreateTempSubdirectory("scissorhands-photographs-").FullName;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    private string Train => Path.Combine(_folder, "train-000000.tar");

    private string Test => Path.Combine(_folder, "test-000000.tar");

    private string Model => Path.Combine(_folder, "original.pt");

    private string Key => Path.Combine(_folder, "sign.pem");

    private string PublicKey => Path.Combine(_folder, "public.pem");

    private string Versions => Path.Combine(_folder, "versions");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Requests_byCurl_becomeVersionsWithVerdictsAndCertificatesThatHold()
    {
        Assert.SkipWhen(fixture.Broker.Missing is not null, fixture.Broker.Missing ?? "");
        Assert.SkipUnless(File.Exists(Curl), "curl is not installed");
        File.Copy(Shared("models", "cifar10-resnet18w16.pt"), Model);
        var ids = await CopyAsync(Shared("data", "cifar10", "train-000000.tar"), Train, TrainSamples);
        await CopyAsync(Shared("data", "cifar10", "test-000000.tar"), Test, TestSamples);
        var unseen = (await File.ReadAllLinesAsync(Shared("data", "cifar10", "forget-random-10pct.txt"), Ct)).ToHashSet(StringComparer.Ordinal);
        string[] asked = [.. ids.Where(unseen.Contains).Take(2 * Asked)];
        Assert.Equal(2 * Asked, asked.Length);
        string[] first = Sorted(asked[..Asked]);
        string[] second = Sorted(asked[Asked..]);
        using (var key = ECDsa.Create(ECCurve.NamedCurves.nistP256))
        {
            await File.WriteAllTextAsync(Key, key.ExportPkcs8PrivateKeyPem(), Ct);
            await File.WriteAllTextAsync(PublicKey, key.ExportSubjectPublicKeyInfoPem(), Ct);
        }

        await using var cluster = await LocalCluster.StartAsync(
            new ClusterOptions { Broker = fixture.Broker, CacheHome = Path.Combine(_folder, "home"), CoordinatorArguments = ["--root", _folder, "--sign-key", Key] },
            workers: 2);
        using var http = new HttpClient { BaseAddress = new Uri(cluster.Address) };
        await RegisterAsync(http);

        await CompleteAsync(http, cluster, "first", first);
        var checks = await VerdictsAsync(http, 1);
        Assert.DoesNotContain("earlierAccuracy", checks.Keys);
        Assert.Equal("v0001", new FileInfo(Path.Combine(Versions, "current")).LinkTarget);
        await VerifyAsync(1, first, [], Model);

        // The next goes on from there, trains on none of the first ones, and still knows them no better than the bounds allow.
        await CompleteAsync(http, cluster, "second", second);
        checks = await VerdictsAsync(http, 2);
        Assert.Equal(Asked, (int)checks["earlierAccuracy"]["count"]!);
        Assert.Equal("v0002", new FileInfo(Path.Combine(Versions, "current")).LinkTarget);
        await VerifyAsync(2, second, first, Path.Combine(Versions, "v0001", "model.pt"));

        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(Versions, "work")));
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(Versions, "quarantine")));
    }

    private static string Shared(params string[] names)
    {
        var path = RepositoryFiles.FindShared(names);
        Assert.SkipUnless(path is not null, $"shared/{string.Join('/', names)} is not here");
        return path!;
    }

    private static string[] Sorted(IEnumerable<string> ids) => [.. ids.Order(StringComparer.Ordinal)];

    /// <summary>Copies the first samples of a shard.</summary>
    /// <returns>Their ids.</returns>
    private static async Task<string[]> CopyAsync(string shard, string part, int samples)
    {
        var ids = new List<string>();
        await using var reader = new TarReader(File.OpenRead(shard));
        await using var writer = new TarWriter(File.Create(part));
        while (await reader.GetNextEntryAsync(copyData: true, Ct) is { } entry)
        {
            var id = Path.GetFileNameWithoutExtension(entry.Name);
            if (ids.Count == 0 || ids[^1] != id)
            {
                if (ids.Count == samples)
                {
                    break;
                }

                ids.Add(id);
            }

            await writer.WriteEntryAsync(entry, Ct);
        }

        return [.. ids];
    }

    private async Task RegisterAsync(HttpClient http)
    {
        string[] scope = ["*layer3*", "*layer4*", "*fc*"];
        var response = await http.PutAsJsonAsync(
            $"v1/models/{Name}",
            new
            {
                file = Model,
                dataSet = "cifar10",
                data = Train,
                testData = Test,
                versions = Versions,
                workers = 2,
                configuration = new Dictionary<string, object>
                {
                    ["sensitivity.batchSize"] = 64,
                    ["trim.fraction"] = 0.01,
                    ["trim.scope"] = scope,
                    ["trim.exclude"] = (string[])["*bn*"],
                    ["repair.epochs"] = 2,
                    ["repair.slices"] = 2,
                    ["repair.batchSize"] = 32,
                    ["repair.lr"] = 0.005,
                    ["repair.momentum"] = 0.9,
                    ["repair.weightDecay"] = 0.0005,
                    ["repair.lambda"] = 0.05,
                    ["projection.memories"] = 1,
                    ["projection.scope"] = scope,
                    ["augmentation.flip"] = true,
                },
                policy = new
                {
                    maxWait = "00:00:00",
                    keepVersions = 1,
                    maxAttempts = 1,
                    gate = new { referenceForgetAccuracy = RetrainedForgetAccuracy, forgetAbove = 10, forgetBelow = 25, referenceMia = RetrainedMia, miaWithin = 20, retainDrop = 10, testDrop = 15 },
                },
            },
            Ct);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync(Ct));
    }

    /// <summary>A request as an operator's script makes it, and what becomes of it.</summary>
    private async Task CompleteAsync(HttpClient http, LocalCluster cluster, string requestId, string[] ids)
    {
        var body = Path.Combine(_folder, requestId + ".json");
        await File.WriteAllTextAsync(body, JsonSerializer.Serialize(new { requestId, model = Name, ids }), Ct);
        string[] arguments = ["--silent", "--show-error", "--fail-with-body", "--max-time", "60", "--header", "Content-Type: application/json", "--data-binary", $"@{body}", $"{cluster.Address}/v1/deletion-requests"];
        using var curl = Process.Start(new ProcessStartInfo(Curl, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var errors = curl.StandardError.ReadToEndAsync(Ct);
        var output = await curl.StandardOutput.ReadToEndAsync(Ct);
        await curl.WaitForExitAsync(Ct);
        Assert.True(curl.ExitCode == 0, output + await errors);

        var answer = JsonNode.Parse(output)!;
        Assert.Equal(ids.Length, (int)answer["resolved"]!);
        var status = (string)answer["status"]!;
        var end = await http.UntilAsync(status, static state => state is "completed" or "failed" or "rejected", cluster);
        Assert.True(end == "completed", $"{end}: {await http.GetStringAsync(status, Ct)}");
    }

    /// <summary>Both verdicts of a batch, each with the figures it was reached by.</summary>
    /// <returns>The last word's checks by name.</returns>
    private static async Task<Dictionary<string, JsonNode>> VerdictsAsync(HttpClient http, int batch)
    {
        var view = await http.GetFromJsonAsync<JsonObject>($"v1/models/{Name}/batches/{batch}", Ct);
        Assert.Equal("completed", (string?)view!["phase"]);
        var attempt = Assert.Single(view["attempts"]!.AsArray())!;
        var halves = new List<long>();
        Dictionary<string, JsonNode> checks = [];
        foreach (var verdict in (JsonNode[])[attempt["verdict"]!, attempt["final"]!])
        {
            Assert.Equal("publish", (string?)verdict["decision"]);
            checks = verdict["checks"]!.AsArray().ToDictionary(static c => (string)c!["name"]!, static c => c!);
            Assert.All(checks.Values, static check =>
            {
                Assert.Equal("pass", (string?)check["outcome"]);
                Assert.InRange((double)check["value"]!, (double?)check["min"] ?? 0, (double?)check["max"] ?? 100);
            });
            Assert.Equal(Asked, (int)checks["forgetAccuracy"]["count"]!);
            Assert.Equal(TrainSamples - (batch * Asked), (int)checks["retainAccuracy"]["count"]!);
            halves.Add((long)checks["testAccuracy"]["count"]!);
        }

        Assert.Equal(TestSamples, halves.Sum());
        TestContext.Current.TestOutputHelper?.WriteLine(attempt.ToJsonString());
        return checks;
    }

    /// <summary>With the certificate, the proofs and the published file; then with the data as it was, which gives the same bytes.</summary>
    private async Task VerifyAsync(int number, string[] ids, string[] earlier, string before)
    {
        var version = Path.Combine(Versions, $"v000{number}");
        var (list, forgotten) = (Path.Combine(_folder, "ids.txt"), Path.Combine(_folder, "earlier.txt"));
        await File.WriteAllLinesAsync(list, ids, Ct);
        await File.WriteAllLinesAsync(forgotten, earlier, Ct);
        var result = await CliProcess.RunAsync(
            [
                "verify", Path.Combine(version, "certificate.dsse.json"), "--key", PublicKey, "--ids", list, "--proofs", Path.Combine(version, "openings.jsonl"),
                "--model", Path.Combine(version, "model.safetensors"), "--json",
                "--rerun", "--model-before", before, "--data", Train, "--test-data", Test, "--forget", list, "--cache", "none", "--workers", "1",
                .. earlier.Length == 0 ? (string[])[] : ["--forgotten", forgotten, "--earlier", Path.Combine(Versions, $"v000{number - 1}", "certificate.dsse.json")],
            ],
            limit: Limit);
        Assert.True(result.ExitCode == 0, string.Join('\n', result.Output) + result.Describe());
        var passed = JsonNode.Parse(string.Concat(result.Output))!["checks"]!.AsArray().Where(static c => (string?)c!["outcome"] == "passed").Select(static c => (string)c!["name"]!);
        Assert.Subset(passed.ToHashSet(), (HashSet<string>)["signature", "signer", "statement", "model", "plan", "ids", "rerun", .. earlier.Length == 0 ? (string[])[] : ["lineage"]]);
    }
}
