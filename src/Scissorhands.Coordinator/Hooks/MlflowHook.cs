using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Scissorhands.Deletion.Models;
using Scissorhands.Grains.Deletion;
using Scissorhands.Grains.Store;
using Scissorhands.Planning;

namespace Scissorhands.Coordinator.Hooks;

/// <summary>
/// Enters published versions in an MLflow registry: the registered model where it is missing, a model version with tags, and
/// the alias. Each is looked for before it is made, so that an attempt whose answer was lost is found done. The alias never
/// goes back: an event that comes late finds a newer version there.
/// </summary>
internal sealed class MlflowHook : IPublicationHook
{
    private const string EventTag = "scissorhands.event";
    private const string VersionTag = "scissorhands.version";
    private const int LargestToken = 16 << 10;
    private readonly HttpClient _http = HookHttp.Create();
    private readonly HookOptions _options;
    private readonly IDeletionStore _store;

    /// <summary>Creates the hook.</summary>
    /// <param name="options">The hook.</param>
    /// <param name="store">Knows where versions lie.</param>
    /// <exception cref="InputException">The token's file cannot be read.</exception>
    public MlflowHook(HookOptions options, IDeletionStore store)
    {
        _options = options;
        _store = store;
        var url = options.Url!.ToString();
        _http.BaseAddress = new Uri(url.EndsWith('/') ? url : url + "/");
        if (options.SecretFile is { } file)
        {
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Token(file));
        }
    }

    public string Name => _options.Name;

    public async Task DeliverAsync(HookEvent told, CancellationToken ct)
    {
        var number = (int)told.Data["version"]!;
        var versions = await _store.VersionsAsync(told.Subject, ct);
        var source = Source(versions.Single(v => v.Number == number));
        var (created, error) = await PostAsync("registered-models/create", new JsonObject { ["name"] = told.Subject }, ct);
        if (created is null && error != "RESOURCE_ALREADY_EXISTS")
        {
            throw new HookRefusedException($"registered-models/create: {error}");
        }

        var entered = await FindAsync(told, ct) ?? await EnterAsync(told, source, number, ct);
        if (_options.Alias is { } alias && await AliasedAsync(told.Subject, alias, ct) is var there && !(there > number))
        {
            await MustPostAsync("registered-models/alias", new JsonObject { ["name"] = told.Subject, ["alias"] = alias, ["version"] = entered }, ct);
        }
    }

    public ValueTask DisposeAsync()
    {
        _http.Dispose();
        return ValueTask.CompletedTask;
    }

    private static string Token(string path)
    {
        try
        {
            return new FileInfo(path).Length <= LargestToken && File.ReadAllText(path).Trim() is { Length: > 0 } token && token.All(static c => c is > ' ' and <= '~')
                ? token
                : throw new InputException($"{path}: must hold a bearer token: one line of printable characters");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: cannot be read ({e.Message})", e);
        }
    }

    private string Source(ModelVersion version)
    {
        var folder = Path.GetDirectoryName(version.File)!;
        return _options.Source is { } source
            ? source.Replace("{model}", version.Model, StringComparison.Ordinal).Replace("{version}", Path.GetFileName(folder), StringComparison.Ordinal)
            : new Uri(folder).AbsoluteUri;
    }

    private async Task<string?> FindAsync(HookEvent told, CancellationToken ct)
    {
        const int PageSize = 200;
        for (string? page = null; ;)
        {
            // Names are letters, digits and a few signs: nothing to escape in the filter.
            var query = string.Create(CultureInfo.InvariantCulture, $"model-versions/search?max_results={PageSize}&filter={Uri.EscapeDataString($"name='{told.Subject}'")}");
            var found = await MustGetAsync(page is null ? query : $"{query}&page_token={Uri.EscapeDataString(page)}", ct);
            if (found["model_versions"]?.AsArray().FirstOrDefault(v => TagOf(v, EventTag) == told.Id) is { } version)
            {
                return TextOf(version["version"]);
            }

            page = (string?)found["next_page_token"];
            if (string.IsNullOrEmpty(page))
            {
                return null;
            }
        }
    }

    private async Task<string> EnterAsync(HookEvent told, string source, int number, CancellationToken ct)
    {
        var tags = new (string Key, string? Value)[]
        {
            (EventTag, told.Id),
            (VersionTag, number.ToString(CultureInfo.InvariantCulture)),
            ("scissorhands.sha256", (string?)told.Data["sha256"]),
            ("scissorhands.run", (string?)told.Data["run"]),
            ("scissorhands.batch", TextOf(told.Data["batch"])),
            ("scissorhands.requests", told.Data["requests"]!.AsArray().Count.ToString(CultureInfo.InvariantCulture)),
            ("scissorhands.certificateSha256", (string?)told.Data["certificateSha256"]),
        };
        var body = new JsonObject
        {
            ["name"] = told.Subject,
            ["source"] = source,
            ["tags"] = new JsonArray([.. tags.Select(static t => new JsonObject { ["key"] = t.Key, ["value"] = t.Value })]),
        };
        var answer = await MustPostAsync("model-versions/create", body, ct);
        return TextOf(answer["model_version"]?["version"]) ?? throw new HookRefusedException("model-versions/create: the answer names no version");
    }

    /// <summary>The version of this service that an alias points at; null where it points at none.</summary>
    private async Task<int?> AliasedAsync(string model, string alias, CancellationToken ct)
    {
        var (answer, error) = await ReadAsync(await _http.GetAsync($"api/2.0/mlflow/registered-models/alias?name={Uri.EscapeDataString(model)}&alias={Uri.EscapeDataString(alias)}", ct), ct);
        if (answer is null && error is not ("RESOURCE_DOES_NOT_EXIST" or "INVALID_PARAMETER_VALUE"))
        {
            // An alias that is missing is answered with the one or the other, by release.
            throw new HookRefusedException($"registered-models/alias: {error}");
        }

        return int.TryParse(TagOf(answer?["model_version"], VersionTag), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
    }

    private static string? TagOf(JsonNode? version, string key) => (string?)version?["tags"]?.AsArray().FirstOrDefault(t => (string?)t?["key"] == key)?["value"];

    // Versions are numbers to some releases and texts to others.
    private static string? TextOf(JsonNode? value) => value?.ToString();

    private async Task<JsonNode> MustGetAsync(string path, CancellationToken ct)
    {
        var (answer, error) = await ReadAsync(await _http.GetAsync("api/2.0/mlflow/" + path, ct), ct);
        return answer ?? throw new HookRefusedException($"{path.Split('?')[0]}: {error}");
    }

    private async Task<JsonNode> MustPostAsync(string path, JsonObject body, CancellationToken ct)
    {
        var (answer, error) = await PostAsync(path, body, ct);
        return answer ?? throw new HookRefusedException($"{path}: {error}");
    }

    private async Task<(JsonNode? Answer, string? Error)> PostAsync(string path, JsonObject body, CancellationToken ct) =>
        await ReadAsync(await _http.PostAsJsonAsync("api/2.0/mlflow/" + path, body, ct), ct);

    private static async Task<(JsonNode? Answer, string? Error)> ReadAsync(HttpResponseMessage response, CancellationToken ct)
    {
        using (response)
        {
            JsonNode? body = null;
            try
            {
                body = await response.Content.ReadFromJsonAsync<JsonNode>(ct);
            }
            catch (JsonException) when (!response.IsSuccessStatusCode)
            {
                // A proxy's page: its status says enough.
            }

            return response.IsSuccessStatusCode
                ? (body ?? new JsonObject(), null)
                : (null, body is JsonObject said && said["error_code"] is JsonValue code && code.TryGetValue<string>(out var text) ? text : string.Create(CultureInfo.InvariantCulture, $"it answers {(int)response.StatusCode}"));
        }
    }
}
