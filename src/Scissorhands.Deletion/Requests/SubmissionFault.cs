using System.Reflection;
using System.Text.Json;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Deletion.Requests;

/// <summary>
/// Says which key of a request is at fault, and what would be right there. Never what was sent: values may be ids of samples, and
/// so may keys that do not look like any.
/// </summary>
internal static class SubmissionFault
{
    private const int LongestShown = 40;
    private static readonly Dictionary<string, Type> Keys = typeof(DeletionSubmission).GetProperties(BindingFlags.Public | BindingFlags.Instance)
        .ToDictionary(static p => JsonNamingPolicy.CamelCase.ConvertName(p.Name), static p => Nullable.GetUnderlyingType(p.PropertyType) ?? p.PropertyType, StringComparer.OrdinalIgnoreCase);

    /// <summary>Finds the first fault.</summary>
    /// <param name="json">What was sent, UTF-8.</param>
    /// <returns>A line that names the key; null where the text is no JSON, or no fault of a key.</returns>
    public static string? Find(ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json);
            using var document = JsonDocument.ParseValue(ref reader);
            return document.RootElement.ValueKind == JsonValueKind.Object ? InObject(document.RootElement) : $"the request: must be an object with the keys {string.Join(", ", Keys.Keys)}";
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private static string? InObject(JsonElement request)
    {
        var seen = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var property in request.EnumerateObject())
        {
            if (!Keys.TryGetValue(property.Name, out var type))
            {
                return $"the request: unknown key{Shown(property.Name)}; {(NearestName.Find(property.Name, Keys.Keys) is { } meant ? $"did you mean '{meant}'?" : $"there are {string.Join(", ", Keys.Keys)}")}";
            }

            if (!seen.Add(property.Name))
            {
                return $"the request: the key '{property.Name}' is given twice; keep one";
            }

            if (InValue(property.Value, type) is { } expected)
            {
                return $"{property.Name}{expected}";
            }
        }

        return null;
    }

    private static string? InValue(JsonElement value, Type type)
    {
        if (type == typeof(string))
        {
            return value.ValueKind is JsonValueKind.String or JsonValueKind.Null ? null : ": must be a text";
        }

        if (type == typeof(bool))
        {
            return value.ValueKind is JsonValueKind.True or JsonValueKind.False ? null : ": must be true or false, without quotes";
        }

        if (type == typeof(DateTimeOffset))
        {
            return value.ValueKind == JsonValueKind.Null || (value.ValueKind == JsonValueKind.String && value.TryGetDateTimeOffset(out _))
                ? null
                : ": must be a time as ISO 8601 writes it, such as \"2030-01-31T12:00:00Z\" or \"2030-01-31T13:00:00+01:00\"";
        }

        if (value.ValueKind != JsonValueKind.Array)
        {
            return ": must be a list of texts";
        }

        var odd = value.EnumerateArray().TakeWhile(static item => item.ValueKind is JsonValueKind.String or JsonValueKind.Null).Count();
        return odd < value.GetArrayLength() ? $"[{odd}]: must be a text" : null;
    }

    private static string Shown(string name) => name.Length <= LongestShown && name.All(static c => char.IsAsciiLetter(c) || c == '_') ? $" '{name}'" : "";
}
