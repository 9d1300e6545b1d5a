using Microsoft.Playwright;
using Scissorhands.Pages.Tests.Support;
using static Microsoft.Playwright.Assertions;

namespace Scissorhands.Pages.Tests;

/// <summary>Orleans' dashboard in a browser: its files work with what they are confined to.</summary>
public sealed class OrleansDashboardTests(Chromium chromium, GuardedCoordinator service) : IClassFixture<GuardedCoordinator>
{
    [Fact]
    public async Task Dashboard_withAKeyAsPassword_showsTheSiloAndAsksNobodyElse()
    {
        await using var visit = await chromium.VisitAsync(service.Address, password: service.KeyOf("operator"));
        await visit.Page.GotoAsync("/orleans");
        var menu = visit.Page.GetByRole(AriaRole.Navigation, new() { Name = "Dashboard navigation" });
        var content = visit.Page.Locator("#content");
        foreach (var (page, shown) in ((string, string)[])[("Silos", "127.0.0.1:"), ("Grains", "ManagementGrain"), ("Reminders", "Reminders"), ("Preferences", "Preferences")])
        {
            await menu.GetByText(page, new() { Exact = true }).ClickAsync();
            await Expect(content).ToContainTextAsync(shown);
        }

        // Drawn with styles of its own, which nothing else here needs.
        await menu.GetByText("Lifecycle", new() { Exact = true }).ClickAsync();
        await Expect(content.Locator("svg style")).Not.ToHaveCountAsync(0);
        await Expect(content.Locator("svg .node").First).ToBeVisibleAsync();

        visit.AssertQuiet();
        Assert.All(visit.Asked, static path => Assert.StartsWith("/orleans", path, StringComparison.Ordinal));
        Assert.Contains("/orleans/DashboardCounters", visit.Asked.Select(static path => path.Split('?')[0]));
    }
}
