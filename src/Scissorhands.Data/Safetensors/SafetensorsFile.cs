using System.Buffers.Binary;
using System.Text.Json;
using Scissorhands.Data.Storage;
using Scissorhands.Planning;

namespace Scissorhands.Data.Safetensors;

/// <summary>
/// A safetensors file, opened strictly: 8 bytes of header length (little-endian), a JSON header, raw data. Refused are
/// headers over 100 MB, duplicate names, unknown types, sizes that do not follow from type and shape, and data that is not
/// covered exactly once and without holes.
/// </summary>
public sealed class SafetensorsFile : IDisposable
{
    /// <summary>Most bytes a header may have.</summary>
    public const long MaximumHeaderBytes = 100_000_000;

    private readonly IStoredObject _stored;
    private readonly Dictionary<string, SafetensorsEntry> _byName;

    private SafetensorsFile(IStoredObject stored, long dataStart, IReadOnlyList<SafetensorsEntry> entries, IReadOnlyDictionary<string, string> metadata)
    {
        _stored = stored;
        DataStart = dataStart;
        Entries = entries;
        Metadata = metadata;
        _byName = entries.ToDictionary(e => e.Name, StringComparer.Ordinal);
    }

    /// <summary>Where it lies: a path, or an object's name in a store.</summary>
    public string Path => _stored.Name;

    /// <summary>The tensors, in the order of their data.</summary>
    public IReadOnlyList<SafetensorsEntry> Entries { get; }

    /// <summary>The strings of <c>__metadata__</c>; empty where there are none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens a file and checks its header.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The open file.</returns>
    /// <exception cref="InputException">Missing or malformed: names the file and the tensor.</exception>
    public static SafetensorsFile Open(string path) => Open(StoredFile.Open(path));

    /// <summary>Checks the header of an object, which goes with the file.</summary>
    /// <param name="stored">The object; disposed where it is refused.</param>
    /// <returns>The open file.</returns>
    /// <exception cref="InputException">Malformed: names the object and the tensor.</exception>
    public static SafetensorsFile Open(IStoredObject stored)
    {
        ArgumentNullException.ThrowIfNull(stored);
        try
        {
            return Read(stored);
        }
        catch (Exception e) when (e is JsonException or EndOfStreamException or InvalidOperationException or FormatException or OverflowException)
        {
            stored.Dispose();
            throw new InputException($"{stored.Name}: not a safetensors file ({e.Message})", e);
        }
        catch
        {
            stored.Dispose();
            throw;
        }
    }

    /// <summary>Finds a tensor.</summary>
    /// <param name="name">Its name.</param>
    /// <returns>The entry.</returns>
    /// <exception cref="InputException">There is no such tensor.</exception>
    public SafetensorsEntry Find(string name) =>
        _byName.TryGetValue(name, out var entry) ? entry : throw new InputException($"{Path}: tensor '{name}' is missing");

    /// <summary>Reads a tensor's bytes. Thread-safe.</summary>
    /// <param name="entry">The tensor.</param>
    /// <param name="destination">Receives exactly <see cref="SafetensorsEntry.Length"/> bytes.</param>
    public void ReadInto(SafetensorsEntry entry, Span<byte> destination)
    {
        ArgumentNullException.ThrowIfNull(entry);
        if (destination.Length != entry.Length)
        {
            throw new InputException($"{Path}: tensor '{entry.Name}' has {entry.Length} bytes where {destination.Length} are needed");
        }

        ReadInto(entry, 0, destination);
    }

    /// <summary>Reads some of a tensor's bytes. Thread-safe.</summary>
    /// <param name="entry">The tensor.</param>
    /// <param name="first">The first byte, counted from the tensor's start.</param>
    /// <param name="destination">Receives so many bytes, at most up to the tensor's end.</param>
    public void ReadInto(SafetensorsEntry entry, long first, Span<byte> destination)
    {
        ArgumentNullException.ThrowIfNull(entry);
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first, entry.Length - destination.Length);
        try
        {
            _stored.Read(DataStart + entry.Start + first, destination);
        }
        catch (EndOfStreamException e)
        {
            throw new InputException($"{Path}: ends within tensor '{entry.Name}'", e);
        }
    }

    /// <inheritdoc />
    public void Dispose() => _stored.Dispose();

    /// <summary>Bytes before the data.</summary>
    internal long DataStart { get; }

    /// <summary>The same header over data that is read otherwise; takes this file's place.</summary>
    /// <param name="stored">What the data is read from.</param>
    /// <param name="entries">The tensors to be seen.</param>
    /// <returns>The file.</returns>
    internal SafetensorsFile From(IStoredObject stored, IReadOnlyList<SafetensorsEntry> entries) => new(stored, DataStart, entries, Metadata);

    private static SafetensorsFile Read(IStoredObject stored)
    {
        var path = stored.Name;
        Span<byte> prefix = stackalloc byte[8];
        stored.Read(0, prefix);
        var length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > MaximumHeaderBytes || (long)length > stored.Length - 8)
        {
            throw new InputException($"{path}: not a safetensors file (a header of {length} bytes does not fit)");
        }

        var header = new byte[length];
        stored.Read(8, header);
        if (header.Length == 0 || header[0] != (byte)'{')
        {
            throw new InputException($"{path}: not a safetensors file (the header does not begin with '{{')");
        }

        var dataBytes = stored.Length - 8 - header.Length;
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        var entries = new List<SafetensorsEntry>();
        using var json = JsonDocument.Parse(header, new JsonDocumentOptions { MaxDepth = 8 });
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var property in json.RootElement.EnumerateObject())
        {
            if (!names.Add(property.Name))
            {
                throw new InputException($"{path}: tensor '{property.Name}' appears twice");
            }

            if (property.Name == "__metadata__")
            {
                foreach (var item in property.Value.EnumerateObject())
                {
                    metadata[item.Name] = item.Value.GetString() ?? throw new InputException($"{path}: metadata '{item.Name}' is not a string");
                }

                continue;
            }

            entries.Add(ReadEntry(path, property));
        }

        entries.Sort((a, b) => a.Start != b.Start ? a.Start.CompareTo(b.Start) : a.Length.CompareTo(b.Length));
        long expected = 0;
        foreach (var entry in entries)
        {
            if (entry.Start != expected)
            {
                throw new InputException($"{path}: tensor '{entry.Name}' begins at byte {entry.Start} where {expected} was expected: the data has a hole or overlaps");
            }

            expected += entry.Length;
        }

        return expected == dataBytes
            ? new SafetensorsFile(stored, 8 + header.Length, entries, metadata)
            : throw new InputException($"{path}: the tensors cover {expected} bytes, the file has {dataBytes}: truncated, or with something behind");
    }

    private static SafetensorsEntry ReadEntry(string path, JsonProperty property)
    {
        string? type = null;
        long[]? shape = null;
        long start = -1, end = -1;
        foreach (var field in property.Value.EnumerateObject())
        {
            switch (field.Name)
            {
                case "dtype":
                    type = field.Value.GetString();
                    break;
                case "shape":
                    shape = [.. field.Value.EnumerateArray().Select(d => d.GetInt64())];
                    break;
                case "data_offsets" when field.Value.GetArrayLength() == 2:
                    (start, end) = (field.Value[0].GetInt64(), field.Value[1].GetInt64());
                    break;
                default:
                    throw new InputException($"{path}: tensor '{property.Name}' has an unexpected field '{field.Name}'");
            }
        }

        if (shape is null || shape.Any(d => d < 0) || start < 0 || end < start)
        {
            throw new InputException($"{path}: tensor '{property.Name}' lacks a valid dtype, shape or data_offsets");
        }

        if (!Enum.TryParse<SafetensorsDType>(type, out var dtype) || dtype.ToString() != type)
        {
            throw new InputException($"{path}: tensor '{property.Name}' has the unknown dtype '{type}'");
        }

        var bytes = shape.Aggregate((long)SafetensorsDTypes.Size(dtype), (product, d) => checked(product * d));
        return bytes == end - start
            ? new SafetensorsEntry(property.Name, dtype, shape, start, bytes)
            : throw new InputException($"{path}: tensor '{property.Name}' has {end - start} bytes, its shape [{string.Join(", ", shape)}] of {type} needs {bytes}");
    }
}
