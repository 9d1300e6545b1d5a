using Scissorhands.Data.Cache;
using Scissorhands.Data.Samples;
using Scissorhands.Data.Sources;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Data.Quarantine;

/// <summary>
/// Copies samples of a data set into files of their own, with all that a run needs to take them from there
/// (<see cref="SampleOverlay"/>), so that their rows may be erased.
/// </summary>
public sealed class SampleCopies
{
    private readonly Dictionary<string, SampleEntry> _entries;
    private readonly QuarantineContext _context;
    private readonly IReadOnlyList<string> _files;
    private readonly Lazy<(Dictionary<string, SampleEntry> Entries, QuarantineContext Context)> _copied;
    private readonly IReadOnlyDictionary<string, string> _contents;

    private SampleCopies(Dictionary<string, SampleEntry> entries, QuarantineContext context, IReadOnlyList<string> files, IReadOnlyDictionary<string, string> contents, CancellationToken cancellationToken)
    {
        _entries = entries;
        _contents = contents;
        _context = context;

        // The oldest first: a row may have been overwritten since.
        _files = [.. files.OrderBy(File.GetLastWriteTimeUtc).ThenBy(static file => file, StringComparer.Ordinal)];
        _copied = new(() => Copied(cancellationToken));
    }

    /// <summary>Whether rows are erased by overwriting them: they stay under their ids, so that what was copied before is what was meant.</summary>
    private bool IsOverwritten => _context.Encoding == ImageEncoding.Planar;

    /// <summary>Opens the data to copy from.</summary>
    /// <param name="pattern">Folder, file, glob or range, as for <see cref="DataSets"/>.</param>
    /// <param name="options">The folder of the index.</param>
    /// <param name="files">Copies made before: what is no longer in the data is taken from them. Damaged ones are passed over.</param>
    /// <param name="contents">Digests of the bytes that are meant by some ids: what has other bytes now is not that sample.</param>
    /// <param name="cancellationToken">Ends the reading, and later reading of the copies.</param>
    /// <returns>The samples.</returns>
    /// <exception cref="InputException">Nothing found, or something damaged: names file and key.</exception>
    public static SampleCopies Open(string pattern, DataConfiguration options, IReadOnlyList<string> files, IReadOnlyDictionary<string, string> contents, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(contents);
        var (groups, classes) = DataSets.Index(pattern, CacheFolder.Open(options), null, null, null, cancellationToken);
        var entries = new Dictionary<string, SampleEntry>(StringComparer.Ordinal);
        foreach (var entry in groups.SelectMany(static g => g.Entries))
        {
            entries.TryAdd(entry.Id, entry);
        }

        return entries.Count > 0
            ? new SampleCopies(entries, QuarantineContext.Of(groups, classes), files, contents, cancellationToken)
            : throw new InputException($"{pattern}: holds no samples");
    }

    /// <summary>Counts those that are neither in the data nor in a copy.</summary>
    /// <param name="ids">Samples.</param>
    /// <returns>How many there are not.</returns>
    public int Missing(IEnumerable<string> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        return ids.Count(id => Find(id) is null);
    }

    /// <summary>Finds those that the data still has as they were.</summary>
    /// <param name="ids">Samples whose bytes are known.</param>
    /// <returns>Those that are there with these bytes, in their order.</returns>
    public IReadOnlyList<string> Unchanged(IEnumerable<string> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        return [.. ids.Where(id => InData(id) is { } entry && _contents.TryGetValue(id, out var hash) && hash == entry.Hash)];
    }

    /// <summary>Writes copies.</summary>
    /// <param name="target">Where to.</param>
    /// <param name="ids">Samples, each once, none of them missing.</param>
    /// <exception cref="InputException">A sample is missing, or was changed while it was copied.</exception>
    public void Write(Stream target, IReadOnlyList<string> ids)
    {
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(ids);
        var own = !IsOverwritten && ids.All(id => InData(id) is not null);
        var context = own ? _context : _context.With(_copied.Value.Context, "the copies made before");
        QuarantineFile.Write(
            target,
            context,
            [.. ids.Select(id => Find(id) ?? throw new InputException("a sample is no longer in the data"))]);
    }

    private SampleEntry? Find(string id) => IsOverwritten ? InCopies(id) ?? InData(id) : InData(id) ?? InCopies(id);

    private SampleEntry? InData(string id) => Meant(_entries.GetValueOrDefault(id));

    private SampleEntry? InCopies(string id) => Meant(_copied.Value.Entries.GetValueOrDefault(id));

    private SampleEntry? Meant(SampleEntry? entry) => entry is not null && _contents.TryGetValue(entry.Id, out var hash) && hash != entry.Hash ? null : entry;

    /// <summary>Whether a file holds whole copies of exactly these samples.</summary>
    /// <param name="path">The file; may be missing.</param>
    /// <param name="ids">Samples, each once.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <returns>Whether it does.</returns>
    /// <exception cref="InputException">It cannot be read.</exception>
    public static bool Holds(string path, IReadOnlyCollection<string> ids, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(ids);
        return Whole(path, there => there.Count == ids.Count && there.SetEquals(ids), cancellationToken) is not null;
    }

    /// <summary>Samples that a file holds whole copies of.</summary>
    /// <param name="path">The file; may be missing.</param>
    /// <param name="areMeant">Whether these are those that it should hold: only then are its bytes read.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <returns>Their ids; null where the file is missing, damaged, or holds others.</returns>
    /// <exception cref="InputException">It cannot be read.</exception>
    public static IReadOnlySet<string>? Whole(string path, Func<IReadOnlySet<string>, bool> areMeant, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(areMeant);
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            var entries = QuarantineFile.Read(path, cancellationToken).Entries;
            var ids = entries.Select(static e => e.Id).ToHashSet(StringComparer.Ordinal);
            return areMeant(ids) && entries.All(IsWhole) ? ids : null;
        }
        catch (InputException e) when (e.InnerException is null)
        {
            // Damaged, and not merely unreadable: it is made again.
            return null;
        }
    }

    /// <summary>Ids and subjects in a file of copies.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <returns>A pair a sample.</returns>
    /// <exception cref="InputException">It is damaged, or cannot be read.</exception>
    public static IReadOnlyList<(string Id, string? Subject)> Names(string path, CancellationToken cancellationToken) =>
        [.. QuarantineFile.Read(path, cancellationToken).Entries.Select(static e => (e.Id, e.Subject))];

    /// <summary>Digests of the bytes in a file of copies, by id.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="InputException">It is damaged, or cannot be read.</exception>
    public static IReadOnlyDictionary<string, string> Contents(string path, CancellationToken cancellationToken) =>
        QuarantineFile.Read(path, cancellationToken).Entries.ToDictionary(static e => e.Id, static e => e.Hash, StringComparer.Ordinal);

    /// <summary>Takes some samples of a file into another, or several files together.</summary>
    /// <param name="target">Where to.</param>
    /// <param name="files">The files; of a sample that several hold the first copy is taken.</param>
    /// <param name="ids">Samples, each once, in the order in which they are to be written.</param>
    /// <param name="cancellationToken">Ends the writing.</param>
    /// <exception cref="InputException">A file is damaged, or none of them has one of the samples.</exception>
    public static void Merge(Stream target, IReadOnlyList<string> files, IReadOnlyList<string> ids, CancellationToken cancellationToken) =>
        Merge(target, files, ids, null, [], cancellationToken);

    /// <summary>Takes samples of files together, and others from the data.</summary>
    /// <param name="target">Where to.</param>
    /// <param name="files">The files; of a sample that several hold the first copy is taken.</param>
    /// <param name="ids">Samples that are taken from them, each once, in the order in which they are to be written.</param>
    /// <param name="data">The data; null where nothing is taken from it.</param>
    /// <param name="unchanged">Samples that are taken from it, which <see cref="Unchanged"/> found there; they follow.</param>
    /// <param name="cancellationToken">Ends the writing.</param>
    /// <exception cref="InputException">A file is damaged, none of them has one of the samples, or the data was changed meanwhile.</exception>
    public static void Merge(Stream target, IReadOnlyList<string> files, IReadOnlyList<string> ids, SampleCopies? data, IReadOnlyList<string> unchanged, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(unchanged);
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(ids);
        var context = unchanged.Count > 0 ? data?._context : null;
        var entries = new Dictionary<string, SampleEntry>(StringComparer.Ordinal);
        foreach (var file in files)
        {
            var read = QuarantineFile.Read(file, cancellationToken);
            context = context?.With(read.Context, file) ?? read.Context;
            foreach (var entry in read.Entries)
            {
                entries.TryAdd(entry.Id, entry);
            }
        }

        QuarantineFile.Write(
            target,
            context ?? throw new InputException("no quarantine is named"),
            [
                .. ids.Select(id => entries.TryGetValue(id, out var entry) ? entry : throw new InputException("a sample of a request is not in its quarantine")),
                .. unchanged.Select(id => data?.InData(id) ?? throw new InputException("a sample is no longer in the data")),
            ]);
    }

    private static bool IsWhole(SampleEntry entry)
    {
        ImageDecoder.ReadBytes(entry);
        return true;
    }

    private (Dictionary<string, SampleEntry> Entries, QuarantineContext Context) Copied(CancellationToken cancellationToken)
    {
        var entries = new Dictionary<string, SampleEntry>(StringComparer.Ordinal);
        var context = _context;
        foreach (var file in _files)
        {
            try
            {
                var read = QuarantineFile.Read(file, cancellationToken);
                context = context.With(read.Context, file);
                foreach (var entry in read.Entries)
                {
                    entries.TryAdd(entry.Id, entry);
                }
            }
            catch (InputException)
            {
                // Whoever needs that one is told when its own request's turn comes.
            }
        }

        return (entries, context);
    }
}
