using Scissorhands.Data.Cache;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Data.Samples;

/// <summary>The ids and subjects of a data set, without its images: what deletion requests are resolved against. Immutable.</summary>
public sealed class SampleNames
{
    private readonly HashSet<string> _ids;
    private readonly Dictionary<string, List<string>> _subjects;

    private SampleNames(HashSet<string> ids, Dictionary<string, List<string>> subjects)
    {
        _ids = ids;
        _subjects = subjects;
    }

    /// <summary>Number of samples.</summary>
    public int Count => _ids.Count;

    /// <summary>Reads the index of a data set, which is made where the cache does not hold it yet; nothing is decoded.</summary>
    /// <param name="pattern">Folder, file, glob or range, as for <see cref="DataSets.Open(string, DataConfiguration, IProgress{DataProgress}?, CancellationToken)"/>.</param>
    /// <param name="options">The cache's folder.</param>
    /// <param name="copies">Pairs of ids and subjects of samples that count as being in the data, also where their rows were erased.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <returns>The names.</returns>
    /// <exception cref="InputException">Nothing found, or something damaged: names file and key.</exception>
    public static SampleNames Read(string pattern, DataConfiguration options, IEnumerable<(string Id, string? Subject)> copies, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(copies);
        var ids = new HashSet<string>(StringComparer.Ordinal);
        var subjects = new Dictionary<string, List<string>>(StringComparer.Ordinal);
        var entries = DataSets.Index(pattern, CacheFolder.Open(options), null, null, null, cancellationToken).Groups.SelectMany(static g => g.Entries);
        foreach (var (id, person) in entries.Select(static e => (e.Id, e.Subject)).Concat(copies))
        {
            if (ids.Add(id) && person is { } subject)
            {
                if (!subjects.TryGetValue(subject, out var samples))
                {
                    subjects.Add(subject, samples = []);
                }

                samples.Add(id);
            }
        }

        return new SampleNames(ids, subjects);
    }

    /// <summary>Whether a sample is in the data.</summary>
    /// <param name="id">The id.</param>
    /// <returns>Whether it is.</returns>
    public bool Contains(string id) => _ids.Contains(id);

    /// <summary>A person's samples.</summary>
    /// <param name="subject">The person.</param>
    /// <returns>Their ids, in the data's order; empty where there are none.</returns>
    public IReadOnlyList<string> OfSubject(string subject) => _subjects.TryGetValue(subject, out var samples) ? samples : [];
}
