namespace Scissorhands.Coordinator.Access;

/// <summary>Who hands a request in.</summary>
/// <param name="Name">The principal, as the door has authenticated it.</param>
/// <param name="Tenant">Its tenant.</param>
internal sealed record Caller(string Name, string Tenant);

/// <summary>Callers that a door knows by name only, as the broker's users.</summary>
internal sealed class CallerDirectory(ApiKeys? keys)
{
    /// <summary>The caller of a name: with the tenant of the key of the same name, where there is one.</summary>
    public Caller Of(string name) => new(name, keys?.TenantOf(name) ?? "default");
}
