namespace Scissorhands.Data.Samples;

/// <summary>Size of an image, channels first.</summary>
/// <param name="Channels">Channels: 3 for colour.</param>
/// <param name="Height">Rows.</param>
/// <param name="Width">Columns.</param>
public readonly record struct ImageShape(int Channels, int Height, int Width)
{
    /// <summary>Bytes of one decoded image, and elements of its tensor.</summary>
    public int Elements => Channels * Height * Width;
}

/// <summary>
/// A data set with random access. Samples have an ordinal (their place in the index: shards in name order, samples in
/// shard order) and a stable id, which deletion requests name. Thread-safe for reading.
/// </summary>
public interface ISampleSet : IDisposable
{
    /// <summary>Number of samples.</summary>
    int Count { get; }

    /// <summary>The size all samples have.</summary>
    ImageShape Shape { get; }

    /// <summary>
    /// SHA-256 (lower-case hex) over the ids, labels and the bytes' digests in ordinal order, and the names of the classes
    /// where there are any.
    /// </summary>
    string Digest { get; }

    /// <summary>
    /// The classes' names in the order of their numbers; null where the source names none. Test data is opened with those
    /// of the training data, so that a number means the same class in both.
    /// </summary>
    IReadOnlyList<string>? ClassNames { get; }

    /// <summary>A sample's stable id: WebDataset key, relative path, or file#row.</summary>
    /// <param name="ordinal">Place in the index.</param>
    /// <returns>The id.</returns>
    string Id(int ordinal);

    /// <summary>A sample's class index, at least 0.</summary>
    /// <param name="ordinal">Place in the index.</param>
    /// <returns>The class index.</returns>
    int Label(int ordinal);

    /// <summary>The person a sample belongs to, where its metadata names one.</summary>
    /// <param name="ordinal">Place in the index.</param>
    /// <returns>The subject, or null.</returns>
    string? Subject(int ordinal);

    /// <summary>Finds a sample by id.</summary>
    /// <param name="id">The stable id.</param>
    /// <param name="ordinal">Its place in the index.</param>
    /// <returns>Whether the id is in the set.</returns>
    bool TryFind(string id, out int ordinal);

    /// <summary>The same over some of the samples, in another order: what a run's plan records as the data's identity.</summary>
    /// <param name="ordinals">Places in the index.</param>
    /// <returns>64 hex digits.</returns>
    string DigestOf(IEnumerable<int> ordinals);

    /// <summary>Copies a decoded image, one byte an element, channels first, from the decode cache or by decoding.</summary>
    /// <param name="ordinal">Place in the index.</param>
    /// <param name="pixels">Receives <see cref="ImageShape.Elements"/> bytes.</param>
    /// <exception cref="Planning.InputException">The image cannot be decoded: names shard and key.</exception>
    void Read(int ordinal, Span<byte> pixels);
}
