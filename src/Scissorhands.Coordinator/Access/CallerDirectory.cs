namespace Scissorhands.Coordinator.Access;

/// <summary>Who hands a request in.</summary>
/// <param name="Name">The principal, as the door has authenticated it.</param>
/// <param name="Tenant">Its tenant.</param>
internal sealed record Caller(string Name, string Tenant);

/// <summary>Callers that a door knows by name only, as the broker's users.</summary>
internal sealed class CallerDirectory(ApiKeys? keys)
{
    /// <summary>The caller of a name: with keys, of one that may submit; without, anybody. Null for nobody.</summary>
    public Caller? Of(string name) => keys is null ? new Caller(name, "default") : keys.TenantOf(name, AccessScopes.Submit) is { } tenant ? new Caller(name, tenant) : null;
}
