using System.Diagnostics;
using System.Net;
using Microsoft.Playwright;
using Scissorhands.Drill.Cluster;
using Scissorhands.Pages.Tests.Support;
using Scissorhands.Testing;
using static Microsoft.Playwright.Assertions;

namespace Scissorhands.Pages.Tests;

/// <summary>A coordinator whose callers need keys, without workers, models or requests.</summary>
public sealed class GuardedCoordinator : IAsyncLifetime
{
    private readonly Broker _broker = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("scissorhands-keys-").FullName;
    private readonly Dictionary<string, string> _keys = new(StringComparer.Ordinal);
    private LocalCluster? _cluster;

    public string Address
    {
        get
        {
            Assert.SkipWhen(_cluster is null, _broker.Missing ?? "");
            return _cluster.Address;
        }
    }

    public string KeyOf(string name) => _keys[name];

    public async ValueTask InitializeAsync()
    {
        await _broker.StartAsync();
        if (_broker.Missing is not null)
        {
            return;
        }

        var file = Path.Combine(_folder, "keys");
        foreach (var (name, scopes) in ((string, string)[])[("pipeline", "submit"), ("operator", "submit,operate")])
        {
            using var process = Process.Start(new ProcessStartInfo(Executable.Path, ["key", name, "--scope", scopes, "--keys", file]) { RedirectStandardOutput = true })!;
            _keys[name] = (await process.StandardOutput.ReadToEndAsync()).Trim();
            await process.WaitForExitAsync();
        }

        _cluster = await LocalCluster.StartAsync(new ClusterOptions { Broker = _broker, CoordinatorArguments = ["--root", _folder, "--keys", file, "--orleans-dashboard"] }, workers: 0);
    }

    public async ValueTask DisposeAsync()
    {
        if (_cluster is not null)
        {
            await _cluster.DisposeAsync();
        }

        await _broker.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}

/// <summary>Who is shown what, where keys are needed; and how the pages are served.</summary>
public sealed class KeyTests(Chromium chromium, GuardedCoordinator service) : IClassFixture<GuardedCoordinator>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Key_thatIsNobodys_isRefusedInWordsAndNotKept()
    {
        await using var visit = await chromium.VisitAsync(service.Address);
        await visit.GoAsync("runs");
        Assert.DoesNotContain(visit.Asked, static path => path.StartsWith("/v1/", StringComparison.Ordinal));
        visit.AssertQuiet();
        await Expect(Field(visit)).ToBeFocusedAsync();

        await EnterAsync(visit, "sh_nobodys");

        await Expect(visit.Page.GetByRole(AriaRole.Alert)).ToContainTextAsync("This key is not accepted");
        await Expect(visit.Page.GetByRole(AriaRole.Alert)).ToContainTextAsync("none of this coordinator's");
        await Expect(Field(visit)).ToHaveAttributeAsync("aria-invalid", "true");
        await Expect(Field(visit)).ToHaveValueAsync("");
        Assert.Equal("[0,0,\"\"]", await KeptAsync(visit));
    }

    [Fact]
    public async Task Key_thatNobodyAnswersFor_staysToBeTriedAgain()
    {
        await using var visit = await chromium.VisitAsync(service.Address);
        await visit.GoAsync();
        await visit.Page.RouteAsync("**/v1/**", static route => route.AbortAsync());
        await EnterAsync(visit, service.KeyOf("operator"));

        await Expect(visit.Page.GetByText("Whether this key is accepted is not known")).ToBeVisibleAsync();
        await Expect(visit.Page.GetByText("The coordinator does not answer.")).ToBeVisibleAsync();
        await Expect(Field(visit)).ToHaveValueAsync(service.KeyOf("operator"));
        Assert.Equal("[0,0,\"\"]", await KeptAsync(visit));

        await visit.Page.UnrouteAsync("**/v1/**");
        await visit.Page.Keyboard.PressAsync("Enter");
        await Expect(visit.Page.Locator("[data-key=models]")).ToBeVisibleAsync();
    }

    [Fact]
    public async Task Key_withoutAScope_showsTheRestAndSaysWhatIsMissing()
    {
        await using var visit = await chromium.VisitAsync(service.Address);
        await visit.GoAsync();
        await EnterAsync(visit, service.KeyOf("pipeline"));

        await Expect(visit.Page.Locator("[data-key=requests]")).ToContainTextAsync("No requests yet");
        await Expect(visit.Page.Locator("[data-key=runs]")).ToContainTextAsync("Runs need the scope “operate”");
        await Expect(visit.Page.Locator("[data-key=runs]")).ToContainTextAsync("scissorhands key NAME --scope operate");
    }

    [Fact]
    public async Task Key_isKeptInItsTabUntilItsReaderSignsOut()
    {
        await using var visit = await chromium.VisitAsync(service.Address);
        await visit.GoAsync();
        await EnterAsync(visit, service.KeyOf("operator"));

        // Nothing is there yet: each section says how that changes.
        await Expect(visit.Page.Locator("[data-key=requests]")).ToContainTextAsync($"curl {service.Address}/v1/deletion-requests");
        await Expect(visit.Page.Locator("[data-key=runs]")).ToContainTextAsync("scissorhands submit --model");
        await Expect(visit.Page.Locator("[data-key=models]")).ToContainTextAsync("scissorhands models add");
        await visit.Page.ReloadAsync();
        await Expect(visit.Page.Locator("[data-key=models]")).ToBeVisibleAsync();
        Assert.Equal("[1,0,\"\"]", await KeptAsync(visit));
        await using (var other = await visit.NewTabAsync())
        {
            await other.GoAsync();
            await Expect(Field(other)).ToBeVisibleAsync();
            visit.AssertQuiet();
            await other.Page.CloseAsync();

            // Not from the overview, where no address changes.
            await visit.GoAsync("models");
            await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Sign out" }).ClickAsync();
            await Expect(visit.Page.GetByText("The key is no longer in this browser")).ToBeVisibleAsync();
            Assert.Equal("[0,0,\"\"]", await KeptAsync(visit));
            await Expect(visit.Page.GetByRole(AriaRole.Button, new() { Name = "Sign out" })).ToHaveCountAsync(0);
            Assert.DoesNotContain(visit.Asked.Concat(other.Asked), path => path.Contains(service.KeyOf("operator"), StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task Files_areServedStrictlyAndOnlyOnceWhereTheyAreTheSame()
    {
        using var http = new HttpClient { BaseAddress = new Uri(service.Address) };
        foreach (var path in (string[])["/", "/assets/app.js", "/assets/app.css", "/assets/icon.svg"])
        {
            var response = await http.GetAsync(path, Ct);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            var policy = Assert.Single(response.Headers.GetValues("Content-Security-Policy"));
            Assert.StartsWith("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';", policy, StringComparison.Ordinal);
            Assert.Contains("frame-ancestors 'none'", policy, StringComparison.Ordinal);
            Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
            Assert.Equal(("nosniff", "no-referrer"), (Assert.Single(response.Headers.GetValues("X-Content-Type-Options")), Assert.Single(response.Headers.GetValues("Referrer-Policy"))));

            using var again = new HttpRequestMessage(HttpMethod.Get, path);
            again.Headers.IfNoneMatch.Add(response.Headers.ETag!);
            Assert.Equal(HttpStatusCode.NotModified, (await http.SendAsync(again, Ct)).StatusCode);
            using var head = new HttpRequestMessage(HttpMethod.Head, path);
            Assert.Equal(HttpStatusCode.OK, (await http.SendAsync(head, Ct)).StatusCode);
        }

        Assert.Equal(HttpStatusCode.NotFound, (await http.GetAsync("/assets/other.js", Ct)).StatusCode);
        Assert.DoesNotContain("assets", await http.GetStringAsync("/openapi/v1.json", Ct), StringComparison.Ordinal);
    }

    private static ILocator Field(Visit visit) => visit.Page.GetByLabel("API key or token");

    private static async Task EnterAsync(Visit visit, string key)
    {
        await Field(visit).FillAsync(key);
        await visit.Page.Keyboard.PressAsync("Enter");
    }

    // Keys in the tab, keys in the browser, cookies.
    private static Task<string> KeptAsync(Visit visit) => visit.Page.EvaluateAsync<string>("() => JSON.stringify([sessionStorage.length, localStorage.length, document.cookie])");
}
