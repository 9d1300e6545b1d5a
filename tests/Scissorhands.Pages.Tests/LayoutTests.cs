using System.Text.Json;
using Microsoft.Playwright;
using Scissorhands.Pages.Tests.Support;
using static Microsoft.Playwright.Assertions;

namespace Scissorhands.Pages.Tests;

/// <summary>Every page, on a phone, in light and in dark, and without a mouse.</summary>
public sealed class LayoutTests(Chromium chromium, OpenCluster service)
{
    private const int Phone = 360;

    // Text and its ground, as they are painted: what an element does not paint shows what is behind it.
    private const string TooFaint = """
        () => {
          const parse = text => { const m = /rgba?\(([^)]+)\)/.exec(text); if (!m) return null; const [r, g, b, a = 1] = m[1].split(/[ ,/]+/).map(Number); return [r, g, b, a]; };
          const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3]));
          const ground = element => { const layers = []; for (let e = element; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c && c[3] > 0) { layers.push(c); if (c[3] === 1) break; } } return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]); };
          const light = c => { const [r, g, b] = c.map(v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
          const found = [];
          let looked = 0;
          const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          for (let node = walker.nextNode(); node; node = walker.nextNode()) {
            const element = node.parentElement;
            if (!node.data.trim() || !element.checkVisibility({ visibilityProperty: true, opacityProperty: true }) || element.closest(".unseen, .skip, noscript")) continue;
            const style = getComputedStyle(element);
            const under = ground(element);
            const ink = over(parse(element.namespaceURI.endsWith("svg") ? style.fill : style.color), under);
            const [a, b] = [light(ink), light(under)].sort((x, y) => y - x);
            const contrast = (a + 0.05) / (b + 0.05);
            looked++;
            if (contrast < 4.5) found.push(`${node.data.trim().slice(0, 40)} (${element.className.baseVal ?? element.className}): ${contrast.toFixed(2)}`);
          }
          return JSON.stringify({ looked, found });
        }
        """;

    private const string TooWide = """
        () => [document.documentElement.scrollWidth, ...[...document.querySelectorAll("body *")].filter(e => !e.closest(".shell, .numbers-box, .unseen, .skip") && e.getBoundingClientRect().right > innerWidth + 0.5).map(e => `${e.tagName}.${e.getAttribute("class")}`)].join(" ")
        """;

    public static TheoryData<string> Places => ["", "runs", "runs/RUN", "requests", "requests/COMPLETED", "requests/FAILED", "models", "models/settled", "nowhere"];

    [Theory]
    [MemberData(nameof(Places))]
    public async Task Page_onAPhone_hasNoWidthToScroll(string place)
    {
        await using var visit = await OpenAsync(place, Phone, ColorScheme.Light);
        Assert.Equal($"{Phone}", await visit.Page.EvaluateAsync<string>(TooWide));

        // Also with everything opened.
        var closed = visit.Page.Locator("details:not([open]) > summary");
        for (var left = await closed.CountAsync(); left > 0; left--)
        {
            await closed.First.ClickAsync();
        }

        Assert.Equal($"{Phone}", await visit.Page.EvaluateAsync<string>(TooWide));
        visit.AssertQuiet();
    }

    [Theory]
    [MemberData(nameof(Places))]
    public async Task Page_inLightAndDark_textStandsOut(string place)
    {
        foreach (var scheme in (ColorScheme[])[ColorScheme.Light, ColorScheme.Dark])
        {
            await using var visit = await OpenAsync(place, 1200, scheme);
            var (looked, faint) = await FaintAsync(visit.Page);
            Assert.True(looked > 10, $"{scheme}: {looked} texts");
            Assert.Empty(faint);
        }
    }

    [Fact]
    public async Task Page_inDark_isDark()
    {
        await using var dark = await OpenAsync("", 1200, ColorScheme.Dark);
        await using var light = await OpenAsync("", 1200, ColorScheme.Light);
        const string Ground = "() => getComputedStyle(document.body).backgroundColor";
        Assert.Equal(("rgb(16, 21, 23)", "rgb(246, 246, 243)"), (await dark.Page.EvaluateAsync<string>(Ground), await light.Page.EvaluateAsync<string>(Ground)));
    }

    /// <summary>From the overview to a certificate with the keys alone; whatever has the focus shows it.</summary>
    [Fact]
    public async Task Reader_withKeysAlone_getsFromTheOverviewToACertificate()
    {
        var (completed, _) = await service.Settled;
        await using var visit = await OpenAsync("", 1200, ColorScheme.Light);
        var page = visit.Page;
        await page.Keyboard.PressAsync("Tab");
        await Expect(page.Locator(".skip")).ToBeFocusedAsync();
        await Expect(page.Locator(".skip")).ToBeInViewportAsync();
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Locator("#main")).ToBeFocusedAsync();
        await page.Keyboard.PressAsync("Tab");
        await Expect(page.Locator(".tile a").First).ToBeFocusedAsync();

        await page.ReloadAsync();
        await TabToAsync(page, "#nav a[href='#/requests']");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Level = 1, Name = "Deletion requests" })).ToBeFocusedAsync();
        await Expect(page.Locator("#nav a[href='#/requests']")).ToHaveAttributeAsync("aria-current", "page");
        await TabToAsync(page, ".filters a[href='#/requests?state=completed']");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Locator(".filters a[aria-current=true]")).ToHaveTextAsync("Completed");
        await TabToAsync(page, $"a[href='#/requests/{completed}']");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByRole(AriaRole.Heading, new() { Level = 1, Name = "completes" })).ToBeFocusedAsync();
        await Expect(page.Locator("#certificate-title")).ToBeVisibleAsync();

        // The page is told anew every second and a half, and must not take the focus away.
        await TabToAsync(page, "[data-key='certificate-check'] > summary");
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByText("does not check its signature")).ToBeVisibleAsync();
        await page.WaitForResponseAsync(static response => response.Url.Contains("/batches/", StringComparison.Ordinal));
        await page.WaitForResponseAsync(static response => response.Url.Contains("/batches/", StringComparison.Ordinal));
        await Expect(page.Locator("[data-key='certificate-check'] > summary")).ToBeFocusedAsync();
        await Expect(page.GetByText("does not check its signature")).ToBeVisibleAsync();

        await page.Keyboard.PressAsync("Shift+Tab");
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "Certificate (DSSE)" })).ToBeFocusedAsync();
        var download = await page.RunAndWaitForDownloadAsync(() => page.Keyboard.PressAsync("Enter"));
        Assert.Equal("certificate.dsse.json", download.SuggestedFilename);
        visit.AssertQuiet();
    }

    private static async Task<(int Looked, string[] Faint)> FaintAsync(IPage page)
    {
        using var answer = JsonDocument.Parse(await page.EvaluateAsync<string>(TooFaint));
        return (answer.RootElement.GetProperty("looked").GetInt32(), [.. answer.RootElement.GetProperty("found").EnumerateArray().Select(static f => f.GetString()!)]);
    }

    private static async Task TabToAsync(IPage page, string target)
    {
        await Expect(page.Locator(target)).ToBeVisibleAsync();
        for (var i = 0; i < 60; i++)
        {
            await page.Keyboard.PressAsync("Tab");
            var (isThere, outline) = await page.EvaluateAsync<string>("target => `${document.activeElement.matches(target)} ${getComputedStyle(document.activeElement).outlineWidth}`", target) is var told ? (told.StartsWith("true", StringComparison.Ordinal), told.Split(' ')[1]) : default;
            Assert.True(outline == "3px", $"What has the focus after {i + 1} tabs on the way to {target} does not show it: {outline}");
            if (isThere)
            {
                return;
            }
        }

        Assert.Fail($"60 tabs do not lead to {target}");
    }

    private async Task<Visit> OpenAsync(string place, int width, ColorScheme scheme)
    {
        var (completed, failed) = await service.Settled;
        var visit = await chromium.VisitAsync(service.Cluster.Address, width, scheme);
        if (place.EndsWith("RUN", StringComparison.Ordinal))
        {
            await visit.GoAsync("requests/" + completed);
            await visit.Page.Locator(".attempts a").ClickAsync();
            await Expect(visit.Page.Locator("#certificate-title")).ToBeVisibleAsync();
            await Expect(visit.Page.Locator(".chart").First).ToBeVisibleAsync();
            return visit;
        }

        await visit.GoAsync(place.Replace("COMPLETED", completed, StringComparison.Ordinal).Replace("FAILED", failed, StringComparison.Ordinal));
        if (place.EndsWith("COMPLETED", StringComparison.Ordinal))
        {
            await Expect(visit.Page.Locator("#certificate-title")).ToBeVisibleAsync();
        }

        return visit;
    }
}
