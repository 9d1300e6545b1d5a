using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.Playwright;
using Scissorhands.Drill.Cluster;
using Scissorhands.Pages.Tests.Support;
using Scissorhands.Testing;
using static Microsoft.Playwright.Assertions;

namespace Scissorhands.Pages.Tests;

/// <summary>The pictures in docs/pages, of the demonstration's data. With the variable set to 1 they are taken anew; otherwise they have to be there.</summary>
public sealed class ScreenshotTests(Chromium chromium)
{
    private const string UpdateVariable = "SCISSORHANDS_UPDATE_SCREENSHOTS";
    private const string Model = "photo-classifier";
    private const int LargestBytes = 250_000;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);
    private static readonly string Folder = Path.Combine(RepositoryFiles.Root, "docs", "pages");
    private static readonly string[] Pictures = ["overview.png", "overview-dark.png", "run.png", "run-dark.png", "request.png", "phone.png"];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Pictures_ofThePages_areCheckedIn()
    {
        if (Environment.GetEnvironmentVariable(UpdateVariable) == "1")
        {
            await TakeAsync();
        }

        foreach (var name in Pictures)
        {
            var file = new FileInfo(Path.Combine(Folder, name));
            Assert.True(file.Exists, $"docs/pages/{name} is not there: run this test with {UpdateVariable}=1");
            Assert.InRange(file.Length, 1, LargestBytes);
        }
    }

    private async Task TakeAsync()
    {
        await using var broker = new Broker();
        await broker.StartAsync();
        Assert.SkipWhen(broker.Missing is not null, broker.Missing ?? "");
        var folder = Directory.CreateTempSubdirectory("scissorhands-pictures-").FullName;
        var demo = Path.Combine(folder, "demo");
        await using (var process = new ChildProcess(Executable.Path, ["demo", "--out", demo], new Dictionary<string, string>()))
        {
            await process.Exited.WaitAsync(Limit, Ct);
            Assert.True(process.ExitCode == 0, process.Output);
        }

        using var signing = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        var key = Path.Combine(folder, "sign.pem");
        await File.WriteAllTextAsync(key, signing.ExportPkcs8PrivateKeyPem(), Ct);
        await using var cluster = await LocalCluster.StartAsync(new ClusterOptions { Broker = broker, CacheHome = Path.Combine(folder, "home"), CoordinatorArguments = ["--root", folder, "--sign-key", key] }, workers: 2);
        using var http = new HttpClient { BaseAddress = new Uri(cluster.Address) };
        await RegisterAsync(http, demo, Path.Combine(folder, "versions"));

        // Some have waited long: deadlines count from when the person asked.
        var forget = await File.ReadAllLinesAsync(Path.Combine(demo, "forget.txt"), Ct);
        var now = DateTimeOffset.UtcNow;
        var asked = (int[])[29, 12, 6, 2];
        var requests = new List<string>();
        for (var i = 0; i < asked.Length; i++)
        {
            requests.Add(await SubmitAsync(http, $"dsar-{1024 + i}", forget[(25 * i)..(25 * (i + 1))], now.AddDays(-asked[i])));
        }

        await SubmitAsync(http, "dsar-1028", [forget[3]], now.AddDays(-1), hold: true);
        Directory.CreateDirectory(Folder);
        await using (var live = await chromium.VisitAsync(cluster.Address))
        await using (var dark = await chromium.VisitAsync(cluster.Address, scheme: ColorScheme.Dark))
        {
            await dark.GoAsync();
            await live.GoAsync();
            var at = live.Page.GetByRole(AriaRole.Progressbar, new() { Name = "Progress of repair" });
            await Expect(at).ToHaveAttributeAsync("aria-valuenow", new System.Text.RegularExpressions.Regex("^[2-9][0-9]$"));
            await Expect(dark.Page.GetByRole(AriaRole.Progressbar, new() { Name = "Progress of repair" })).ToBeVisibleAsync();
            await ShootAsync(live, "overview.png", 1010);
            await ShootAsync(dark, "overview-dark.png", 1010);
            await live.Page.GetByRole(AriaRole.Link, new() { Name = $"{Model}, batch 1" }).ClickAsync();
            await Expect(live.Page.Locator(".chart").First).ToBeVisibleAsync();
            await Expect(live.Page.Locator("#trim-title")).ToBeVisibleAsync();
            await ShootAsync(live, "run.png", 1400);
        }

        await using var visit = await chromium.VisitAsync(cluster.Address);
        await visit.GoAsync("requests/" + requests[0]);
        await Expect(visit.Page.Locator("#certificate-title")).ToBeVisibleAsync();
        await ShootAsync(visit, "request.png", 1300);
        await visit.Page.Locator(".attempts a").Last.ClickAsync();
        await Expect(visit.Page.Locator("#certificate-title")).ToBeVisibleAsync();
        var run = new Uri(visit.Page.Url).Fragment[2..];
        await using var night = await chromium.VisitAsync(cluster.Address, scheme: ColorScheme.Dark);
        await night.GoAsync(run);
        await Expect(night.Page.Locator("#certificate-title")).ToBeVisibleAsync();
        await ShootAsync(night, "run-dark.png", 1500);
        await using var phone = await chromium.VisitAsync(cluster.Address, 390);
        await phone.GoAsync(run);
        await Expect(phone.Page.Locator("#certificate-title")).ToBeVisibleAsync();
        await ShootAsync(phone, "phone.png", 1300);
        Directory.Delete(folder, recursive: true);
    }

    private static async Task ShootAsync(Visit visit, string name, int height)
    {
        await visit.Page.SetViewportSizeAsync(visit.Page.ViewportSize!.Width, height);
        await visit.Page.EvaluateAsync("() => { document.activeElement?.blur(); scrollTo(0, 0); return new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn))); }");
        await visit.Page.ScreenshotAsync(new PageScreenshotOptions { Path = Path.Combine(Folder, name) });
    }

    private static async Task RegisterAsync(HttpClient http, string demo, string versions)
    {
        string[] scope = ["*layer3*", "*fc*"];
        var answer = await http.PutAsJsonAsync(
            $"v1/models/{Model}",
            new
            {
                file = Path.Combine(demo, "original.safetensors"),
                dataSet = "photos",
                data = Path.Combine(demo, "train.tar"),
                testData = Path.Combine(demo, "test.tar"),
                versions,
                workers = 2,
                configuration = new
                {
                    trim = new { fraction = 0.03, scope },
                    projection = new { scope },
                    sensitivity = new { batchSize = 50, blockBatches = 1 },
                    repair = new { epochs = 6, batchSize = 64, slices = 2, lr = 0.01, lambda = 0.05 },
                    augmentation = new { flip = true },
                    evaluation = new { batchSize = 250 },
                },
                policy = new { maxWait = "00:00:05", gate = new { smallSets = "accept", forgetAbove = 8, forgetBelow = 30, retainDrop = 25, testDrop = 25 } },
            },
            Ct);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Ct));
    }

    private static async Task<string> SubmitAsync(HttpClient http, string requestId, string[] ids, DateTimeOffset receivedAt, bool hold = false)
    {
        var answer = await http.PostAsJsonAsync("v1/deletion-requests", new { requestId, model = Model, ids, receivedAt, legalHold = hold }, Ct);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Ct));
        return (await answer.Content.ReadFromJsonAsync<JsonObject>(Ct))!["id"]!.GetValue<string>();
    }
}
