using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.IdentityModel.Tokens;

namespace Scissorhands.Coordinator.Access;

/// <summary>Authenticates callers by an issuer's tokens: <c>Authorization: Bearer TOKEN</c>, a signed JWT.</summary>
internal static class OidcTokens
{
    public const string SchemeName = "oidc";

    /// <summary>The scheme that tells keys from tokens.</summary>
    public const string SelectorName = "keyOrToken";

    // As long as OpenID Connect lets a subject be.
    private const int LongestSubject = 255;
    private const int LongestTenant = 128;
    private const string RetryAfterSeconds = "2";

    // Asymmetric ones only: with a shared secret whoever checks tokens could make them.
    private static readonly string[] Algorithms =
    [
        SecurityAlgorithms.RsaSha256, SecurityAlgorithms.RsaSha384, SecurityAlgorithms.RsaSha512,
        SecurityAlgorithms.RsaSsaPssSha256, SecurityAlgorithms.RsaSsaPssSha384, SecurityAlgorithms.RsaSsaPssSha512,
        SecurityAlgorithms.EcdsaSha256, SecurityAlgorithms.EcdsaSha384, SecurityAlgorithms.EcdsaSha512,
    ];

    /// <summary>Adds tokens beside keys.</summary>
    public static AuthenticationBuilder AddTokens(this AuthenticationBuilder authentication, OidcOptions options)
    {
        // A token has three parts with dots between them, which no key has.
        authentication.AddPolicyScheme(SelectorName, null, selector => selector.ForwardDefaultSelector = static http =>
            ApiKeyHandler.Sent(http.Request)?.AsSpan().Count('.') == 2 ? SchemeName : ApiKeyHandler.SchemeName);
        return authentication.AddJwtBearer(SchemeName, jwt =>
        {
            jwt.Authority = options.Authority.ToString().TrimEnd('/');
            jwt.RequireHttpsMetadata = options.Authority.Scheme == Uri.UriSchemeHttps;
            jwt.MapInboundClaims = false;
            jwt.TokenValidationParameters = new TokenValidationParameters
            {
                ValidAudience = options.Audience,
                ValidAlgorithms = Algorithms,
                ClockSkew = options.ClockSkew,
            };
            jwt.Events = new JwtBearerEvents
            {
                OnMessageReceived = AskIssuerAsync,
                OnTokenValidated = context => Admit(context, options),
                OnChallenge = RefuseAsync,
                OnForbidden = static context =>
                {
                    context.Response.StatusCode = StatusCodes.Status403Forbidden;
                    return context.Response.WriteAsJsonAsync(new { error = $"this token has not the scope {ApiKeyHandler.ScopeOf(context.HttpContext)}, which is needed" });
                },
            };
        });
    }

    // Otherwise an issuer that does not answer would look like a token with a wrong signature. What it said is kept for hours.
    private static async Task AskIssuerAsync(MessageReceivedContext context)
    {
        context.Token = ApiKeyHandler.Sent(context.Request);
        try
        {
            await context.Options.ConfigurationManager!.GetConfigurationAsync(context.HttpContext.RequestAborted);
        }
        catch (InvalidOperationException e)
        {
            context.Fail(new IssuerAwayException(e));
        }
    }

    private static Task Admit(TokenValidatedContext context, OidcOptions options)
    {
        var token = context.Principal!;
        if (Single(token, "sub", LongestSubject) is not { } subject || Single(token, "iss", int.MaxValue) is not { } issuer)
        {
            context.Fail(new TokenRefusedException("it names no subject"));
        }
        else if ((options.TenantClaim is { } claim ? Single(token, claim, LongestTenant) : OidcOptions.DefaultTenant) is not { } tenant)
        {
            // Not the default tenant: that one's requests are not for whoever has none.
            context.Fail(new TokenRefusedException($"it names no tenant (claim {options.TenantClaim})"));
        }
        else
        {
            // Some issuers write a list, others one text with blanks.
            var scopes = token.Claims.Where(static c => c.Type is "scope" or "scp").SelectMany(static c => c.Value.Split(' ')).Intersect(AccessScopes.All, StringComparer.Ordinal);
            context.Principal = ApiKeyHandler.Principal(issuer + OidcOptions.PrincipalSeparator + subject, tenant, scopes, SchemeName);
        }

        return Task.CompletedTask;
    }

    private static string? Single(ClaimsPrincipal token, string claim, int longest) =>
        token.FindAll(claim).Select(static c => c.Value).ToArray() is [{ Length: > 0 } value] && value.Length <= longest && !value.Any(char.IsControl) ? value : null;

    private static async Task RefuseAsync(JwtBearerChallengeContext context)
    {
        context.HandleResponse();
        if (context.AuthenticateFailure is IssuerAwayException)
        {
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            context.Response.Headers.RetryAfter = RetryAfterSeconds;
            await context.Response.WriteAsJsonAsync(new { error = "the issuer of tokens does not answer at the moment; ask again" });
            return;
        }

        context.Response.StatusCode = StatusCodes.Status401Unauthorized;
        context.Response.Headers.WWWAuthenticate = KeyAsPassword.Challenge(context.HttpContext) ?? "Bearer error=\"invalid_token\"";
        await context.Response.WriteAsJsonAsync(new { error = "the token is not accepted: " + Reason(context.AuthenticateFailure) });
    }

    // The library's own messages name keys and values; callers need to know which check it was.
    private static string Reason(Exception? failure) => failure switch
    {
        TokenRefusedException refused => refused.Message,
        SecurityTokenExpiredException => "it has expired",
        SecurityTokenNotYetValidException => "it is not valid yet",
        SecurityTokenNoExpirationException => "it never expires",
        SecurityTokenInvalidLifetimeException => "its times contradict each other",
        SecurityTokenInvalidAudienceException => "it was made for another service (aud)",
        SecurityTokenInvalidIssuerException => "it is another issuer's (iss)",
        SecurityTokenInvalidAlgorithmException => "its algorithm is none that is taken",
        SecurityTokenInvalidSignatureException or SecurityTokenSignatureKeyNotFoundException => "its signature is not the issuer's",
        _ => "it cannot be read",
    };

    private sealed class IssuerAwayException(Exception inner) : Exception("the issuer does not answer", inner);

    private sealed class TokenRefusedException(string message) : Exception(message);
}
