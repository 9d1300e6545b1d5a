using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Scissorhands.Planning;

namespace Scissorhands.Coordinator.Access;

/// <summary>A caller's key as the service keeps it: its hash.</summary>
/// <param name="Name">The caller: the principal of its requests.</param>
/// <param name="Tenant">Whose requests it sees, and whose audit chain they are written to.</param>
/// <param name="Scopes">What it may do: <see cref="AccessScopes"/>.</param>
/// <param name="Sha256">SHA-256 of the key, lower-case hex. Keys are random and long, so that no slower hash is needed.</param>
public sealed record ApiKey(string Name, string Tenant, IReadOnlyList<string> Scopes, string Sha256);

/// <summary>The keys that callers may use.</summary>
public sealed class ApiKeys
{
    private const int KeyBytes = 32;
    private const int MaximumBytes = 1 << 20;

    /// <summary>A coordinator that reads the file must not keep `scissorhands key` from adding to it, nor the other way round.</summary>
    internal const FileShare Sharing = FileShare.ReadWrite | FileShare.Delete;
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web) { UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true };
    private readonly Dictionary<string, ApiKey> _keys;

    private ApiKeys(Dictionary<string, ApiKey> keys)
    {
        _keys = keys;
    }

    /// <summary>Reads a file of keys: JSON lines of <see cref="ApiKey"/>, as <see cref="New"/> makes them.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The keys.</returns>
    /// <exception cref="InputException">Missing, unreadable, or a line that is no key; names file and line.</exception>
    public static ApiKeys Read(string path)
    {
        string[] lines;
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, Sharing);
            using var text = new StreamReader(file);
            lines = file.Length <= MaximumBytes ? text.ReadToEnd().ReplaceLineEndings("\n").Split('\n') : throw new InputException($"{path}: larger than {MaximumBytes} bytes; is this a file of keys?");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: cannot be read ({e.Message})", e);
        }

        var keys = new Dictionary<string, ApiKey>(StringComparer.Ordinal);
        for (var i = 0; i < lines.Length; i++)
        {
            if (string.IsNullOrWhiteSpace(lines[i]))
            {
                continue;
            }

            ApiKey? key;
            try
            {
                key = JsonSerializer.Deserialize<ApiKey>(lines[i], Options);
            }
            catch (JsonException)
            {
                key = null;
            }

            if (key is null || key.Name.Length == 0 || key.Tenant.Length == 0 || key.Sha256.Length != 64 || !key.Sha256.All(char.IsAsciiHexDigitLower))
            {
                throw new InputException($"{path}, line {i + 1}: not a key; `scissorhands key` makes such lines");
            }

            if (key.Name.Contains(OidcOptions.PrincipalSeparator, StringComparison.Ordinal))
            {
                throw new InputException($"{path}, line {i + 1}: a key's name must not hold '{OidcOptions.PrincipalSeparator}', which is in the names of callers with tokens");
            }

            if (key.Scopes.Except(AccessScopes.All, StringComparer.Ordinal).FirstOrDefault() is { } unknown)
            {
                throw new InputException($"{path}, line {i + 1}: scope {unknown} is none of {string.Join(", ", AccessScopes.All)}");
            }

            if (keys.Values.FirstOrDefault(other => other.Name == key.Name && other.Tenant != key.Tenant) is { } other)
            {
                throw new InputException($"{path}, line {i + 1}: {key.Name} is a caller of tenant {other.Tenant} already; a name is of one tenant only");
            }

            if (!keys.TryAdd(key.Sha256, key))
            {
                throw new InputException($"{path}, line {i + 1}: this key is there already");
            }
        }

        return keys.Count > 0 ? new ApiKeys(keys) : throw new InputException($"{path}: holds no key; `scissorhands key` makes one");
    }

    /// <summary>The tenant of a caller who has a key in a file; null where it has none.</summary>
    /// <param name="path">The file; an empty one holds no keys.</param>
    /// <param name="name">The caller.</param>
    /// <exception cref="InputException">As of <see cref="Read"/>.</exception>
    public static string? TenantIn(string path, string name) => new FileInfo(path).Length > 0 ? Read(path)._keys.Values.FirstOrDefault(key => key.Name == name)?.Tenant : null;

    /// <summary>Makes a key.</summary>
    /// <param name="name">The caller.</param>
    /// <param name="tenant">Its tenant.</param>
    /// <param name="scopes">What it may do.</param>
    /// <returns>The key, which is shown once, and the line for the file.</returns>
    public static (string Key, string Line) New(string name, string tenant, IReadOnlyList<string> scopes)
    {
        var key = "sh_" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(KeyBytes));
        return (key, JsonSerializer.Serialize(new ApiKey(name, tenant, scopes, HashOf(key)), Options));
    }

    /// <summary>Whose key it is.</summary>
    /// <param name="key">The key as it was sent.</param>
    /// <returns>The caller, or null where it is nobody's.</returns>
    public ApiKey? Find(string key) => _keys.GetValueOrDefault(HashOf(key));

    /// <summary>The tenant of a caller who has a key with a scope. A name is of one tenant only.</summary>
    /// <param name="name">The caller.</param>
    /// <param name="scope">The scope.</param>
    /// <returns>The tenant, or null where the caller has no such key.</returns>
    public string? TenantOf(string name, string scope) => _keys.Values.FirstOrDefault(key => key.Name == name && key.Scopes.Contains(scope, StringComparer.Ordinal))?.Tenant;

    private static string HashOf(string key) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));
}

/// <summary>What a caller may be allowed to do.</summary>
public static class AccessScopes
{
    /// <summary>Hand in deletion requests and see its tenant's.</summary>
    public const string Submit = "submit";

    /// <summary>Register models, hold, retry and roll back, submit and cancel runs.</summary>
    public const string Operate = "operate";

    /// <summary>Read its tenant's audit chain and certificates.</summary>
    public const string Audit = "audit";

    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> All { get; } = [Submit, Operate, Audit];
}
