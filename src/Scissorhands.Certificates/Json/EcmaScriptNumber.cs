using System.Globalization;
using System.Text;

namespace Scissorhands.Certificates.Json;

/// <summary>Numbers as ECMAScript writes them (ECMA-262, Number::toString), which RFC 8785 takes over.</summary>
internal static class EcmaScriptNumber
{
    // Decimal exponents between which ECMAScript writes no exponent.
    private const int LargestPlain = 21;
    private const int SmallestPlain = -6;

    /// <summary>Writes a number with the fewest digits that lead back to it.</summary>
    /// <param name="value">A finite number; minus zero is written as zero.</param>
    /// <returns>ASCII text.</returns>
    public static string Format(double value)
    {
        if (!double.IsFinite(value))
        {
            throw new ArgumentOutOfRangeException(nameof(value), value, "JSON knows no such number");
        }

        if (value == 0)
        {
            return "0";
        }

        var (digits, exponent) = Decompose(Math.Abs(value));
        var text = new StringBuilder();
        if (value < 0)
        {
            text.Append('-');
        }

        // The value is 0.DIGITS times ten to the power of the exponent.
        var count = digits.Length;
        if (exponent is > SmallestPlain and <= 0)
        {
            text.Append("0.").Append('0', -exponent).Append(digits);
        }
        else if (exponent > 0 && exponent <= LargestPlain)
        {
            if (count <= exponent)
            {
                text.Append(digits).Append('0', exponent - count);
            }
            else
            {
                text.Append(digits, 0, exponent).Append('.').Append(digits, exponent, count - exponent);
            }
        }
        else
        {
            text.Append(digits[0]);
            if (count > 1)
            {
                text.Append('.').Append(digits, 1, count - 1);
            }

            text.Append('e').Append(exponent > 0 ? '+' : '-').Append(Math.Abs(exponent - 1).ToString(CultureInfo.InvariantCulture));
        }

        return text.ToString();
    }

    private static (string Digits, int Exponent) Decompose(double value)
    {
        // The platform's shortest round-trip digits, in whichever notation it chose.
        var text = value.ToString("R", CultureInfo.InvariantCulture);
        var mark = text.IndexOf('E', StringComparison.Ordinal);
        var exponent = mark < 0 ? 0 : int.Parse(text.AsSpan(mark + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        var mantissa = mark < 0 ? text : text[..mark];
        var point = mantissa.IndexOf('.', StringComparison.Ordinal);
        var digits = point < 0 ? mantissa : mantissa.Remove(point, 1);
        exponent += point < 0 ? mantissa.Length : point;
        var leading = digits.Length - digits.TrimStart('0').Length;
        return (digits[leading..].TrimEnd('0'), exponent - leading);
    }
}
