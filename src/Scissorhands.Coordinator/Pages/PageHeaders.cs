using Microsoft.AspNetCore.Http;

namespace Scissorhands.Coordinator.Pages;

/// <summary>Headers that confine what browsers are shown to this origin.</summary>
internal static class PageHeaders
{
    /// <summary>Confines an answer.</summary>
    /// <param name="headers">Its headers.</param>
    /// <param name="policy">What it may load and run (Content-Security-Policy).</param>
    /// <param name="caching">How it may be kept (Cache-Control).</param>
    public static void Confine(IHeaderDictionary headers, string policy, string caching)
    {
        headers.ContentSecurityPolicy = policy;
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers.CacheControl = caching;
    }
}
