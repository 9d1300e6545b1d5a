using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Scissorhands.Coordinator.Api;
using Scissorhands.Coordinator.Hosting;

namespace Scissorhands.Coordinator.Pages;

/// <summary>
/// Serves the pages at <c>/</c>, to everybody: what they show they ask of the interface under <c>/v1</c> with the reader's own
/// key. Browsers are told to load nothing from anywhere else and to run nothing that is not one of these files.
/// </summary>
internal static class PageEndpoints
{
    private const string ContentSecurityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

    private static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Head];

    /// <summary>Adds the files.</summary>
    public static IServiceCollection AddPages(this IServiceCollection services) => services.AddSingleton(static provider =>
    {
        var options = provider.GetRequiredService<ClusterCoordinatorOptions>();
        return new PageAssets(isOpen: options.Keys is null && options.Oidc is null);
    });

    /// <summary>Serves them.</summary>
    public static IEndpointRouteBuilder MapPages(this IEndpointRouteBuilder routes)
    {
        routes.MapMethods("/", Methods, static (HttpContext http, PageAssets assets) => Serve(http, assets, PageAssets.Index)).ExcludeFromDescription();
        routes.MapMethods("/assets/{file}", Methods, static (string file, HttpContext http, PageAssets assets) => Serve(http, assets, file)).ExcludeFromDescription();
        return routes;
    }

    private static IResult Serve(HttpContext http, PageAssets assets, string file)
    {
        if (assets.Find(file) is not { } asset)
        {
            return Results.NotFound(new ErrorAnswer("there is no such file of the pages"));
        }

        // Asked for again each time, and answered in a line where it is the same: another version of the program has other files.
        PageHeaders.Confine(http.Response.Headers, ContentSecurityPolicy, caching: "no-cache");
        return Results.Bytes(asset.Bytes, asset.ContentType, entityTag: asset.Tag);
    }
}
