using System.Collections.Concurrent;
using Microsoft.Playwright;

namespace Scissorhands.Pages.Tests.Support;

/// <summary>A reader's tab, and what went wrong in it.</summary>
public sealed class Visit : IAsyncDisposable
{
    private readonly IBrowserContext _context;
    private readonly ConcurrentQueue<string> _complaints = new();
    private readonly ConcurrentQueue<Uri> _asked = new();
    private readonly Uri _address;

    public Visit(IBrowserContext context, IPage page, Uri address)
    {
        _context = context;
        _address = address;
        Page = page;
        context.Request += (_, request) => _asked.Enqueue(new Uri(request.Url));
        Page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
            {
                _complaints.Enqueue($"{message.Type}: {message.Text}");
            }
        };
        Page.PageError += (_, error) => _complaints.Enqueue(error);
    }

    public IPage Page { get; }

    /// <summary>Paths that were asked for, in their order.</summary>
    public IReadOnlyList<string> Asked => [.. _asked.Select(static address => address.PathAndQuery)];

    /// <summary>Goes to a page, as by a link from elsewhere.</summary>
    /// <param name="place">What follows the <c>#/</c>.</param>
    public async Task GoAsync(string place = "")
    {
        await Page.GotoAsync($"/#/{place}");
        await Assertions.Expect(Page.GetByRole(AriaRole.Heading, new() { Level = 1 })).ToBeVisibleAsync();
    }

    /// <summary>Another tab of the same browser.</summary>
    public async Task<Visit> NewTabAsync() => new(_context, await _context.NewPageAsync(), _address);

    /// <summary>The browser had nothing to complain of, and nothing was asked of anybody but the coordinator.</summary>
    public void AssertQuiet()
    {
        Assert.Empty(_complaints);
        Assert.NotEmpty(_asked);
        Assert.DoesNotContain(_asked, address => address.Scheme is not ("blob" or "data") && address.Authority != _address.Authority);
    }

    public async ValueTask DisposeAsync() => await _context.CloseAsync();
}
