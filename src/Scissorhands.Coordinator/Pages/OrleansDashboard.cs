using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Dashboard;
using Orleans.Hosting;
using Orleans.Runtime;
using Scissorhands.Coordinator.Access;
using Scissorhands.Coordinator.Api;

namespace Scissorhands.Coordinator.Pages;

/// <summary>
/// Serves Orleans' own dashboard at <c>/orleans</c>, to callers with the scope <see cref="AccessScopes.Operate"/>: silos, their
/// load, and how often and how long the methods of grains are called. It knows nothing of tenants.
/// </summary>
internal static class OrleansDashboard
{
    /// <summary>Where it is.</summary>
    public const string Path = "/orleans";

    // As tight as its files allow: they write styles into the page and draw with images and a font within the style sheet. Its
    // markup is made of text, so that no trusted types can be asked for.
    private const string ContentSecurityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    // What it may answer. Left out: Trace, which sends the log of this process, and GrainState, which calls methods of grains by
    // name. What a later version adds is left out until it was looked at.
    private static readonly HashSet<string> Shown = new(
        ((string[])
        [
            "/", "/index.html", "/index.min.js", "/index.css", "/favicon.ico", "/fonts/{**path}", "/img/{**path}",
            "/version", "/DashboardCounters", "/ClusterStats", "/HistoricalStats/{*path}", "/TopGrainMethods", "/GrainTypes", "/GrainStats/{*grainName}",
            "/SiloProperties/{*address}", "/SiloMetadata/{*address}", "/SiloStats/{*address}", "/SiloCounters/{*address}", "/LifecycleStages",
            "/Reminders", "/Reminders/{page:int}",
        ]).Select(static route => Path + route),
        StringComparer.Ordinal);

    // The parameters that are a silo's address.
    private static readonly string[] SiloParameters = ["path", "address"];

    /// <summary>Has the silo count what the dashboard shows.</summary>
    public static ISiloBuilder AddOwnDashboard(this ISiloBuilder silo) => silo.AddDashboard(static dashboard => dashboard.HideTrace = true);

    /// <summary>
    /// Sends readers of <c>/orleans</c> to <c>/orleans/</c>, before they are asked for a password: browsers send it again to all
    /// that is in the folder of the address that asked for it, which must not be the whole coordinator.
    /// </summary>
    public static IApplicationBuilder UseDashboardFolder(this IApplicationBuilder app) => app.Use(static (http, next) =>
    {
        if (http.Request.Path != Path || !IsReading(http))
        {
            return next(http);
        }

        // Relative, so that it holds below a proxy's path; and not for ever, as the dashboard may be switched off.
        http.Response.Headers.Location = Path[1..] + "/";
        http.Response.StatusCode = StatusCodes.Status302Found;
        return http.Response.CompleteAsync();
    });

    /// <summary>Serves it.</summary>
    public static IEndpointRouteBuilder MapDashboard(this IEndpointRouteBuilder routes)
    {
        var dashboard = routes.MapOrleansDashboard(Path);
        dashboard.RequireAuthorization(AccessScopes.Operate).WithMetadata(KeyAsPassword.Taken).ExcludeFromDescription();
        dashboard.AddEndpointFilter(static async (context, next) =>
        {
            var http = context.HttpContext;
            PageHeaders.Confine(http.Response.Headers, ContentSecurityPolicy, caching: "no-store");
            return IsReading(http) && http.GetEndpoint() is RouteEndpoint { RoutePattern.RawText: { } route } && Shown.Contains(route) && NamesNoStranger(http, route)
                ? await next(context)
                : Results.NotFound(new ErrorAnswer("this part of the dashboard is not served"));
        });
        return routes;
    }

    // What is asked of a silo goes to the address in the path, whatever it is: it must be a member's, or a caller could have the
    // coordinator connect to any host.
    private static bool NamesNoStranger(HttpContext http, string route) =>
        SiloParameters.FirstOrDefault(name => route.EndsWith($"{{*{name}}}", StringComparison.Ordinal)) is not { } parameter
        || http.RequestServices.GetRequiredService<IClusterMembershipService>().CurrentSnapshot.Members.Keys.Any(silo => silo.ToParsableString() == http.GetRouteValue(parameter) as string);

    private static bool IsReading(HttpContext http) => HttpMethods.IsGet(http.Request.Method) || HttpMethods.IsHead(http.Request.Method);
}
