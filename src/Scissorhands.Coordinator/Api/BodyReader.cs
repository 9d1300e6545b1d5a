using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Scissorhands.Deletion.Batching;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Coordinator.Api;

/// <summary>Reads what operators send, and says of a wrong body which key is at fault and what would be right there.</summary>
internal static class BodyReader
{
    /// <summary>Reads a body.</summary>
    /// <param name="request">The call; its body is as large as the server takes at most.</param>
    /// <param name="options">How it is read.</param>
    /// <param name="ct">Ends the reading.</param>
    /// <typeparam name="T">What it is.</typeparam>
    /// <returns>The body.</returns>
    /// <exception cref="InputException">Not JSON, an unknown key, or a value that is not of its form: names the key.</exception>
    public static async Task<T> ReadAsync<T>(HttpRequest request, JsonSerializerOptions options, CancellationToken ct)
        where T : class
    {
        using var buffer = new MemoryStream();
        await request.Body.CopyToAsync(buffer, ct);
        var json = buffer.GetBuffer().AsMemory(0, (int)buffer.Length);
        var keys = typeof(T).GetProperties(BindingFlags.Public | BindingFlags.Instance).ToDictionary(static p => JsonNamingPolicy.CamelCase.ConvertName(p.Name), static p => p.PropertyType, StringComparer.OrdinalIgnoreCase);
        try
        {
            return JsonSerializer.Deserialize<T>(json.Span, options) ?? throw new InputException(NoObject(keys));
        }
        catch (JsonException e)
        {
            throw new InputException(Fault(json.Span, keys, options) ?? $"the body: not the JSON that is expected, line {e.LineNumber + 1}");
        }
    }

    private static string? Fault(ReadOnlySpan<byte> json, Dictionary<string, Type> keys, JsonSerializerOptions options)
    {
        try
        {
            var reader = new Utf8JsonReader(json);
            if (JsonNode.Parse(ref reader) is not JsonObject body)
            {
                return NoObject(keys);
            }

            foreach (var (key, value) in body)
            {
                if (!keys.TryGetValue(key, out var type))
                {
                    return $"the body: unknown key '{key}'; {(NearestName.Find(key, keys.Keys) is { } meant ? $"did you mean '{meant}'?" : $"there are {string.Join(", ", keys.Keys)}")}";
                }

                if (type == typeof(DeletionPolicy))
                {
                    PolicyReader.Read(value, "the body");
                }
                else if (!IsOf(value, type, options))
                {
                    return $"{key}: must be {Expected(Nullable.GetUnderlyingType(type) ?? type)}";
                }
            }

            return null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentException)
        {
            return null;
        }
    }

    private static bool IsOf(JsonNode? value, Type type, JsonSerializerOptions options)
    {
        try
        {
            return value.Deserialize(type, options) is not null || value is null;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static string NoObject(Dictionary<string, Type> keys) => $"the body: must be an object with the keys {string.Join(", ", keys.Keys)}";

    private static string Expected(Type type) =>
        type == typeof(string) ? "a text"
        : type == typeof(int) ? "a whole number"
        : type == typeof(bool) ? "true or false, without quotes"
        : type == typeof(DateTimeOffset) ? "a time as ISO 8601 writes it, such as \"2030-01-31T12:00:00Z\""
        : "a section of keys and values";
}
