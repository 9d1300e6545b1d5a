using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Scissorhands.Coordinator.Cluster;

namespace Scissorhands.Coordinator.Api;

/// <summary>Where a coordinator or the store is lost at the moment, the answer says so and when to ask again.</summary>
internal static partial class Unavailable
{
    private const string RetryAfterSeconds = "2";
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(10);
    private static long _told = long.MinValue;

    public static async ValueTask<object?> FilterAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        try
        {
            return await next(context);
        }
        catch (Exception e) when (Outage.Is(e))
        {
            Tell(context.HttpContext.RequestServices, e);
            context.HttpContext.Response.Headers.RetryAfter = RetryAfterSeconds;
            return Results.Json(new ErrorAnswer("another coordinator or the store does not answer at the moment; ask again, nothing is done twice"), statusCode: StatusCodes.Status503ServiceUnavailable);
        }
    }

    // Calls come by the hundred; what fails is the same for all of them.
    private static void Tell(IServiceProvider services, Exception e)
    {
        var time = services.GetRequiredService<TimeProvider>();
        var told = Volatile.Read(ref _told);
        var now = time.GetTimestamp();
        if ((told == long.MinValue || time.GetElapsedTime(told, now) >= Quiet) && Interlocked.CompareExchange(ref _told, now, told) == told)
        {
            LogOutage(services.GetRequiredService<ILoggerFactory>().CreateLogger(typeof(Unavailable).FullName!), e.GetBaseException().Message);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Calls are answered with 503, as another coordinator or the store failed: {Reason}")]
    private static partial void LogOutage(ILogger logger, string reason);
}
