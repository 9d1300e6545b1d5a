using System.Security.Cryptography;
using System.Text;
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
    private const int TypicalChunk = 1024;
    private const int MaximumChunk = 4096;
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

    /// <summary>
    /// Cuts the images into chunks, which are indexed and cached each for itself. Where to cut is told by the ids alone,
    /// so that an image that is changed, added or deleted concerns the chunk it lies in.
    /// </summary>
    public static IReadOnlyList<IReadOnlyList<(string Id, string Path)>> Chunks(IReadOnlyList<(string Id, string Path)> files)
    {
        var chunks = new List<IReadOnlyList<(string Id, string Path)>>();
        var chunk = new List<(string Id, string Path)>();
        foreach (var file in files)
        {
            if (chunk.Count > 0 && (chunk.Count == MaximumChunk || BeginsChunk(file.Id)))
            {
                chunks.Add(chunk);
                chunk = [];
            }

            chunk.Add(file);
        }

        chunks.Add(chunk);
        return chunks;
    }

    /// <summary>Reads and hashes images; their classes are yet to be numbered.</summary>
    public static SampleGroup Read(string source, string folder, string identity, IReadOnlyList<(string Id, string Path)> files, CancellationToken cancellationToken)
    {
        var entries = new SampleEntry[files.Count];
        SourceFile.ForEach(files.Count, i =>
        {
            var (id, path) = files[i];
            var bytes = SourceFile.Read(path, () => File.ReadAllBytes(path));
            entries[i] = new SampleEntry(id, 0, null, path, 0, bytes.Length, SampleHash.Of(bytes));
        }, cancellationToken);
        return new SampleGroup(source, folder, identity, ImageEncoding.Compressed, entries);
    }

    /// <summary>Gives samples their class numbers.</summary>
    public static SampleGroup Number(SampleGroup group, IReadOnlyList<string> classes)
    {
        var numbers = classes.Select((name, number) => (name, number)).ToDictionary(c => c.name, c => c.number, StringComparer.Ordinal);
        return group with
        {
            Entries = [.. group.Entries.Select(e => e with
            {
                Label = numbers.TryGetValue(ClassOf(group.Name, e.Id), out var number)
                    ? number
                    : throw new InputException($"{e.File}: its class folder appeared while the folder was read; open it again"),
            })],
        };
    }

    /// <summary>Checks that other data, whose numbers the folder is to get, knows all its classes.</summary>
    /// <exception cref="InputException">It does not know a class.</exception>
    public static void CheckKnown(string folder, IReadOnlyList<string> own, IReadOnlyList<string> others)
    {
        if (own.Except(others, StringComparer.Ordinal).FirstOrDefault() is { } unknown)
        {
            var known = string.Join(", ", others.Take(Named).Select(name => $"'{name}'"));
            throw new InputException($"{folder}: the class folder '{unknown}' is not among the {others.Count} classes of the training data ({known}{(others.Count > Named ? ", ..." : "")})");
        }
    }

    private static bool BeginsChunk(string id) => SHA256.HashData(Encoding.UTF8.GetBytes(id)) is [0, var second, ..] && second < 256 * 256 / TypicalChunk;

    private static bool IsImage(string path) => Extensions.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase);

    private static string ClassOf(string folder, string id)
    {
        var slash = id.IndexOf('/', StringComparison.Ordinal);
        return slash > 0 ? id[..slash] : throw new InputException($"{folder}: '{id}' lies in no class folder; expected FOLDER/CLASS/NAME.jpg");
    }
}
