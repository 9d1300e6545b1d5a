using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Scissorhands.Drill.Cluster;
using Scissorhands.Pages.Tests.Support;
using Scissorhands.Testing;
using static Microsoft.Playwright.Assertions;

namespace Scissorhands.Pages.Tests;

/// <summary>Runs and requests as a reader of the pages sees them, while they are under way and when they fail.</summary>
public sealed class WatchedRunTests(Chromium chromium, OpenCluster service)
{
    // So that there is time to watch, and nothing diverges meanwhile.
    private static readonly string[] Slowly = ["repair.epochs=40", "repair.lr=0.0001", "projection.every=1000"];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Request_fromSubmissionToCertificate_isWatchedWithoutAReload()
    {
        await using var visit = await chromium.VisitAsync(service.Cluster.Address);
        var page = visit.Page;
        await service.RegisterAsync("watched", Slowly);
        await visit.GoAsync("requests");
        var id = await service.SubmitAsync("watched", "dsar-17", 10, 11, 12, 13, 14, 15, 16);

        // The list is told by itself.
        await page.GetByRole(AriaRole.Link, new() { Name = "dsar-17" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Level = 1, Name = "dsar-17" })).ToBeFocusedAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Watch the run" }).ClickAsync();
        await Expect(Title(page)).ToHaveTextAsync("watched, batch 1");

        // While it works: where it is, how far, and what it measures.
        await Expect(page.Locator(".stage[data-key='repair'][aria-current=step]")).ToBeVisibleAsync();
        await Expect(page.GetByRole(AriaRole.Progressbar, new() { Name = "Progress of Repair" })).ToHaveAttributeAsync("aria-valuenow", new Regex("^[1-9][0-9]?$"));
        await Expect(page.GetByRole(AriaRole.Img, new() { NameRegex = new("^Loss by repair step: samples that stay from") })).ToBeVisibleAsync();
        await Expect(State(page)).ToHaveTextAsync("Running");

        // When it is done: the result, the report and, once the service has certified it, the certificate.
        await EndsWellAsync(page);
        await Expect(page.Locator("#announce")).ToHaveTextAsync("The run is completed.");
        await Expect(page.GetByRole(AriaRole.Img, new() { NameRegex = new("^Accuracy by repair step: samples that stay from .*; samples to forget from") })).ToBeVisibleAsync();
        await Expect(page.GetByRole(AriaRole.Img, new() { NameRegex = new("^Forgotten samples answered right: as it came .*, trimmed .*, repaired") })).ToBeVisibleAsync();
        await Expect(page.GetByRole(AriaRole.Img, new() { NameRegex = new("^w[01]: compute .*, wait for others .*, exchange .*, update ") })).ToHaveCountAsync(2);
        await Expect(page.Locator("#trim-title")).ToBeVisibleAsync();
        await Expect(page.Locator(".events li", new() { HasText = "Completed" })).ToHaveCountAsync(1);
        await Expect(page.Locator("#certificate-title")).ToBeVisibleAsync();
        var version = Path.Combine(service.Versions("watched"), "v0001");
        Assert.Equal(await File.ReadAllTextAsync(Path.Combine(version, "report.html"), Ct), await DownloadAsync(page, "Report (HTML)"));
        Assert.Equal(await File.ReadAllTextAsync(Path.Combine(version, "certificate.dsse.json"), Ct), await DownloadAsync(page, "Certificate (DSSE)"));

        // Whoever may write to a run's folder must not be able to run a script with the reader's key.
        var run = new Uri(page.Url).Fragment["#/runs/".Length..];
        using (var report = await service.Http.GetAsync($"v1/runs/{run}/report.html", Ct))
        {
            Assert.EndsWith("sandbox", Assert.Single(report.Headers.GetValues("Content-Security-Policy")), StringComparison.Ordinal);
            Assert.Equal("attachment", report.Content.Headers.ContentDisposition!.DispositionType);
        }

        // Back at the request, by its link.
        await page.Locator($"a[href='#/requests/{id}']").ClickAsync();
        await Expect(State(page)).ToHaveTextAsync("Completed");
        await Expect(page.Locator(".stage[data-key=completed] .icon")).ToHaveAccessibleNameAsync("Done");
        await Expect(page.Locator("#certificate-title + .badge")).ToHaveTextAsync(new Regex("Passed|Inconclusive"));
        await Expect(page.GetByText("that the model equals one that was trained without these samples")).ToBeVisibleAsync();
        await Expect(page.GetByText("7 samples were forgotten")).ToBeVisibleAsync();

        // No sample's name has come anywhere near the pages, and none of their addresses holds one.
        Assert.DoesNotContain("train-0-00", await page.ContentAsync(), StringComparison.Ordinal);
        Assert.DoesNotContain(visit.Asked, static path => path.Contains("train-0-00", StringComparison.Ordinal));
        visit.AssertQuiet();
    }

    [Fact]
    public async Task Run_thatFails_saysWhyAndWhatToDo()
    {
        await using var visit = await chromium.VisitAsync(service.Cluster.Address);
        var page = visit.Page;
        var diverged = await service.RunAsync(service.Files.ForgetList(7), "repair.lr=1e30", "checkpoint.everySteps=1");
        await visit.GoAsync("runs/" + diverged);

        var told = page.GetByRole(AriaRole.Alert);
        await Expect(told).ToContainTextAsync("The run failed at “Repair”");
        await Expect(told).ToContainTextAsync("a smaller repair.lr or repair.lambda may help");
        await Expect(told).ToContainTextAsync(new Regex("submit the same again: it goes on from the checkpoint at repair, \\d+"));
        await Expect(page.Locator(".stage[data-key=repair] .icon")).ToHaveAccessibleNameAsync("Failed here");

        using (var report = await service.Http.GetAsync($"v1/runs/{diverged}/report", Ct))
        {
            Assert.Equal(HttpStatusCode.Conflict, report.StatusCode);
            Assert.Contains("is failed: there is no report yet", await report.Content.ReadAsStringAsync(Ct), StringComparison.Ordinal);
        }

        var list = service.Files.NewPath("stranger.txt");
        await File.WriteAllTextAsync(list, "nobody\n", Ct);
        var refused = await service.RunAsync(list);
        await visit.GoAsync("runs");
        await page.Locator($"a[href='#/runs/{refused}']").ClickAsync();
        await Expect(told).ToContainTextAsync("1 of");
        await Expect(told).ToContainTextAsync("what was submitted is at fault, so the same again would fail again");
        visit.AssertQuiet();
    }

    [Fact]
    public async Task Request_whoseRunFails_saysHowItIsTriedAgain()
    {
        var (_, failed) = await service.Settled;
        await using var visit = await chromium.VisitAsync(service.Cluster.Address);
        await visit.GoAsync("requests/" + failed);

        var told = visit.Page.GetByRole(AriaRole.Alert);
        await Expect(told).ToContainTextAsync("repair.lr");
        await Expect(told).ToContainTextAsync($"scissorhands requests retry {failed}");
        await Expect(visit.Page.Locator(".stage[data-key=running] .icon")).ToHaveAccessibleNameAsync("Failed here");
        await Expect(visit.Page.Locator(".attempts")).ToContainTextAsync("Attempt 1");
        visit.AssertQuiet();
    }

    /// <summary>The stream breaks off with its coordinator: the page says so, and goes on with the next event and not from the beginning.</summary>
    [Fact]
    public async Task Run_whoseCoordinatorIsReplaced_isWatchedOn()
    {
        await using var visit = await chromium.VisitAsync(service.Cluster.Address);
        var page = visit.Page;
        var run = await service.RunAsync(service.Files.ForgetList(17), Slowly);
        await visit.GoAsync("runs/" + run);
        await Expect(page.Locator(".stage[data-key='repair'][aria-current=step]")).ToBeVisibleAsync();

        service.Cluster.Coordinator.Signal("KILL");
        await service.Cluster.Coordinator.Exited.WaitAsync(Ct);
        await Expect(page.Locator("#banner")).ToContainTextAsync("What is shown may be old");
        await service.Cluster.StartCoordinatorAsync();

        await Expect(page.Locator("#banner")).ToBeEmptyAsync();
        await EndsWellAsync(page);
        await Expect(page.Locator(".events li", new() { HasText = "Submitted" })).ToHaveCountAsync(1);
        await Expect(page.Locator(".events li", new() { HasText = "Generation 2 begins" })).ToHaveCountAsync(1);

        // The curve that was kept is whole, also for those who look later.
        var steps = (await service.Http.GetFromJsonAsync<JsonObject>($"v1/runs/{run}/figures", Ct))!["steps"]!.AsArray().Select(static s => s!["step"]!.GetValue<int>()).ToArray();
        Assert.Equal(steps.Order().Distinct(), steps);
        await page.ReloadAsync();
        await Expect(page.GetByRole(AriaRole.Img, new() { NameRegex = new("^Loss by repair step") })).ToBeVisibleAsync();
    }

    /// <summary>A call that is lost is made again until it is answered: none takes away what is shown.</summary>
    [Theory]
    [InlineData("", 1)]
    [InlineData("/figures", 1)]
    [InlineData("/figures", 2)]
    public async Task Run_ofWhichCallsAreLost_isShownAllTheSame(string call, int from)
    {
        var run = await service.RunAsync(service.Files.ForgetList(7), "repair.lr=1e30");
        await service.Http.UntilAsync($"v1/runs/{run}", "status", static status => status == "failed", TimeSpan.FromMinutes(2), service.Cluster.Describe, Ct);
        await using var visit = await chromium.VisitAsync(service.Cluster.Address);
        var (calls, isLost) = (0, true);
        await visit.Page.RouteAsync(
            new Regex($"/v1/runs/{run}{call}$"),
            route => Interlocked.Increment(ref calls) >= from && Volatile.Read(ref isLost) ? route.AbortAsync() : route.ContinueAsync());
        await visit.Page.GotoAsync("/#/runs/" + run);

        await Expect(visit.Page.Locator("#banner")).ToContainTextAsync("The coordinator does not answer.");
        Volatile.Write(ref isLost, false);
        await Expect(visit.Page.Locator("#banner")).ToBeEmptyAsync();
        await Expect(visit.Page.GetByRole(AriaRole.Alert)).ToContainTextAsync("The run failed at “Repair”");
    }

    private static ILocator Title(IPage page) => page.GetByRole(AriaRole.Heading, new() { Level = 1 });

    private static ILocator State(IPage page) => page.Locator(".title .badge").First;

    private static async Task EndsWellAsync(IPage page)
    {
        await Expect(State(page)).ToHaveTextAsync(new Regex("Completed|Failed"));
        var told = page.GetByRole(AriaRole.Alert);
        Assert.True(await told.CountAsync() == 0, await told.CountAsync() == 0 ? "" : await told.InnerTextAsync());
    }

    private static async Task<string> DownloadAsync(IPage page, string button)
    {
        var download = await page.RunAndWaitForDownloadAsync(() => page.GetByRole(AriaRole.Button, new() { Name = button }).ClickAsync());
        return await File.ReadAllTextAsync(await download.PathAsync(), Ct);
    }
}
