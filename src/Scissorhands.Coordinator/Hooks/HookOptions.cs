using System.Globalization;
using System.Text.Json.Nodes;
using Scissorhands.Deletion.Requests;
using Scissorhands.Grains.Deletion;
using Scissorhands.Planning;

namespace Scissorhands.Coordinator.Hooks;

/// <summary>How a hook is told.</summary>
public enum HookKind
{
    /// <summary>By a signed HTTP request.</summary>
    Webhook,

    /// <summary>By a message in the virtual host that deletion requests arrive in.</summary>
    RabbitMq,

    /// <summary>By a model version in an MLflow registry.</summary>
    Mlflow,
}

/// <summary>A hook as the file of hooks describes it.</summary>
public sealed record HookOptions
{
    /// <summary>Its name: with it, what is on its way to it is found again after a restart.</summary>
    public required string Name { get; init; }

    /// <summary>How it is told.</summary>
    public required HookKind Kind { get; init; }

    /// <summary>Its address; null for <see cref="HookKind.RabbitMq"/>.</summary>
    public Uri? Url { get; init; }

    /// <summary>The types it is told of. Default: all; of an MLflow registry, published versions only.</summary>
    public IReadOnlyList<string> Events { get; init; } = PublicationEvents.Types;

    /// <summary>File with the secret: a webhook's signing secrets, or an MLflow registry's bearer token; null for none.</summary>
    public string? SecretFile { get; init; }

    /// <summary>MLflow: the alias that follows the newest version. Default: none.</summary>
    public string? Alias { get; init; }

    /// <summary>MLflow: where the registry finds a version's files, with <c>{model}</c> and <c>{version}</c> (the folder's name, such as v0003) in it. Default: the folder as a file URI, which registries accept only where they are configured so.</summary>
    public string? Source { get; init; }

    /// <summary>The wait after the first failed attempt; each further one is twice as long. Default: 5 seconds.</summary>
    public TimeSpan RetryAfter { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The longest wait between attempts, which never end. Default: 1 hour.</summary>
    public TimeSpan LongestRetry { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Reads the content of a file of hooks.</summary>
    /// <param name="file">The file's tree.</param>
    /// <param name="source">The file's path, for messages.</param>
    /// <returns>The hooks.</returns>
    /// <exception cref="InputException">A key that is not known, is missing or has a wrong value: names file, hook and key.</exception>
    public static IReadOnlyList<HookOptions> Read(JsonNode file, string source)
    {
        if (file is not JsonObject root || root["hooks"] is not JsonArray list || root.Count != 1)
        {
            throw new InputException($"{source}: expected one key, hooks, with a list of hooks");
        }

        var hooks = new List<HookOptions>();
        for (var i = 0; i < list.Count; i++)
        {
            var hook = Read(list[i] as JsonObject, string.Create(CultureInfo.InvariantCulture, $"{source}: hooks[{i}]"));
            hooks.Add(hooks.All(h => h.Name != hook.Name) ? hook : throw new InputException($"{source}: hooks[{i}].name: there is a hook {hook.Name} already"));
        }

        return hooks;
    }

    private static HookOptions Read(JsonObject? hook, string at)
    {
        if (hook is null)
        {
            throw new InputException($"{at}: expected keys and values");
        }

        var name = Text(hook, "name", at) ?? throw new InputException($"{at}.name: missing");
        ModelName.Check($"{at}.name", name);
        var kind = Text(hook, "kind", at) switch
        {
            "webhook" => HookKind.Webhook,
            "rabbitmq" => HookKind.RabbitMq,
            "mlflow" => HookKind.Mlflow,
            _ => throw new InputException($"{at}.kind: must be webhook, rabbitmq or mlflow"),
        };
        string[] known = ["name", "kind", "events", "retrySeconds", "longestRetrySeconds", .. KeysOf(kind)];
        if (hook.FirstOrDefault(k => !known.Contains(k.Key, StringComparer.Ordinal)).Key is { } unknown)
        {
            throw new InputException($"{at}.{unknown}: not known; a hook of this kind has {string.Join(", ", known)}");
        }

        var secret = Text(hook, "secretFile", at);
        var options = new HookOptions
        {
            Name = name,
            Kind = kind,
            Url = kind == HookKind.RabbitMq ? null : Address(hook, at, mustBePrivate: kind == HookKind.Webhook || secret is not null),
            Events = Types(hook, kind, at),
            SecretFile = secret,
            Alias = Text(hook, "alias", at),
            Source = Text(hook, "source", at),
            RetryAfter = Seconds(hook, "retrySeconds", at) ?? TimeSpan.FromSeconds(5),
            LongestRetry = Seconds(hook, "longestRetrySeconds", at) ?? TimeSpan.FromHours(1),
        };
        if (options.LongestRetry < options.RetryAfter)
        {
            throw new InputException($"{at}.longestRetrySeconds: must not be shorter than retrySeconds");
        }

        return kind != HookKind.Webhook || secret is not null
            ? options
            : throw new InputException($"{at}.secretFile: missing; it holds the secret that the receiver checks signatures with, as whsec_ and Base64");
    }

    private static string[] KeysOf(HookKind kind) => kind switch
    {
        HookKind.Webhook => ["url", "secretFile"],
        HookKind.Mlflow => ["url", "secretFile", "alias", "source"],
        _ => [],
    };

    private static Uri Address(JsonObject hook, string at, bool mustBePrivate)
    {
        // Not shown in messages: what follows the host may be a secret.
        if (Text(hook, "url", at) is not { } text || !Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https") || url.UserInfo.Length > 0)
        {
            throw new InputException($"{at}.url: must be an address such as https://example.org/hook, without user name and password");
        }

        return url.Scheme == "https" || url.IsLoopback || !mustBePrivate ? url : throw new InputException($"{at}.url: must begin with https://, for what is sent must not be read or changed on its way");
    }

    private static IReadOnlyList<string> Types(JsonObject hook, HookKind kind, string at)
    {
        IReadOnlyList<string> possible = kind == HookKind.Mlflow ? [PublicationEvents.ModelPublished] : PublicationEvents.Types;
        if (!hook.TryGetPropertyValue("events", out var given))
        {
            return possible;
        }

        var types = given is JsonArray list ? list.Select(static t => t is JsonValue v && v.TryGetValue<string>(out var text) ? text : "").ToArray() : [];
        return types.Length > 0 && types.All(t => possible.Contains(t, StringComparer.Ordinal)) ? types : throw new InputException($"{at}.events: must be a list of {string.Join(", ", possible)}");
    }

    private static string? Text(JsonObject hook, string key, string at)
    {
        if (!hook.TryGetPropertyValue(key, out var value))
        {
            return null;
        }

        return value is JsonValue text && text.TryGetValue<string>(out var read) && read.Length > 0 ? read : throw new InputException($"{at}.{key}: must be a text");
    }

    private static TimeSpan? Seconds(JsonObject hook, string key, string at)
    {
        const double Most = 7 * 24 * 3600;
        if (!hook.TryGetPropertyValue(key, out var value))
        {
            return null;
        }

        return value is JsonValue number && number.GetValueKind() == System.Text.Json.JsonValueKind.Number && double.TryParse(number.ToJsonString(), CultureInfo.InvariantCulture, out var seconds) && seconds is >= 0.1 and <= Most
            ? TimeSpan.FromSeconds(seconds)
            : throw new InputException($"{at}.{key}: must be a number of seconds between 0.1 and {Most}");
    }
}
