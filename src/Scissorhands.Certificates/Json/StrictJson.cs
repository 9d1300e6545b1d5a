using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Unicode;
using Scissorhands.Planning;

namespace Scissorhands.Certificates.Json;

/// <summary>
/// Reads bytes that nobody vouches for: of limited length and depth, without repeated or unknown names, and only in the one
/// canonical form, so that no two files mean the same and every changed byte shows.
/// </summary>
internal static class StrictJson
{
    /// <summary>Levels of nesting; a statement has six.</summary>
    public const int MaximumDepth = 16;

    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        AllowDuplicateProperties = false,
        MaxDepth = MaximumDepth,
        Converters = { new UtcTimeConverter(), new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false) },
    };

    /// <summary>Writes a record in canonical form; what is null is left out.</summary>
    /// <typeparam name="T">The record's type.</typeparam>
    /// <param name="value">The record.</param>
    /// <returns>UTF-8 bytes.</returns>
    public static byte[] Write<T>(T value) where T : class => CanonicalJson.Write(JsonSerializer.SerializeToElement(value, Options));

    /// <summary>Reads a record.</summary>
    /// <typeparam name="T">The record's type.</typeparam>
    /// <param name="bytes">The bytes.</param>
    /// <param name="maximumBytes">Most that are read.</param>
    /// <param name="source">What messages name: the file, and the line or part of it.</param>
    /// <returns>The record, whose canonical form is <paramref name="bytes"/>.</returns>
    /// <exception cref="InputException">The bytes are anything else.</exception>
    public static T Read<T>(ReadOnlyMemory<byte> bytes, int maximumBytes, string source) where T : class
    {
        if (bytes.Length > maximumBytes)
        {
            throw new InputException($"{source}: {bytes.Length} bytes long, at most {maximumBytes} are read");
        }

        if (!Utf8.IsValid(bytes.Span))
        {
            throw new InputException($"{source}: not valid UTF-8");
        }

        try
        {
            using var document = JsonDocument.Parse(bytes, new JsonDocumentOptions { MaxDepth = MaximumDepth, AllowDuplicateProperties = false });
            RefuseNull(document.RootElement, source);
            RequireCanonical(bytes.Span, CanonicalJson.Write(document.RootElement), source);
            var value = document.RootElement.Deserialize<T>(Options) ?? throw new InputException($"{source}: null");

            // Values that a converter reads in more than one notation: only the one it writes counts.
            RequireCanonical(bytes.Span, Write(value), source);
            return value;
        }
        catch (JsonException failure)
        {
            // Its own message is written for programmers, and says the place once more.
            var place = string.IsNullOrEmpty(failure.Path) ? "" : $", at {failure.Path}";
            var reason = failure.Message.Split([" Path: ", " LineNumber: "], StringSplitOptions.None)[0].ReplaceLineEndings(" ");
            throw new InputException($"{source}: not the JSON that is expected, line {failure.LineNumber + 1}, byte {failure.BytePositionInLine + 1}{place}; was the file cut short or changed? ({reason})", failure);
        }
        catch (Exception failure) when (failure is FormatException or InvalidOperationException or ArgumentException or NotSupportedException)
        {
            throw new InputException($"{source}: {failure.Message.ReplaceLineEndings(" ")}", failure);
        }
    }

    // What is not there is left out, so null would be a second way to say it.
    private static void RefuseNull(JsonElement value, string source)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Null:
                throw new InputException($"{source}: holds null, which nothing here may be");
            case JsonValueKind.Object:
                foreach (var member in value.EnumerateObject())
                {
                    RefuseNull(member.Value, source);
                }

                break;
            case JsonValueKind.Array:
                foreach (var item in value.EnumerateArray())
                {
                    RefuseNull(item, source);
                }

                break;
        }
    }

    private static void RequireCanonical(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> canonical, string source)
    {
        if (!bytes.SequenceEqual(canonical))
        {
            throw new InputException($"{source}: not in canonical form (RFC 8785): differs from it at byte {bytes.CommonPrefixLength(canonical)}");
        }
    }
}
