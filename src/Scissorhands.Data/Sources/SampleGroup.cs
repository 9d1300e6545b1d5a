namespace Scissorhands.Data.Sources;

/// <summary>Where one sample's image lies, and what is known of it.</summary>
/// <param name="Id">Stable id.</param>
/// <param name="Label">Class index.</param>
/// <param name="Subject">The person it belongs to, or null.</param>
/// <param name="File">File that holds the image.</param>
/// <param name="Offset">First byte of the image within the file.</param>
/// <param name="Length">Bytes of the image.</param>
/// <param name="Hash">First 16 bytes of the SHA-256 of the image's bytes, in lower-case hex.</param>
public sealed record SampleEntry(string Id, int Label, string? Subject, string File, long Offset, int Length, string Hash);

/// <summary>How a group's images are stored.</summary>
public enum ImageEncoding
{
    /// <summary>JPEG or PNG.</summary>
    Compressed,

    /// <summary>One byte an element, channels first.</summary>
    Planar,
}

/// <summary>Samples that lie together: a tar shard, a chunk of a folder of images, a CIFAR file. The unit of indexing and caching.</summary>
/// <param name="Source">Stays the same when the files change: the path, and for a chunk its first image.</param>
/// <param name="Name">Path, for messages.</param>
/// <param name="Identity">Changes when the files change: paths, inodes, lengths and times.</param>
/// <param name="Encoding">How images are stored.</param>
/// <param name="Entries">The samples in order.</param>
public sealed record SampleGroup(string Source, string Name, string Identity, ImageEncoding Encoding, IReadOnlyList<SampleEntry> Entries)
{
    /// <summary>Tells which of the samples that lie there are meant; empty for all.</summary>
    public string Selection { get; init; } = "";
}
