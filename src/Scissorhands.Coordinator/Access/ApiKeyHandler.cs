using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Scissorhands.Coordinator.Access;

/// <summary>Who may call: with keys, those who send one; without, everybody who reaches the service, which then listens on this machine only.</summary>
public sealed class ApiKeyOptions : AuthenticationSchemeOptions
{
    /// <summary>Whether everybody may call.</summary>
    public bool IsOpen { get; set; }

    /// <summary>The keys; null for none, so that whoever calls needs something else to show.</summary>
    public ApiKeyFile? Keys { get; set; }
}

/// <summary>Authenticates callers by <c>Authorization: Bearer KEY</c>, and by a password where <see cref="KeyAsPassword"/> says so.</summary>
internal sealed class ApiKeyHandler(IOptionsMonitor<ApiKeyOptions> options, ILoggerFactory logger, UrlEncoder encoder) : AuthenticationHandler<ApiKeyOptions>(options, logger, encoder)
{
    public const string SchemeName = "key";
    public const string TenantClaim = "tenant";
    public const string ScopeClaim = "scope";
    private const string Prefix = "Bearer ";

    /// <summary>What a caller sends to show who it is; null where it sends nothing of the kind.</summary>
    public static string? Sent(HttpRequest request)
    {
        var header = request.Headers.Authorization.ToString();
        return header.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase) ? header[Prefix.Length..].Trim() : KeyAsPassword.Sent(request.HttpContext);
    }

    /// <summary>The scope that a call needs.</summary>
    public static string? ScopeOf(HttpContext http) => http.GetEndpoint()?.Metadata.GetOrderedMetadata<IAuthorizeData>().LastOrDefault(static data => data.Policy is not null)?.Policy;

    /// <summary>A caller as everything behind the door knows it.</summary>
    /// <param name="name">The principal.</param>
    /// <param name="tenant">Its tenant.</param>
    /// <param name="scopes">What it may do.</param>
    /// <param name="scheme">How it has shown who it is.</param>
    public static ClaimsPrincipal Principal(string name, string tenant, IEnumerable<string> scopes, string scheme)
    {
        var claims = new List<Claim> { new(ClaimTypes.Name, name), new(TenantClaim, tenant) };
        claims.AddRange(scopes.Select(static scope => new Claim(ScopeClaim, scope)));
        return new ClaimsPrincipal(new ClaimsIdentity(claims, scheme));
    }

    protected override Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (Options.IsOpen)
        {
            return Task.FromResult(Success(new ApiKey("local", "default", AccessScopes.All, "")));
        }

        if (Sent(Request) is not { } sent)
        {
            return Task.FromResult(AuthenticateResult.NoResult());
        }

        return Task.FromResult(Options.Keys?.Current.Find(sent) is { } key ? Success(key) : AuthenticateResult.Fail("nobody's key"));
    }

    protected override async Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        Response.StatusCode = StatusCodes.Status401Unauthorized;
        Response.Headers.WWWAuthenticate = KeyAsPassword.Challenge(Context) ?? "Bearer";

        // Nothing of the key that was sent: neither whose it is like nor what it lacks.
        await Response.WriteAsJsonAsync(new { error = Sent(Request) is null ? "a key or token is needed, in the header Authorization: Bearer KEY" : "the key is none of this coordinator's; `scissorhands key` adds one to its file of keys" });
    }

    protected override async Task HandleForbiddenAsync(AuthenticationProperties properties)
    {
        Response.StatusCode = StatusCodes.Status403Forbidden;
        await Response.WriteAsJsonAsync(new { error = $"this key has not the scope {ScopeOf(Context)}, which is needed" });
    }

    private static AuthenticateResult Success(ApiKey key) =>
        AuthenticateResult.Success(new AuthenticationTicket(Principal(key.Name, key.Tenant, key.Scopes, SchemeName), SchemeName));
}
