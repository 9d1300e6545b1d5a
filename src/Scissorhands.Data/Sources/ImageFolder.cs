using Scissorhands.Planning;

namespace Scissorhands.Data.Sources;

/// <summary>
/// Indexes a folder with one sub-folder a class: FOLDER/CLASS/NAME.jpg. Classes are numbered in ordinal order of their
/// names; a sample's id is its path relative to the folder, with forward slashes.
/// </summary>
internal static class ImageFolder
{
    private static readonly string[] Extensions = [".jpg", ".jpeg", ".png"];

    /// <summary>Whether a file name is that of an image.</summary>
    public static bool IsImage(string path) => Extensions.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase);

    /// <summary>The images of a folder in the order of their ids.</summary>
    public static IReadOnlyList<(string Id, string Path)> List(string folder) => SourceFile.Read<IReadOnlyList<(string Id, string Path)>>(folder, () =>
        [.. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Where(IsImage)
            .Select(path => (Id: Path.GetRelativePath(folder, path).Replace(Path.DirectorySeparatorChar, '/'), Path: path))
            .OrderBy(f => f.Id, StringComparer.Ordinal)]);

    /// <summary>Reads and hashes the images.</summary>
    public static SampleGroup Read(string folder, string identity, CancellationToken cancellationToken)
    {
        var files = List(folder);
        var classes = files.Select(f => ClassOf(folder, f.Id)).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();
        var entries = new List<SampleEntry>(files.Count);
        foreach (var (id, path) in files)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var bytes = SourceFile.Read(path, () => File.ReadAllBytes(path));
            entries.Add(new SampleEntry(id, Array.BinarySearch(classes, ClassOf(folder, id), StringComparer.Ordinal), null, path, 0, bytes.Length, SampleHash.Of(bytes)));
        }

        return new SampleGroup(folder, identity, ImageEncoding.Compressed, entries);
    }

    private static string ClassOf(string folder, string id)
    {
        var slash = id.IndexOf('/', StringComparison.Ordinal);
        return slash > 0 ? id[..slash] : throw new InputException($"{folder}: '{id}' lies in no class folder; expected FOLDER/CLASS/NAME.jpg");
    }
}
