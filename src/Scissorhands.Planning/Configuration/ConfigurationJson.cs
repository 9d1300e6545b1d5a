using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Scissorhands.Planning.Configuration;

/// <summary>
/// The configuration as JSON with one canonical text: every key written, in declared order, numbers in the shortest form
/// that reads back to the same value. Equal configurations have equal text and hash.
/// </summary>
public static class ConfigurationJson
{
    /// <summary>Writes names and globs as they are; the text is never embedded in HTML unescaped.</summary>
    internal static JsonSerializerOptions Relaxed { get; } = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The canonical text for people: indented by two spaces, LF line ends, a final newline.</summary>
    /// <param name="configuration">The configuration.</param>
    /// <returns>The text, as written to <c>config.json</c>.</returns>
    public static string Canonical(RunConfiguration configuration)
    {
        return Encoding.UTF8.GetString(Write(configuration, indented: true).WrittenSpan) + "\n";
    }

    /// <summary>The canonical text without white space, of which <see cref="Hash"/> is the digest.</summary>
    /// <param name="configuration">The configuration.</param>
    /// <returns>The text.</returns>
    public static string Compact(RunConfiguration configuration) => Encoding.UTF8.GetString(Write(configuration, indented: false).WrittenSpan);

    /// <summary>Reads what <see cref="Canonical"/> wrote. Missing keys take their defaults.</summary>
    /// <param name="json">The JSON text.</param>
    /// <param name="source">The file that messages name.</param>
    /// <returns>The configuration, its values not yet validated.</returns>
    /// <exception cref="InputException">Not JSON, an unknown or repeated key, or a value of the wrong type.</exception>
    public static RunConfiguration Parse(string json, string source = "config.json")
    {
        return ConfigurationBinder.Bind([(source, ParseTree(json, source))], []);
    }

    /// <summary>Reads JSON into a tree, refusing repeated keys and nesting deeper than 16.</summary>
    /// <param name="json">The JSON text.</param>
    /// <param name="source">The file that messages name.</param>
    /// <returns>The tree, a layer for <see cref="ConfigurationBinder.Bind"/>.</returns>
    /// <exception cref="InputException">Not JSON; the message names the file and the line.</exception>
    public static JsonNode ParseTree(string json, string source)
    {
        try
        {
            var options = new JsonDocumentOptions { AllowDuplicateProperties = false, MaxDepth = 16 };
            return JsonNode.Parse(json, null, options) ?? throw new InputException($"{source}: expected a configuration of keys and values, found null");
        }
        catch (JsonException failure)
        {
            var line = failure.LineNumber is { } number ? $", line {number + 1}" : "";
            throw new InputException($"{source}{line}: not valid JSON: {failure.Message.ReplaceLineEndings(" ")}", failure);
        }
    }

    /// <summary>The SHA-256 of the canonical text without white space.</summary>
    /// <param name="configuration">The configuration.</param>
    /// <returns>64 lower-case hexadecimal digits.</returns>
    public static string Hash(RunConfiguration configuration)
    {
        return Convert.ToHexStringLower(SHA256.HashData(Write(configuration, indented: false).WrittenSpan));
    }

    private static ArrayBufferWriter<byte> Write(RunConfiguration configuration, bool indented)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        var buffer = new ArrayBufferWriter<byte>();
        var options = new JsonWriterOptions { Indented = indented, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using var writer = new Utf8JsonWriter(buffer, options);
        WriteSection(writer, configuration, ConfigurationKey.Root);
        writer.Flush();
        return buffer;
    }

    private static void WriteSection(Utf8JsonWriter writer, object record, IReadOnlyList<ConfigurationKey> keys)
    {
        writer.WriteStartObject();
        foreach (var key in keys)
        {
            writer.WritePropertyName(key.ShortName);
            var value = key.Property.GetValue(record)!;
            if (key.Children.Count > 0)
            {
                WriteSection(writer, value, key.Children);
            }
            else
            {
                WriteValue(writer, value);
            }
        }

        writer.WriteEndObject();
    }

    private static void WriteValue(Utf8JsonWriter writer, object value)
    {
        switch (value)
        {
            case string text:
                writer.WriteStringValue(text);
                break;
            case bool flag:
                writer.WriteBooleanValue(flag);
                break;
            case int number:
                writer.WriteNumberValue(number);
                break;
            case long number:
                writer.WriteNumberValue(number);
                break;
            case double number:
                writer.WriteNumberValue(number);
                break;
            case float number:
                writer.WriteNumberValue(number);
                break;
            case decimal number:
                writer.WriteNumberValue(ConfigurationValue.Normalize(number));
                break;
            default:
                writer.WriteStartArray();
                foreach (var item in (System.Collections.IEnumerable)value)
                {
                    WriteValue(writer, item);
                }

                writer.WriteEndArray();
                break;
        }
    }
}
