using System.Globalization;
using System.IO.Enumeration;
using System.Text;
using System.Text.RegularExpressions;
using Scissorhands.Data.Cache;
using Scissorhands.Data.Quarantine;
using Scissorhands.Data.Sources;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Data.Samples;

/// <summary>Opens data sets in the formats users have.</summary>
public static class DataSets
{
    private const long MaximumKeptBytes = 8L << 30;

    // Words at the start of a part of the name: data_batch_1 and test_batch, train-000000 and cifar10-test-000000.
    private static readonly Regex TrainingName = new("(?<![A-Za-z])train|^data_batch", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant);
    private static readonly Regex HeldOutName = new("(?<![A-Za-z])(test|val)", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant);

    /// <summary>
    /// Opens a data set: WebDataset tar shards (a folder that holds them, a file, a glob, or a range), a folder of images by class,
    /// or CIFAR-10/100 binary files. Shards are indexed once and decoded
    /// once; both are kept in the cache folder, of the decoded images the first 8 GiB. The rest is decoded at each use.
    /// </summary>
    /// <param name="pattern">Folder, file, glob such as <c>data/train-*.tar</c>, or range such as <c>data/train-{0000..0099}.tar</c>.</param>
    /// <param name="options">Image size and cache folder.</param>
    /// <param name="progress">Told how far indexing and decoding are; may be null.</param>
    /// <param name="cancellationToken">Ends the opening.</param>
    /// <returns>The data set.</returns>
    /// <exception cref="InputException">Nothing found, or something damaged: names file and key.</exception>
    public static ISampleSet Open(string pattern, DataConfiguration options, IProgress<DataProgress>? progress, CancellationToken cancellationToken) =>
        Open(pattern, options, SampleOverlay.None, progress, cancellationToken);

    /// <summary>
    /// Opens a data set that belongs to another, as test data does to training data: a folder of images gets the other's
    /// class numbers, also where it lacks some of its classes.
    /// </summary>
    /// <param name="pattern">Folder, file, glob or range.</param>
    /// <param name="options">Image size and cache folder.</param>
    /// <param name="classNames">The other's <see cref="ISampleSet.ClassNames"/>; null for a numbering of its own.</param>
    /// <param name="progress">Told how far indexing and decoding are; may be null.</param>
    /// <param name="cancellationToken">Ends the opening.</param>
    /// <returns>The data set.</returns>
    /// <exception cref="InputException">Nothing found, something damaged, or a class that the other does not have.</exception>
    public static ISampleSet Open(string pattern, DataConfiguration options, IReadOnlyList<string>? classNames, IProgress<DataProgress>? progress, CancellationToken cancellationToken) =>
        Open(pattern, options, SampleOverlay.None, classNames, MaximumKeptBytes, progress, cancellationToken);

    /// <summary>
    /// Opens a data set with samples taken from copies, or left out: the samples come in the order of the data, without those
    /// of the overlay, and then the copies. It is the same set whether or not the rows of what the overlay names are still in
    /// the data.
    /// </summary>
    /// <param name="pattern">Folder, file, glob or range.</param>
    /// <param name="options">Image size and cache folder.</param>
    /// <param name="overlay">What is taken differently.</param>
    /// <param name="progress">Told how far indexing and decoding are; may be null.</param>
    /// <param name="cancellationToken">Ends the opening.</param>
    /// <returns>The data set.</returns>
    /// <exception cref="InputException">Nothing found, something damaged, or rows whose ids are their places have moved.</exception>
    public static ISampleSet Open(string pattern, DataConfiguration options, SampleOverlay overlay, IProgress<DataProgress>? progress, CancellationToken cancellationToken) =>
        Open(pattern, options, overlay, null, MaximumKeptBytes, progress, cancellationToken);

    /// <summary>Opens a data set of whose decoded images no more than so many bytes are kept: the first groups'.</summary>
    internal static ISampleSet Open(string pattern, DataConfiguration options, SampleOverlay overlay, IReadOnlyList<string>? classNames, long room, IProgress<DataProgress>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(overlay);
        var cache = CacheFolder.Open(options);
        var (groups, classes) = Overlaid(pattern, overlay, cache, classNames, progress, cancellationToken);
        if (groups.All(g => g.Entries.Count == 0))
        {
            throw new InputException($"{pattern}: holds no samples");
        }

        var shape = ImageDecoder.ShapeOf(groups.First(g => g.Entries.Count > 0), groups.First(g => g.Entries.Count > 0).Entries[0], options.ImageSize);
        var kept = groups.Select(g =>
        {
            var bytes = (long)g.Entries.Count * shape.Elements;
            var fits = bytes <= room;
            room -= fits ? bytes : 0;
            return fits;
        }).ToArray();
        var total = groups.Zip(kept).Sum(g => g.Second ? g.First.Entries.Count : 0);
        var stores = new List<PixelStore>();
        var done = 0;
        try
        {
            foreach (var (group, keep) in groups.Zip(kept))
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
                    keep,
                    cancellationToken));
            }

            return new IndexedSampleSet(groups, stores, shape, classes);
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

    private static (IReadOnlyList<SampleGroup> Groups, IReadOnlyList<string>? Classes) Overlaid(string pattern, SampleOverlay overlay, CacheFolder cache, IReadOnlyList<string>? classNames, IProgress<DataProgress>? progress, CancellationToken cancellationToken)
    {
        if (overlay.Quarantine is not { } file)
        {
            var (all, names) = Index(pattern, cache, classNames, null, progress, cancellationToken);
            return overlay.Withheld.Count == 0 ? (all, names) : ([.. Without(all, overlay.Withheld.ToHashSet(StringComparer.Ordinal))], names);
        }

        var (context, copies) = QuarantineFile.Read(file, cancellationToken);

        // A class may have lost its folder with its last image: the others keep their numbers.
        var (groups, classes) = Index(pattern, cache, classNames, context.Classes, progress, cancellationToken);
        if (context.Classes is null != classes is null)
        {
            throw new InputException($"{file}: the quarantine is of other data than {pattern}");
        }

        context.CheckPlaces(groups);
        var group = new SampleGroup(file, file, Identity(file), context.Encoding, copies);
        return ([.. Without(groups, overlay.Withheld.Concat(copies.Select(static e => e.Id)).ToHashSet(StringComparer.Ordinal)), classes is null ? group : ImageFolder.Number(group, classes)], classes);
    }

    /// <summary>Groups without some samples. Which of a group's are left belongs to what its decoded images are kept under.</summary>
    private static IEnumerable<SampleGroup> Without(IEnumerable<SampleGroup> groups, HashSet<string> ids)
    {
        foreach (var group in groups)
        {
            var left = group.Entries.Where(e => !ids.Contains(e.Id)).ToArray();
            yield return left.Length == group.Entries.Count
                ? group
                : group with { Entries = left, Selection = SampleHash.Of(Encoding.UTF8.GetBytes(string.Join('\n', left.Select(static e => e.Id)))) };
        }
    }

    /// <summary>Indexes a data set.</summary>
    /// <param name="pattern">Folder, file, glob or range.</param>
    /// <param name="cache">Where indexes are kept.</param>
    /// <param name="classNames">Classes of the data it belongs to; null for a numbering of its own.</param>
    /// <param name="more">Classes that are numbered with those that have a folder.</param>
    /// <param name="progress">Told how far it is; may be null.</param>
    /// <param name="cancellationToken">Ends it.</param>
    internal static (IReadOnlyList<SampleGroup> Groups, IReadOnlyList<string>? Classes) Index(string pattern, CacheFolder cache, IReadOnlyList<string>? classNames, IReadOnlyList<string>? more, IProgress<DataProgress>? progress, CancellationToken cancellationToken)
    {
        if (Directory.Exists(pattern))
        {
            var folder = Path.GetFullPath(pattern);
            var files = SourceFile.Read(folder, () => Directory.GetFiles(folder)).Order(StringComparer.Ordinal).ToArray();
            var shards = files.Where(f => HasExtension(f, ".tar")).ToArray();
            var binaries = files.Where(f => HasExtension(f, ".bin")).ToArray();
            if (shards.Length > 0)
            {
                return (Files(OneKind(pattern, shards), cache, progress, cancellationToken), null);
            }

            if (binaries.Length > 0)
            {
                return (Files(OneKind(pattern, binaries), cache, progress, cancellationToken), null);
            }

            var images = ImageFolder.List(folder);
            if (images.Count == 0)
            {
                throw new InputException($"{pattern}: holds neither .tar shards, nor .bin files, nor images in class folders");
            }

            var classes = QuarantineContext.Union(ImageFolder.Classes(folder), more)!;
            if (classes.Contains("train", StringComparer.Ordinal) && classes.FirstOrDefault(c => c is "test" or "val") is { } heldOut)
            {
                throw new InputException($"{pattern}: holds both 'train' and '{heldOut}', which are no classes; name one of the two");
            }

            if (classNames is not null)
            {
                ImageFolder.CheckKnown(folder, classes, classNames);
            }

            var groups = new List<SampleGroup>();
            var indexed = 0;
            foreach (var chunk in ImageFolder.Chunks(images))
            {
                var source = $"{folder}\n{chunk[0].Id}";
                var identity = new StringBuilder();
                foreach (var (id, path) in chunk)
                {
                    identity.Append(CultureInfo.InvariantCulture, $"{id}|{Identity(path)}\n");
                }

                var text = identity.ToString();
                var group = cache.IndexOf(source, folder, text, () => ImageFolder.Read(source, folder, text, chunk, cancellationToken));
                groups.Add(ImageFolder.Number(group, classNames ?? classes));
                progress?.Report(new DataProgress("indexing", indexed += chunk.Count, 0));
            }

            return (groups, classNames ?? classes);
        }

        if (File.Exists(pattern))
        {
            return (Files([Path.GetFullPath(pattern)], cache, progress, cancellationToken), null);
        }

        if (ShardRange.IsOne(pattern))
        {
            return (Files(ShardRange.Files(pattern), cache, progress, cancellationToken), null);
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
        return matches.Length > 0 ? (Files(matches, cache, progress, cancellationToken), null) : throw new InputException($"{pattern}: matches no file");
    }

    /// <summary>Refuses a folder that holds training and held-out files: to learn the test data would go unnoticed.</summary>
    private static string[] OneKind(string pattern, string[] files)
    {
        if (files.FirstOrDefault(f => IsNamed(f, TrainingName)) is { } train && files.FirstOrDefault(f => IsNamed(f, HeldOutName)) is { } heldOut)
        {
            throw new InputException($"{pattern}: holds both '{Path.GetFileName(train)}' and '{Path.GetFileName(heldOut)}'; say which are meant by a glob such as '{Path.Combine(pattern, "train*" + Path.GetExtension(train))}'");
        }

        return files;
    }

    private static bool IsNamed(string path, Regex kind) => kind.IsMatch(Path.GetFileNameWithoutExtension(path));

    private static IReadOnlyList<SampleGroup> Files(IReadOnlyList<string> paths, CacheFolder cache, IProgress<DataProgress>? progress, CancellationToken cancellationToken)
    {
        var groups = new SampleGroup[paths.Count];
        var done = 0;
        SourceFile.ForEach(paths.Count, i =>
        {
            var path = paths[i];
            var identity = Identity(path);
            groups[i] = cache.IndexOf(path, path, identity, () => HasExtension(path, ".tar")
                ? WebDatasetShard.Read(path, identity, cancellationToken)
                : HasExtension(path, ".bin")
                    ? CifarBinary.Read(path, identity, cancellationToken)
                    : throw new InputException($"{path}: neither a .tar shard nor a CIFAR .bin file"));
            progress?.Report(new DataProgress("indexing", Interlocked.Add(ref done, groups[i].Entries.Count), 0));
        }, cancellationToken);
        return groups;
    }

    private static string Identity(string path) => SourceFile.Read(path, () => FileIdentity.Of(path));

    private static bool HasExtension(string path, string extension) => Path.GetExtension(path).Equals(extension, StringComparison.OrdinalIgnoreCase);
}
