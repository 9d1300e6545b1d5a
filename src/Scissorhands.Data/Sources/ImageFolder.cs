using Scissorhands.Planning;

namespace Scissorhands.Data.Sources;

/// <summary>
/// Indexes a folder with one sub-folder a class: FOLDER/CLASS/NAME.jpg. Classes are numbered in ordinal order of their
/// folders' names, whether a folder holds images or not; folders whose name begins with a dot are no classes. A sample's
/// id is its path relative to the folder, with forward slashes.
/// </summary>
internal static class ImageFolder
{
    private const int Named = 5;
    private static readonly string[] Extensions = [".jpg", ".jpeg", ".png"];

    /// <summary>The classes in the order of their numbers.</summary>
    public static IReadOnlyList<string> Classes(string folder) => SourceFile.Read<IReadOnlyList<string>>(folder, () =>
        [.. Directory.EnumerateDirectories(folder).Select(path => Path.GetFileName(path)).Where(name => name[0] != '.').Order(StringComparer.Ordinal)]);

    /// <summary>The images of a folder in the order of their ids.</summary>
    public static IReadOnlyList<(string Id, string Path)> List(string folder) => SourceFile.Read<IReadOnlyList<(string Id, string Path)>>(folder, () =>
        [.. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Where(IsImage)
            .Select(path => (Id: Path.GetRelativePath(folder, path).Replace(Path.DirectorySeparatorChar, '/'), Path: path))
            .Where(f => f.Id[0] != '.')
            .OrderBy(f => f.Id, StringComparer.Ordinal)]);

    /// <summary>Reads and hashes images.</summary>
    public static SampleGroup Read(string folder, string identity, IReadOnlyList<string> classes, IReadOnlyList<(string Id, string Path)> files, CancellationToken cancellationToken)
    {
        var numbers = Numbers(classes);
        var entries = new SampleEntry[files.Count];
        SourceFile.ForEach(files.Count, i =>
        {
            var (id, path) = files[i];
            var label = numbers.TryGetValue(ClassOf(folder, id), out var number) ? number : throw new InputException($"{path}: its class folder appeared while the folder was read; open it again");
            var bytes = SourceFile.Read(path, () => File.ReadAllBytes(path));
            entries[i] = new SampleEntry(id, label, null, path, 0, bytes.Length, SampleHash.Of(bytes));
        }, cancellationToken);
        return new SampleGroup(folder, identity, ImageEncoding.Compressed, entries);
    }

    /// <summary>Numbers a folder's samples as other data numbers its classes.</summary>
    /// <exception cref="InputException">The other data does not know a class.</exception>
    public static SampleGroup Renumber(SampleGroup group, IReadOnlyList<string> own, IReadOnlyList<string> others)
    {
        var numbers = Numbers(others);
        if (own.FirstOrDefault(name => !numbers.ContainsKey(name)) is { } unknown)
        {
            var known = string.Join(", ", others.Take(Named).Select(name => $"'{name}'"));
            throw new InputException($"{group.Name}: the class folder '{unknown}' is not among the {others.Count} classes of the training data ({known}{(others.Count > Named ? ", ..." : "")})");
        }

        return group with { Entries = [.. group.Entries.Select(e => e with { Label = numbers[own[e.Label]] })] };
    }

    private static bool IsImage(string path) => Extensions.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase);

    private static Dictionary<string, int> Numbers(IReadOnlyList<string> classes) =>
        classes.Select((name, number) => (name, number)).ToDictionary(c => c.name, c => c.number, StringComparer.Ordinal);

    private static string ClassOf(string folder, string id)
    {
        var slash = id.IndexOf('/', StringComparison.Ordinal);
        return slash > 0 ? id[..slash] : throw new InputException($"{folder}: '{id}' lies in no class folder; expected FOLDER/CLASS/NAME.jpg");
    }
}
