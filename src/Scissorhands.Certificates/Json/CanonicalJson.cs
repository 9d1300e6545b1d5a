using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Scissorhands.Certificates.Json;

/// <summary>
/// The canonical form of JSON that RFC 8785 (JCS) describes: no white space, members by the UTF-16 code units of their names,
/// numbers as ECMAScript writes them, and only those characters escaped that must be. Equal values have equal bytes.
/// </summary>
internal static class CanonicalJson
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Writes a value in its canonical form.</summary>
    /// <param name="value">The value.</param>
    /// <returns>UTF-8 bytes.</returns>
    /// <exception cref="FormatException">A number that is not finite as a double, or half of a surrogate pair.</exception>
    public static byte[] Write(JsonElement value)
    {
        var buffer = new ArrayBufferWriter<byte>();
        Write(buffer, value);
        return buffer.WrittenSpan.ToArray();
    }

    private static void Write(ArrayBufferWriter<byte> buffer, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                WriteObject(buffer, value);
                break;
            case JsonValueKind.Array:
                buffer.Write("["u8);
                var first = true;
                foreach (var item in value.EnumerateArray())
                {
                    if (!first)
                    {
                        buffer.Write(","u8);
                    }

                    first = false;
                    Write(buffer, item);
                }

                buffer.Write("]"u8);
                break;
            case JsonValueKind.String:
                WriteString(buffer, Text(value));
                break;
            case JsonValueKind.Number:
                if (!value.TryGetDouble(out var number) || !double.IsFinite(number))
                {
                    throw new FormatException("a number is too large");
                }

                buffer.Write(Encoding.ASCII.GetBytes(EcmaScriptNumber.Format(number)));
                break;
            case JsonValueKind.True:
                buffer.Write("true"u8);
                break;
            case JsonValueKind.False:
                buffer.Write("false"u8);
                break;
            case JsonValueKind.Null:
                buffer.Write("null"u8);
                break;
            default:
                throw new ArgumentException("no value", nameof(value));
        }
    }

    private static void WriteObject(ArrayBufferWriter<byte> buffer, JsonElement value)
    {
        var members = new List<(string Name, JsonElement Value)>();
        foreach (var member in value.EnumerateObject())
        {
            members.Add((Name(member), member.Value));
        }

        // Ordinal comparison is by UTF-16 code units, as the RFC has it.
        members.Sort(static (a, b) => string.CompareOrdinal(a.Name, b.Name));
        buffer.Write("{"u8);
        for (var i = 0; i < members.Count; i++)
        {
            if (i > 0)
            {
                buffer.Write(","u8);
            }

            WriteString(buffer, members[i].Name);
            buffer.Write(":"u8);
            Write(buffer, members[i].Value);
        }

        buffer.Write("}"u8);
    }

    private static void WriteString(ArrayBufferWriter<byte> buffer, string text)
    {
        var escaped = new StringBuilder(text.Length + 2).Append('"');
        foreach (var character in text)
        {
            _ = character switch
            {
                '"' => escaped.Append("\\\""),
                '\\' => escaped.Append("\\\\"),
                '\b' => escaped.Append("\\b"),
                '\t' => escaped.Append("\\t"),
                '\n' => escaped.Append("\\n"),
                '\f' => escaped.Append("\\f"),
                '\r' => escaped.Append("\\r"),
                < ' ' => escaped.Append("\\u").Append(((int)character).ToString("x4", CultureInfo.InvariantCulture)),
                _ => escaped.Append(character),
            };
        }

        try
        {
            buffer.Write(Strict.GetBytes(escaped.Append('"').ToString()));
        }
        catch (EncoderFallbackException failure)
        {
            throw new FormatException("a string holds half of a surrogate pair", failure);
        }
    }

    private static string Text(JsonElement value)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException failure)
        {
            throw new FormatException("a string holds half of a surrogate pair", failure);
        }
    }

    private static string Name(JsonProperty member)
    {
        try
        {
            return member.Name;
        }
        catch (InvalidOperationException failure)
        {
            throw new FormatException("a name holds half of a surrogate pair", failure);
        }
    }
}
