using Microsoft.Playwright;

[assembly: AssemblyFixture(typeof(Scissorhands.Pages.Tests.Support.Chromium))]

namespace Scissorhands.Pages.Tests.Support;

/// <summary>The browser of all tests here: Debian's, without a window.</summary>
public sealed class Chromium : IAsyncLifetime
{
    private const string Program = "/usr/bin/chromium";

    // Runs take seconds, and processes share few cores.
    private const float PatienceMilliseconds = 90_000;
    private IPlaywright? _playwright;
    private IBrowser? _browser;

    public async ValueTask InitializeAsync()
    {
        if (!File.Exists(Program))
        {
            return;
        }

        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions { ExecutablePath = Program, Args = ["--no-sandbox"] });
        Assertions.SetDefaultExpectTimeout(PatienceMilliseconds);
    }

    /// <summary>Opens a tab of a browser that knows nothing yet; skips the test where there is no browser.</summary>
    /// <param name="address">Where the coordinator serves HTTP.</param>
    /// <param name="width">Width of the window.</param>
    /// <param name="scheme">What the reader prefers.</param>
    /// <param name="password">What the reader enters where the browser itself asks for a password; null where nothing.</param>
    public async Task<Visit> VisitAsync(string address, int width = 1200, ColorScheme scheme = ColorScheme.Light, string? password = null)
    {
        Assert.SkipWhen(_browser is null, "chromium is not installed (apt-get install chromium).");
        var context = await _browser.NewContextAsync(new BrowserNewContextOptions
        {
            BaseURL = address,
            ViewportSize = new ViewportSize { Width = width, Height = 860 },
            ColorScheme = scheme,
            ReducedMotion = ReducedMotion.Reduce,
            HttpCredentials = password is null ? null : new HttpCredentials { Username = "operator", Password = password },
        });
        context.SetDefaultTimeout(PatienceMilliseconds);
        return new Visit(context, await context.NewPageAsync(), new Uri(address));
    }

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
        {
            await _browser.DisposeAsync();
        }

        _playwright?.Dispose();
    }
}
