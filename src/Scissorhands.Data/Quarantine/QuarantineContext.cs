using Scissorhands.Data.Sources;
using Scissorhands.Planning;

namespace Scissorhands.Data.Quarantine;

/// <summary>What a data set said of the samples that were copied from it, beyond what it said of each.</summary>
/// <param name="Encoding">How their images are stored.</param>
/// <param name="Classes">Names of all of its classes, in ordinal order; null where it names none.</param>
/// <param name="Rows">Of CIFAR files, by name, how many rows they had: a row's id is its place. Null for other data.</param>
internal sealed record QuarantineContext(ImageEncoding Encoding, IReadOnlyList<string>? Classes, IReadOnlyDictionary<string, int>? Rows)
{
    /// <summary>What groups of a data set, and its classes, say.</summary>
    /// <exception cref="InputException">Their images are stored in several ways.</exception>
    public static QuarantineContext Of(IReadOnlyList<SampleGroup> groups, IReadOnlyList<string>? classes)
    {
        var encoding = groups.First(static g => g.Entries.Count > 0).Encoding;
        if (groups.FirstOrDefault(g => g.Entries.Count > 0 && g.Encoding != encoding) is { } other)
        {
            throw new InputException($"{other.Name}: is of another kind than the rest of the data; name shards or CIFAR files, not both");
        }

        var rows = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var group in encoding == ImageEncoding.Planar ? groups : [])
        {
            rows.TryAdd(Path.GetFileName(group.Name), group.Entries.Count);
        }

        return new QuarantineContext(encoding, classes, encoding == ImageEncoding.Planar ? rows : null);
    }

    /// <summary>What two copies, made at different times, say together.</summary>
    /// <exception cref="InputException">They are of different data.</exception>
    public QuarantineContext With(QuarantineContext other, string path)
    {
        if (other.Encoding != Encoding || other.Classes is null != Classes is null || other.Rows is null != Rows is null)
        {
            throw new InputException($"{path}: the quarantine is of other data than the rest");
        }

        var rows = Rows is null ? null : new Dictionary<string, int>(Rows, StringComparer.Ordinal);
        foreach (var (file, count) in other.Rows ?? new Dictionary<string, int>())
        {
            if (!rows!.TryAdd(file, count) && rows[file] != count)
            {
                throw Moved(file, count, rows[file]);
            }
        }

        return this with { Classes = Union(Classes, other.Classes), Rows = rows };
    }

    /// <summary>Checks that ids still mean what they meant: rows of a CIFAR file are found by their place.</summary>
    /// <exception cref="InputException">A file has more rows or fewer.</exception>
    public void CheckPlaces(IEnumerable<SampleGroup> groups)
    {
        foreach (var group in groups)
        {
            if (Rows?.TryGetValue(Path.GetFileName(group.Name), out var count) == true && count != group.Entries.Count)
            {
                throw Moved(group.Name, count, group.Entries.Count);
            }
        }
    }

    /// <summary>Class names of both, in ordinal order; null where neither names any.</summary>
    public static IReadOnlyList<string>? Union(IReadOnlyList<string>? one, IReadOnlyList<string>? other) =>
        one is null ? other : other is null ? one : [.. one.Union(other, StringComparer.Ordinal).Order(StringComparer.Ordinal)];

    private static InputException Moved(string file, int before, int now) =>
        new($"{file}: had {before} rows when samples of it were copied and has {now}; ids of CIFAR rows are their places, so erase a row by overwriting it, not by taking it out");
}
