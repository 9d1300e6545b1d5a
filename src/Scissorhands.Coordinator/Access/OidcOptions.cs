using Scissorhands.Planning;

namespace Scissorhands.Coordinator.Access;

/// <summary>The issuer of tokens (OpenID Connect) whose word on callers is taken.</summary>
public sealed record OidcOptions
{
    /// <summary>Stands between issuer and subject in a principal, and in no name of a key: so the two never name the same caller.</summary>
    public const string PrincipalSeparator = "|";

    /// <summary>The tenant of callers where no claim names it.</summary>
    public const string DefaultTenant = "default";

    /// <summary>The issuer: its discovery document is at <c>/.well-known/openid-configuration</c> below.</summary>
    public required Uri Authority { get; init; }

    /// <summary>What tokens for this service name as their audience (<c>aud</c>).</summary>
    public required string Audience { get; init; }

    /// <summary>The claim that names the caller's tenant; a token without it is refused. Default: none, all are of the tenant <c>default</c>.</summary>
    public string? TenantClaim { get; init; }

    /// <summary>How far the issuer's clock may be off. Default: 1 minute.</summary>
    public TimeSpan ClockSkew { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Reads the options of the command line.</summary>
    /// <param name="authority"><c>--oidc-authority</c>.</param>
    /// <param name="audience"><c>--oidc-audience</c>.</param>
    /// <param name="tenantClaim"><c>--oidc-tenant-claim</c>.</param>
    /// <returns>The options; null where none was given.</returns>
    /// <exception cref="InputException">One is missing that the others need, or the authority is no address that keys may be fetched from.</exception>
    public static OidcOptions? Parse(string? authority, string? audience, string? tenantClaim)
    {
        if (authority is null && audience is null && tenantClaim is null)
        {
            return null;
        }

        if (string.IsNullOrWhiteSpace(authority))
        {
            throw new InputException($"--oidc-authority: missing; {(audience is null ? "--oidc-tenant-claim" : "--oidc-audience")} needs it");
        }

        if (!Uri.TryCreate(authority, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https") || address.Query.Length > 0 || address.Fragment.Length > 0 || address.UserInfo.Length > 0)
        {
            throw new InputException($"--oidc-authority {authority}: must be an address such as https://login.example.org/realm");
        }

        if (address.Scheme == "http" && !address.IsLoopback)
        {
            throw new InputException($"--oidc-authority {authority}: must be https, or whoever is on the way could put keys of its own in");
        }

        return new OidcOptions
        {
            Authority = address,
            Audience = !string.IsNullOrWhiteSpace(audience) ? audience : throw new InputException("--oidc-audience: missing; without it tokens made for other services would be taken"),
            TenantClaim = tenantClaim is not "" ? tenantClaim : throw new InputException("--oidc-tenant-claim: is empty"),
        };
    }
}
