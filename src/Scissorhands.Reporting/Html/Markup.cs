using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;

namespace Scissorhands.Reporting.Html;

/// <summary>
/// Builds markup that is at once HTML and well-formed XML. Interpolated holes are escaped unless they are markup
/// themselves, so that unescaped text cannot get in by oversight.
/// </summary>
internal sealed class Markup
{
    private readonly StringBuilder _text = new();

    /// <summary>Appends markup; holes are escaped.</summary>
    public Markup Add(FormattableString markup)
    {
        _text.Append(markup.ToString(EscapingFormat.Instance));
        return this;
    }

    /// <summary>Appends markup and a line feed; holes are escaped.</summary>
    public Markup Line(FormattableString markup)
    {
        Add(markup);
        _text.Append('\n');
        return this;
    }

    /// <summary>Appends finished markup.</summary>
    public Markup Add(Markup markup)
    {
        _text.Append(markup._text);
        return this;
    }

    /// <inheritdoc/>
    public override string ToString()
    {
        return _text.ToString();
    }

    /// <summary>
    /// Escapes text. Control and formatting characters are shown as the replacement character: they are not allowed in XML,
    /// or reorder what the reader sees (right-to-left overrides in a file name).
    /// </summary>
    public static string Escape(string text)
    {
        var visible = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            var hidden = Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format
                or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.OtherNotAssigned;
            visible.Append(hidden ? Rune.ReplacementChar : rune);
        }

        return HtmlEncoder.Default.Encode(visible.ToString());
    }

    private sealed class EscapingFormat : IFormatProvider, ICustomFormatter
    {
        public static EscapingFormat Instance { get; } = new();

        public object? GetFormat(Type? formatType)
        {
            return formatType == typeof(ICustomFormatter) ? this : CultureInfo.InvariantCulture.GetFormat(formatType);
        }

        public string Format(string? format, object? arg, IFormatProvider? formatProvider)
        {
            return arg switch
            {
                null => "",
                Markup markup => markup.ToString(),
                // Coordinates: a hundredth of a pixel is enough, and the text is the same on every machine.
                double number => number.ToString(format ?? "0.##", CultureInfo.InvariantCulture),
                IFormattable value => Escape(value.ToString(format, CultureInfo.InvariantCulture)),
                _ => Escape(arg.ToString() ?? ""),
            };
        }
    }
}
