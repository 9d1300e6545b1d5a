using Microsoft.AspNetCore.Http;
using Scissorhands.Coordinator.Cluster;

namespace Scissorhands.Coordinator.Api;

/// <summary>Where a coordinator or the store is lost at the moment, the answer says so and when to ask again.</summary>
internal static class Unavailable
{
    private const string RetryAfterSeconds = "2";

    public static async ValueTask<object?> FilterAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        try
        {
            return await next(context);
        }
        catch (Exception e) when (Outage.Is(e))
        {
            context.HttpContext.Response.Headers.RetryAfter = RetryAfterSeconds;
            return Results.Json(new ErrorAnswer("another coordinator or the store does not answer at the moment; ask again, nothing is done twice"), statusCode: StatusCodes.Status503ServiceUnavailable);
        }
    }
}
