using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.DependencyInjection;

namespace Scissorhands.Coordinator.Access;

/// <summary>Holds callers to <see cref="CallLimitOptions"/>. Callers are told apart by tenant and name, and by their address (of IPv6 its network, /64) where they have not shown who they are.</summary>
internal sealed class CallLimits(CallLimitOptions options) : IDisposable
{
    /// <summary>The policy of endpoints that take submissions.</summary>
    public const string Submissions = "submissions";

    private const int NetworkBytes = 8;
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private readonly PartitionedRateLimiter<HttpContext> _names = PartitionedRateLimiter.Create<HttpContext, string>(http => Bucket(CallerOf(http), options.NamesPerSecond, options.NamesAtOnce, Second));

    private readonly PartitionedRateLimiter<HttpContext> _refusals = PartitionedRateLimiter.Create<HttpContext, string>(http => Bucket(AddressOf(http), options.RefusalsPerMinute, options.RefusalsPerMinute, TimeSpan.FromMinutes(1)));

    /// <summary>Registers the limits and the policy <see cref="Submissions"/>.</summary>
    public static void Add(IServiceCollection services, CallLimitOptions options)
    {
        services.AddSingleton(_ => new CallLimits(options));
        services.AddRateLimiter(limiter =>
        {
            limiter.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
            limiter.AddPolicy(Submissions, http => Bucket(CallerOf(http), options.SubmissionsPerSecond, 2 * options.SubmissionsPerSecond, Second));

            // The body comes where all bare answers get theirs.
            limiter.OnRejected = static (rejected, _) =>
            {
                TellWhen(rejected.HttpContext, rejected.Lease);
                return ValueTask.CompletedTask;
            };
        });
    }

    /// <summary>Refuses addresses that have sent too many keys or tokens that are nobody's: before the next one is looked at, or guessing would go on.</summary>
    public static IApplicationBuilder UseRefusalLimit(IApplicationBuilder app) => app.Use(static async (http, next) =>
    {
        var limits = http.RequestServices.GetRequiredService<CallLimits>();
        if (ApiKeyHandler.Sent(http.Request) is null)
        {
            await next(http);
            return;
        }

        // Not an attempt for none: that succeeds as soon as a fraction of one is there again.
        if (limits._refusals.GetStatistics(http) is { CurrentAvailablePermits: < 1 })
        {
            using var refused = limits._refusals.AttemptAcquire(http);
            TellWhen(http, refused);
            http.Response.StatusCode = StatusCodes.Status429TooManyRequests;
            await http.Response.WriteAsJsonAsync(new { error = $"too many keys or tokens from this address were refused, and none is looked at for now; {When(http)}" }, http.RequestAborted);
            return;
        }

        await next(http);
        if (http.Response.StatusCode == StatusCodes.Status401Unauthorized)
        {
            limits._refusals.AttemptAcquire(http).Dispose();
        }
    });

    /// <summary>Whether a caller may send so many names now; where not, the answer's header says when.</summary>
    /// <param name="http">The call.</param>
    /// <param name="names">How many; no more than one body may hold.</param>
    public bool Admits(HttpContext http, int names)
    {
        using var lease = _names.AttemptAcquire(http, names);
        if (!lease.IsAcquired)
        {
            TellWhen(http, lease);
        }

        return lease.IsAcquired;
    }

    /// <summary>What the header of a refused call says to programs, in words.</summary>
    public static string When(HttpContext http) => http.Response.Headers.RetryAfter.ToString() is { Length: > 0 } seconds ? $"try again in {seconds} s" : "try again later";

    /// <inheritdoc/>
    public void Dispose()
    {
        _names.Dispose();
        _refusals.Dispose();
    }

    // A name or a tenant may hold any character but a control character.
    private static string CallerOf(HttpContext http) =>
        http.User.Identity is { IsAuthenticated: true, Name: { } name } ? $"{http.User.FindFirst(ApiKeyHandler.TenantClaim)?.Value}\0{name}" : AddressOf(http);

    private static string AddressOf(HttpContext http) => http.Connection.RemoteIpAddress is { } address ? Origin(address) : "";

    /// <summary>What stands for whoever has an address: of IPv6 the network, as one host has all the addresses of its own.</summary>
    internal static string Origin(IPAddress address)
    {
        if (address.AddressFamily != AddressFamily.InterNetworkV6 || address.IsIPv6LinkLocal || IPAddress.IsLoopback(address))
        {
            return address.ToString();
        }

        if (address.IsIPv4MappedToIPv6)
        {
            return address.MapToIPv4().ToString();
        }

        var bytes = address.GetAddressBytes();
        bytes.AsSpan(NetworkBytes).Clear();
        return new IPAddress(bytes).ToString();
    }

    private static RateLimitPartition<string> Bucket(string key, int refilled, int capacity, TimeSpan period) => refilled == 0
        ? RateLimitPartition.GetNoLimiter(key)
        : RateLimitPartition.GetTokenBucketLimiter(key, _ => new TokenBucketRateLimiterOptions { TokenLimit = capacity, TokensPerPeriod = refilled, ReplenishmentPeriod = period, QueueLimit = 0 });

    private static void TellWhen(HttpContext http, RateLimitLease lease)
    {
        var wait = lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? after : Second;
        http.Response.Headers.RetryAfter = Math.Max(1, (long)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
    }
}
