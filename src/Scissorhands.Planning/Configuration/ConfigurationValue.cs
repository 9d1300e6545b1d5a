using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Scissorhands.Planning.Configuration;

/// <summary>Turns JSON nodes and the text of <c>--set</c> into typed values of a configuration key.</summary>
internal static class ConfigurationValue
{
    // The largest precision at which every decimal number of so many digits is exact in System.Decimal.
    private const int DecimalDigits = 28;

    /// <summary>Reads a node of a file. Strings and numbers are not confused: <c>"5"</c> is no number.</summary>
    public static object FromNode(ConfigurationKey key, JsonNode? node, string source)
    {
        object? value = null;
        if (ItemType(key.Property.PropertyType) is { } item)
        {
            if (node is JsonArray array)
            {
                value = List(item, array.Select(element => Scalar(item, element)).ToList());
            }
        }
        else
        {
            value = Scalar(key.Property.PropertyType, node);
        }

        return value ?? throw WrongType(key, ConfigurationBinder.Show(node), source);
    }

    /// <summary>Reads the text after <c>KEY=</c>; the key's type decides how.</summary>
    public static object FromText(ConfigurationKey key, string text, string source)
    {
        object? value = null;
        if (ItemType(key.Property.PropertyType) is { } item)
        {
            if (Items(text) is { } items)
            {
                value = List(item, items.ConvertAll(part => Parse(item, part)));
            }
        }
        else
        {
            value = Parse(key.Property.PropertyType, Unquote(text));
        }

        return value ?? throw WrongType(key, text, source);
    }

    private static InputException WrongType(ConfigurationKey key, string shown, string source)
    {
        var line = shown.ReplaceLineEndings(" ");
        var precision = key.Property.PropertyType == typeof(decimal) ? $" of at most {DecimalDigits} digits" : "";
        return new InputException($"{source}: configuration key '{key.Name}' must be {key.Expected}{precision}, not {line}");
    }

    private static Type? ItemType(Type type)
    {
        return type.IsGenericType ? type.GetGenericArguments()[0] : null;
    }

    private static object? Scalar(Type type, JsonNode? node)
    {
        return node?.GetValueKind() switch
        {
            JsonValueKind.String when type == typeof(string) => node.GetValue<string>(),
            JsonValueKind.True when type == typeof(bool) => true,
            JsonValueKind.False when type == typeof(bool) => false,
            // The number's own text, so that a decimal never passes through a double.
            JsonValueKind.Number when type != typeof(string) && type != typeof(bool) => Parse(type, node.ToJsonString()),
            _ => null,
        };
    }

    private static object? Parse(Type type, string text)
    {
        var culture = CultureInfo.InvariantCulture;
        if (type == typeof(string))
        {
            return text;
        }

        if (type == typeof(bool))
        {
            return bool.TryParse(text, out var flag) ? flag : null;
        }

        if (type == typeof(int))
        {
            return int.TryParse(text, NumberStyles.AllowLeadingSign, culture, out var number) ? number : null;
        }

        if (type == typeof(long))
        {
            return long.TryParse(text, NumberStyles.AllowLeadingSign, culture, out var number) ? number : null;
        }

        if (type == typeof(double))
        {
            return double.TryParse(text, NumberStyles.Float, culture, out var number) && double.IsFinite(number) ? number : null;
        }

        if (type == typeof(float))
        {
            return float.TryParse(text, NumberStyles.Float, culture, out var number) && float.IsFinite(number) ? number : null;
        }

        return ExactDecimal(text);
    }

    private static decimal? ExactDecimal(string text)
    {
        const NumberStyles Style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        if (text.Length > 100 || !decimal.TryParse(text, Style, CultureInfo.InvariantCulture, out var value))
        {
            return null;
        }

        // decimal.Parse rounds what does not fit; a rounded fraction would select another number of weights.
        var exponentAt = text.IndexOfAny(['e', 'E']);
        var mantissa = exponentAt < 0 ? text : text[..exponentAt];
        var exponent = 0;
        if (exponentAt >= 0 && !int.TryParse(text[(exponentAt + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out exponent))
        {
            return null;
        }

        var point = mantissa.IndexOf('.', StringComparison.Ordinal);
        var scale = (point < 0 ? 0L : mantissa.Length - point - 1) - exponent;
        var digits = BigInteger.Parse(mantissa.Replace(".", "", StringComparison.Ordinal), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        while (!digits.IsZero && digits % 10 == 0)
        {
            digits /= 10;
            scale--;
        }

        var exact = digits.IsZero || (scale <= DecimalDigits && BigInteger.Abs(digits) < BigInteger.Pow(10, DecimalDigits));
        return exact ? Normalize(value) : null;
    }

    /// <summary>Drops trailing zeros, so that 0.030 and 0.03 are written alike.</summary>
    public static decimal Normalize(decimal value)
    {
        return value / 1.0000000000000000000000000000m;
    }

    private static Array? List(Type item, List<object?> values)
    {
        if (values.Contains(null))
        {
            return null;
        }

        var array = Array.CreateInstance(item, values.Count);
        for (var i = 0; i < values.Count; i++)
        {
            array.SetValue(values[i], i);
        }

        return array;
    }

    /// <summary>The items of <c>[a,"b,c"]</c>, or null where the brackets or quotes do not match.</summary>
    private static List<string>? Items(string text)
    {
        if (text.Length < 2 || text[0] != '[' || text[^1] != ']')
        {
            return null;
        }

        var inner = text[1..^1];
        var items = new List<string>();
        if (string.IsNullOrWhiteSpace(inner))
        {
            return items;
        }

        var item = new StringBuilder();
        var quote = '\0';
        foreach (var c in inner)
        {
            if (quote == '\0' && c == ',')
            {
                items.Add(Unquote(item.ToString().Trim()));
                item.Clear();
                continue;
            }

            if (quote == c)
            {
                quote = '\0';
            }
            else if (quote == '\0' && c is '"' or '\'')
            {
                quote = c;
            }

            item.Append(c);
        }

        items.Add(Unquote(item.ToString().Trim()));
        return quote == '\0' ? items : null;
    }

    private static string Unquote(string text)
    {
        return text.Length >= 2 && text[0] is '"' or '\'' && text[^1] == text[0] ? text[1..^1] : text;
    }
}
