using System.Collections;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Deletion.Batching;

/// <summary>Reads a policy from a tree of keys and values, and says of a wrong one what would be right.</summary>
public static class PolicyReader
{
    private const string Root = "policy";

    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web)
    {
        RespectNullableAnnotations = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    /// <summary>Reads a policy.</summary>
    /// <param name="tree">The tree, as of a YAML or JSON file.</param>
    /// <param name="source">What messages name.</param>
    /// <returns>The policy, its values checked.</returns>
    /// <exception cref="InputException">A key is not known, or a value is not of its form or out of its bounds: names source and key, and what is expected.</exception>
    public static DeletionPolicy Read(JsonNode? tree, string source)
    {
        CheckSection(tree, typeof(DeletionPolicy), source, Root);
        try
        {
            var policy = tree.Deserialize<DeletionPolicy>(Options)!;
            policy.Validate();
            return policy;
        }
        catch (JsonException e)
        {
            throw new InputException($"{source}: {Root}{e.Path?.TrimStart('$')}: is missing, or not of its form", e);
        }
        catch (InputException e)
        {
            throw new InputException($"{source}: {e.Message}", e);
        }
    }

    private static void CheckSection(JsonNode? node, Type type, string source, string key)
    {
        var known = type.GetProperties(BindingFlags.Public | BindingFlags.Instance).ToDictionary(static p => JsonNamingPolicy.CamelCase.ConvertName(p.Name), StringComparer.OrdinalIgnoreCase);
        if (node is not JsonObject section)
        {
            throw new InputException($"{source}: {key}: must be a section with the keys {string.Join(", ", known.Keys)}, not {Shown(node)}");
        }

        foreach (var (name, value) in section)
        {
            var full = $"{key}.{name}";
            if (!known.TryGetValue(name, out var property))
            {
                throw new InputException($"{source}: unknown key '{full}'; {(NearestName.Find(name, known.Keys) is { } meant ? $"did you mean '{meant}'?" : $"{key} has {string.Join(", ", known.Keys)}")}");
            }

            CheckValue(value, property.PropertyType, source, full);
        }
    }

    private static void CheckValue(JsonNode? value, Type type, string source, string key)
    {
        var plain = Nullable.GetUnderlyingType(type) ?? type;
        if (plain.IsGenericType && typeof(IEnumerable).IsAssignableFrom(plain))
        {
            var items = value as JsonArray ?? throw new InputException($"{source}: {key}: must be a list, not {Shown(value)}");
            for (var i = 0; i < items.Count; i++)
            {
                CheckValue(items[i], plain.GenericTypeArguments[0], source, $"{key}[{i}]");
            }
        }
        else if (plain.IsClass && plain.Assembly == typeof(DeletionPolicy).Assembly)
        {
            CheckSection(value, plain, source, key);
        }
        else if (value is not null || (plain == type && type.IsValueType))
        {
            CheckPlain(value, plain, source, key);
        }
    }

    private static void CheckPlain(JsonNode? value, Type type, string source, string key)
    {
        try
        {
            if (value is not null && (type != typeof(TimeSpan) || value.GetValueKind() == JsonValueKind.String) && value.Deserialize(type, Options) is not null && !(type.IsEnum && value.GetValueKind() != JsonValueKind.String))
            {
                return;
            }
        }
        catch (JsonException)
        {
            // Said below, in the words of this file's readers.
        }

        throw new InputException($"{source}: {key}: must be {Expected(type)}, not {Shown(value)}");
    }

    private static string Expected(Type type) =>
        type == typeof(TimeSpan) ? "a duration as days.hours:minutes:seconds, such as \"01:30:00\" or \"3.00:00:00\""
        : type == typeof(TimeOnly) ? "a time of day (UTC), such as \"22:00\""
        : type == typeof(int) ? "a whole number"
        : type == typeof(double) ? "a number"
        : type == typeof(JsonObject) ? "a section of configuration keys"
        : type.IsEnum ? $"one of {string.Join(", ", Enum.GetNames(type).Select(JsonNamingPolicy.CamelCase.ConvertName))}"
        : "a text";

    private static string Shown(JsonNode? node)
    {
        const int Most = 60;
        var text = node?.ToJsonString() ?? "nothing";
        return text.Length <= Most ? text : text[..Most] + "...";
    }
}
