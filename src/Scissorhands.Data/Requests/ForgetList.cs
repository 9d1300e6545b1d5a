using System.Text.Json;
using Scissorhands.Data.Samples;
using Scissorhands.Data.Sources;
using Scissorhands.Planning;

namespace Scissorhands.Data.Requests;

/// <summary>One line of a forget list: a sample or a person.</summary>
/// <param name="Id">The sample's id; null where a subject is named.</param>
/// <param name="Subject">The person whose samples are all meant; null where an id is named.</param>
public sealed record ForgetEntry(string? Id, string? Subject);

/// <summary>What a forget list means within a data set.</summary>
/// <param name="Ordinals">The samples in list order, each once; a subject's samples in ordinal order.</param>
/// <param name="Unknown">Lines that name nothing in the data.</param>
public sealed record ForgetSelection(IReadOnlyList<int> Ordinals, int Unknown);

/// <summary>
/// Reads lists of what to forget: text with one id a line, or JSON lines <c>{"id": "..."}</c> and
/// <c>{"subject": "..."}</c>.
/// </summary>
public static class ForgetList
{
    private const int Named = 5;
    private const int ShownCharacters = 100;

    /// <summary>Reads a list.</summary>
    /// <param name="path">The file.</param>
    /// <returns>Its entries in order.</returns>
    /// <exception cref="InputException">Missing, unreadable, or a line of JSON that is none.</exception>
    public static IReadOnlyList<ForgetEntry> Read(string path)
    {
        if (!File.Exists(path))
        {
            throw new InputException($"{path}: no such file");
        }

        var entries = new List<ForgetEntry>();
        var number = 0;
        foreach (var raw in SourceFile.Read(path, () => File.ReadAllLines(path)))
        {
            number++;
            var line = raw.Trim();
            if (line.Length == 0)
            {
                continue;
            }

            entries.Add(line[0] == '{' ? Parse(path, number, line) : new ForgetEntry(line, null));
        }

        return entries;
    }

    /// <summary>Finds what a list names, for a run: it must name something, and leave something.</summary>
    /// <param name="entries">The list.</param>
    /// <param name="set">The training data.</param>
    /// <param name="ignoreUnknown">Whether entries that name nothing are left out.</param>
    /// <param name="source">The list's file, for messages.</param>
    /// <returns>The samples.</returns>
    /// <exception cref="InputException">Empty, unknown ids, or nothing left to retain.</exception>
    public static ForgetSelection Resolve(IReadOnlyList<ForgetEntry> entries, ISampleSet set, bool ignoreUnknown, string source)
    {
        ArgumentNullException.ThrowIfNull(entries);
        ArgumentNullException.ThrowIfNull(set);
        if (entries.Count == 0)
        {
            throw new InputException($"{source}: the forget list is empty");
        }

        var (ordinals, unknown) = Find(entries, set);
        if (unknown.Count > 0 && !ignoreUnknown)
        {
            var first = string.Join(", ", unknown.Take(Named).Select(u => Quote((u.Id ?? u.Subject)!)));
            throw new InputException($"{source}: {unknown.Count} of {entries.Count} entries are not in the data: {first}{(unknown.Count > Named ? ", ..." : "")}; {Advice(unknown, set)}leave them out with --ignore-unknown");
        }

        if (ordinals.Count == 0)
        {
            throw new InputException($"{source}: none of its {entries.Count} entries is in the data, so there is nothing to forget; {Advice(unknown, set)}check the list");
        }

        return ordinals.Count < set.Count
            ? new ForgetSelection(ordinals, unknown.Count)
            : throw new InputException($"{source}: the list covers all {set.Count} samples of the data; nothing would be left to repair the model on");
    }

    /// <summary>Finds what a list of earlier runs (tombstones) names; it may be empty, and name what is gone.</summary>
    /// <param name="entries">The list.</param>
    /// <param name="set">The training data.</param>
    /// <returns>The samples that are still in the data.</returns>
    public static ForgetSelection ResolveForgotten(IReadOnlyList<ForgetEntry> entries, ISampleSet set)
    {
        ArgumentNullException.ThrowIfNull(entries);
        ArgumentNullException.ThrowIfNull(set);
        var (ordinals, unknown) = Find(entries, set);
        return new ForgetSelection(ordinals, unknown.Count);
    }

    private static (List<int> Ordinals, List<ForgetEntry> Unknown) Find(IReadOnlyList<ForgetEntry> entries, ISampleSet set)
    {
        Dictionary<string, List<int>>? bySubject = null;
        var ordinals = new List<int>();
        var seen = new HashSet<int>();
        var unknown = new List<ForgetEntry>();
        foreach (var entry in entries)
        {
            if (entry.Id is { } id)
            {
                if (!set.TryFind(id, out var ordinal))
                {
                    unknown.Add(entry);
                }
                else if (seen.Add(ordinal))
                {
                    ordinals.Add(ordinal);
                }

                continue;
            }

            bySubject ??= Subjects(set);
            if (!bySubject.TryGetValue(entry.Subject!, out var samples))
            {
                unknown.Add(entry);
                continue;
            }

            ordinals.AddRange(samples.Where(seen.Add));
        }

        return (ordinals, unknown);
    }

    /// <summary>
    /// What ids look like here, and whether the unknown ones are known when written otherwise. Digits are not shown: the form
    /// of an id names nobody.
    /// </summary>
    private static string Advice(List<ForgetEntry> unknown, ISampleSet set)
    {
        string[] ids = [.. unknown.Select(static u => u.Id).OfType<string>()];
        if (ids.Length == 0 || set.Count == 0)
        {
            return "";
        }

        var form = Quote(string.Concat(set.Id(0).Select(static c => char.IsDigit(c) ? '#' : c)));
        var advice = $"ids here look like {form}; ";
        foreach (var (without, shorten) in ((string, Func<string, string>)[])[
            ("ending", WithoutEnding),
            ("folder", static id => id[(id.LastIndexOf('/') + 1)..]),
            ("folder and ending", static id => WithoutEnding(id[(id.LastIndexOf('/') + 1)..]))])
        {
            string[] found = [.. ids.Where(id => shorten(id) is { Length: > 0 } shorter && shorter.Length < id.Length && set.TryFind(shorter, out _))];
            if (found.Length > 0)
            {
                return $"{advice}{found.Length} of them {(found.Length == 1 ? "is" : "are")} when written without {without}: {Quote(shorten(found[0]))}, not {Quote(found[0])}; ";
            }
        }

        return advice;
    }

    private static string WithoutEnding(string id) => id.LastIndexOf('.') is var dot && dot > id.LastIndexOf('/') ? id[..dot] : id;

    // A file that is no list at all may hold anything: a line of megabytes, or bytes that move the terminal's cursor.
    private static string Quote(string name)
    {
        var shown = string.Concat(name.Take(ShownCharacters).Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c));
        return name.Length <= ShownCharacters ? $"'{shown}'" : $"'{shown}...' ({name.Length} characters)";
    }

    private static Dictionary<string, List<int>> Subjects(ISampleSet set)
    {
        var subjects = new Dictionary<string, List<int>>(StringComparer.Ordinal);
        for (var i = 0; i < set.Count; i++)
        {
            if (set.Subject(i) is { } subject)
            {
                if (!subjects.TryGetValue(subject, out var samples))
                {
                    subjects.Add(subject, samples = []);
                }

                samples.Add(i);
            }
        }

        return subjects;
    }

    private static ForgetEntry Parse(string path, int number, string line)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            var id = json.RootElement.TryGetProperty("id", out var i) && i.ValueKind == JsonValueKind.String ? i.GetString() : null;
            var subject = json.RootElement.TryGetProperty("subject", out var s) && s.ValueKind == JsonValueKind.String ? s.GetString() : null;
            return id is not null || subject is not null
                ? new ForgetEntry(id, id is null ? subject : null)
                : throw new InputException($"{path}: line {number} names neither \"id\" nor \"subject\"");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new InputException($"{path}: line {number} is not JSON ({e.Message})", e);
        }
    }
}
