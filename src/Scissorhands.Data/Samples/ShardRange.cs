using System.Globalization;
using System.Text.RegularExpressions;
using Scissorhands.Planning;

namespace Scissorhands.Data.Samples;

/// <summary>Names of shards as users of WebDataset write them: <c>train-{0000..0099}.tar</c>.</summary>
internal static class ShardRange
{
    private const int MaximumNames = 1_000_000;
    private const int MaximumDigits = 18;
    private static readonly Regex Range = new(@"\{([0-9]+)\.\.([0-9]+)\}", RegexOptions.CultureInvariant);

    /// <summary>Whether a pattern holds a range.</summary>
    public static bool IsOne(string pattern) => Range.IsMatch(pattern);

    /// <summary>The files it names, in name order.</summary>
    /// <exception cref="InputException">One of them does not exist, or they are too many.</exception>
    public static string[] Files(string pattern)
    {
        List<string> names = [pattern];
        while (Range.Match(names[0]) is { Success: true } range)
        {
            var (from, to) = (range.Groups[1].Value, range.Groups[2].Value);
            if (Math.Max(from.Length, to.Length) > MaximumDigits)
            {
                throw new InputException($"{pattern}: the numbers of '{range.Value}' are too long");
            }

            var (first, last) = (long.Parse(from, CultureInfo.InvariantCulture), long.Parse(to, CultureInfo.InvariantCulture));
            (first, last) = (Math.Min(first, last), Math.Max(first, last));
            if (last - first >= MaximumNames / names.Count)
            {
                throw new InputException($"{pattern}: names more than {MaximumNames} files");
            }

            // As shells do: a leading zero on either side means numbers of equal width.
            var width = (from.Length > 1 && from[0] == '0') || (to.Length > 1 && to[0] == '0') ? Math.Max(from.Length, to.Length) : 1;
            var numbers = Enumerable.Range(0, (int)(last - first) + 1).Select(i => (first + i).ToString(CultureInfo.InvariantCulture).PadLeft(width, '0')).ToArray();
            names = [.. names.SelectMany(name => numbers.Select(number => Range.Replace(name, number, 1)))];
        }

        var files = names.Select(Path.GetFullPath).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();
        return files.FirstOrDefault(f => !File.Exists(f)) is { } missing
            ? throw new InputException($"{pattern}: {missing} does not exist")
            : files;
    }
}
