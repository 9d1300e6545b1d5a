using System.Globalization;
using System.IO.Enumeration;
using System.Text;
using Scissorhands.Data.Cache;
using Scissorhands.Data.Sources;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Data.Samples;

/// <summary>Opens data sets in the formats users have.</summary>
public static class DataSets
{
    /// <summary>
    /// Opens a data set: WebDataset tar shards (a folder that holds them, a file, or a glob), a folder of images by class,
    /// or CIFAR-10/100 binary files. Shards are indexed once and decoded once; both are kept in the cache folder.
    /// </summary>
    /// <param name="pattern">Folder, file, or glob such as <c>data/train-*.tar</c>.</param>
    /// <param name="options">Image size and cache folder.</param>
    /// <param name="progress">Told how far indexing and decoding are; may be null.</param>
    /// <param name="cancellationToken">Ends the opening.</param>
    /// <returns>The data set.</returns>
    /// <exception cref="InputException">Nothing found, or something damaged: names file and key.</exception>
    public static ISampleSet Open(string pattern, DataConfiguration options, IProgress<DataProgress>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        ArgumentNullException.ThrowIfNull(options);
        var cache = CacheFolder.Open(options);
        var groups = Index(pattern, cache, progress, cancellationToken);
        var total = groups.Sum(g => g.Entries.Count);
        if (total == 0)
        {
            throw new InputException($"{pattern}: holds no samples");
        }

        var shape = ImageDecoder.ShapeOf(groups.First(g => g.Entries.Count > 0), groups.First(g => g.Entries.Count > 0).Entries[0], options.ImageSize);
        var stores = new List<PixelStore>();
        var done = 0;
        try
        {
            foreach (var group in groups)
            {
                stores.Add(PixelStore.Open(
                    group,
                    shape,
                    options.ImageSize,
                    cache,
                    () =>
                    {
                        var now = Interlocked.Increment(ref done);
                        if (now % 500 == 0 || now == total)
                        {
                            progress?.Report(new DataProgress("decoding", now, total));
                        }
                    },
                    cancellationToken));
            }

            return new IndexedSampleSet(groups, stores, shape);
        }
        catch
        {
            foreach (var store in stores)
            {
                store.Dispose();
            }

            throw;
        }
    }

    private static IReadOnlyList<SampleGroup> Index(string pattern, CacheFolder cache, IProgress<DataProgress>? progress, CancellationToken cancellationToken)
    {
        if (Directory.Exists(pattern))
        {
            var folder = Path.GetFullPath(pattern);
            var files = SourceFile.Read(folder, () => Directory.GetFiles(folder)).Order(StringComparer.Ordinal).ToArray();
            var shards = files.Where(f => HasExtension(f, ".tar")).ToArray();
            var binaries = files.Where(f => HasExtension(f, ".bin")).ToArray();
            if (shards.Length > 0)
            {
                return Files(shards, cache, progress, cancellationToken);
            }

            if (binaries.Length > 0)
            {
                return Files(binaries, cache, progress, cancellationToken);
            }

            var images = ImageFolder.List(folder);
            if (images.Count == 0)
            {
                throw new InputException($"{pattern}: holds neither .tar shards, nor .bin files, nor images in class folders");
            }

            var identity = new StringBuilder();
            foreach (var (id, path) in images)
            {
                identity.Append(CultureInfo.InvariantCulture, $"{id}|{Identity(path)}\n");
            }

            return [cache.IndexOf(folder, folder + "\n" + identity, () => ImageFolder.Read(folder, folder + "\n" + identity, cancellationToken))];
        }

        if (File.Exists(pattern))
        {
            return Files([Path.GetFullPath(pattern)], cache, progress, cancellationToken);
        }

        var parent = Path.GetDirectoryName(Path.GetFullPath(pattern))!;
        var name = Path.GetFileName(pattern);
        if (!name.Contains('*', StringComparison.Ordinal) && !name.Contains('?', StringComparison.Ordinal))
        {
            throw new InputException($"{pattern}: no such file or folder");
        }

        var matches = Directory.Exists(parent)
            ? SourceFile.Read(parent, () => Directory.GetFiles(parent)).Where(f => FileSystemName.MatchesSimpleExpression(name, Path.GetFileName(f), ignoreCase: false)).Order(StringComparer.Ordinal).ToArray()
            : [];
        return matches.Length > 0 ? Files(matches, cache, progress, cancellationToken) : throw new InputException($"{pattern}: matches no file");
    }

    private static IReadOnlyList<SampleGroup> Files(IReadOnlyList<string> paths, CacheFolder cache, IProgress<DataProgress>? progress, CancellationToken cancellationToken)
    {
        var groups = new SampleGroup[paths.Count];
        var done = 0;
        SourceFile.ForEach(paths.Count, i =>
        {
            var path = paths[i];
            var identity = Identity(path);
            groups[i] = cache.IndexOf(path, identity, () => HasExtension(path, ".tar")
                ? WebDatasetShard.Read(path, identity, cancellationToken)
                : HasExtension(path, ".bin")
                    ? CifarBinary.Read(path, identity, cancellationToken)
                    : throw new InputException($"{path}: neither a .tar shard nor a CIFAR .bin file"));
            progress?.Report(new DataProgress("indexing", Interlocked.Add(ref done, groups[i].Entries.Count), 0));
        }, cancellationToken);
        return groups;
    }

    private static string Identity(string path) => SourceFile.Read(path, () =>
    {
        var info = new FileInfo(path);
        return string.Create(CultureInfo.InvariantCulture, $"{path}|{info.Length}|{info.LastWriteTimeUtc.Ticks}");
    });

    private static bool HasExtension(string path, string extension) => Path.GetExtension(path).Equals(extension, StringComparison.OrdinalIgnoreCase);
}
