using Microsoft.AspNetCore.Http;

namespace Scissorhands.Coordinator.Access;

/// <summary>Who hands a request in.</summary>
/// <param name="Name">The principal, as the door has authenticated it.</param>
/// <param name="Tenant">Its tenant.</param>
internal sealed record Caller(string Name, string Tenant)
{
    /// <summary>Who sent a call, as its key or token says.</summary>
    public static Caller Of(HttpContext http) => new(http.User.Identity?.Name ?? "", http.User.FindFirst(ApiKeyHandler.TenantClaim)?.Value ?? "");
}

/// <summary>Callers that a door knows by name only, as the broker's users.</summary>
internal sealed class CallerDirectory(ApiKeyFile? keys, bool isOpen)
{
    /// <summary>The caller of a name: one with a key that may submit, or anybody where the service is open to all. Null for nobody.</summary>
    public Caller? Of(string name) => isOpen ? new Caller(name, "default") : keys?.Current.TenantOf(name, AccessScopes.Submit) is { } tenant ? new Caller(name, tenant) : null;
}
