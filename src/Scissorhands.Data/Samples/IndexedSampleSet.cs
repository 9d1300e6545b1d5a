using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Scissorhands.Data.Cache;
using Scissorhands.Data.Sources;
using Scissorhands.Planning;

namespace Scissorhands.Data.Samples;

/// <summary>Groups of samples, one after the other, as one data set.</summary>
internal sealed class IndexedSampleSet : ISampleSet
{
    private readonly IReadOnlyList<SampleGroup> _groups;
    private readonly IReadOnlyList<PixelStore> _stores;
    private readonly int[] _starts;
    private readonly Dictionary<string, int> _ordinals;

    public IndexedSampleSet(IReadOnlyList<SampleGroup> groups, IReadOnlyList<PixelStore> stores, ImageShape shape, IReadOnlyList<string>? classNames)
    {
        _groups = groups;
        _stores = stores;
        Shape = shape;
        ClassNames = classNames;
        _starts = new int[groups.Count + 1];
        _ordinals = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var g = 0; g < groups.Count; g++)
        {
            _starts[g + 1] = _starts[g] + groups[g].Entries.Count;
            for (var i = 0; i < groups[g].Entries.Count; i++)
            {
                var entry = groups[g].Entries[i];
                if (!_ordinals.TryAdd(entry.Id, _starts[g] + i))
                {
                    var first = Locate(_ordinals[entry.Id]).Group;
                    throw new InputException($"{groups[g].Name}: the id '{entry.Id}' appears twice, first in {groups[first].Name}");
                }
            }
        }

        Digest = DigestOf(Enumerable.Range(0, Count));
    }

    public int Count => _starts[^1];

    public ImageShape Shape { get; }

    public string Digest { get; }

    /// <summary>Whether some images are decoded at each use, which is worth several threads.</summary>
    public bool DecodesOnRead => _stores.Any(s => s.DecodesOnRead);

    public IReadOnlyList<string>? ClassNames { get; }

    public string Id(int ordinal) => Entry(ordinal).Id;

    public int Label(int ordinal) => Entry(ordinal).Label;

    public string? Subject(int ordinal) => Entry(ordinal).Subject;

    public bool TryFind(string id, out int ordinal) => _ordinals.TryGetValue(id, out ordinal);

    public string DigestOf(IEnumerable<int> ordinals)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var ordinal in ordinals)
        {
            var entry = Entry(ordinal);
            hash.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{entry.Id}\n{entry.Label}\n{entry.Hash}\n")));
        }

        foreach (var (number, name) in (ClassNames ?? []).Index())
        {
            hash.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"class {number}\n{name}\n")));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    public void Read(int ordinal, Span<byte> pixels)
    {
        var (group, index) = Locate(ordinal);
        _stores[group].Read(index, pixels);
    }

    public void Dispose()
    {
        foreach (var store in _stores)
        {
            store.Dispose();
        }
    }

    private SampleEntry Entry(int ordinal)
    {
        var (group, index) = Locate(ordinal);
        return _groups[group].Entries[index];
    }

    private (int Group, int Index) Locate(int ordinal)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(ordinal);
        var group = Array.BinarySearch(_starts, ordinal);
        group = group < 0 ? ~group - 1 : group;
        return (group, ordinal - _starts[group]);
    }
}
