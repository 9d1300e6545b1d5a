using Scissorhands.Planning;

namespace Scissorhands.Data.Sources;

/// <summary>
/// Indexes CIFAR-10 and CIFAR-100 binary files: records of 1 label byte (CIFAR-100: a coarse and a fine one) and 3,072
/// pixel bytes, channels first. A sample's id is FILE#ROW.
/// </summary>
internal static class CifarBinary
{
    /// <summary>Pixel bytes of an image.</summary>
    public const int PixelBytes = 3 * 32 * 32;

    /// <summary>Reads and hashes the records.</summary>
    public static SampleGroup Read(string path, string identity, CancellationToken cancellationToken) =>
        SourceFile.Read(path, () => ReadRecords(path, identity, cancellationToken));

    private static SampleGroup ReadRecords(string path, string identity, CancellationToken cancellationToken)
    {
        var length = new FileInfo(path).Length;
        var labels = length > 0 && length % (PixelBytes + 1) == 0 ? 1 : length > 0 && length % (PixelBytes + 2) == 0 ? 2 : 0;
        if (labels == 0)
        {
            throw new InputException($"{path}: {length} bytes are neither CIFAR-10 records of {PixelBytes + 1} nor CIFAR-100 records of {PixelBytes + 2}");
        }

        var record = new byte[PixelBytes + labels];
        var entries = new List<SampleEntry>((int)(length / record.Length));
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20);
        var name = Path.GetFileName(path);
        for (long offset = 0; offset < length; offset += record.Length)
        {
            cancellationToken.ThrowIfCancellationRequested();
            stream.ReadExactly(record);
            entries.Add(new SampleEntry($"{name}#{entries.Count}", record[labels - 1], null, path, offset + labels, PixelBytes, SampleHash.Of(record.AsSpan(labels))));
        }

        return new SampleGroup(path, path, identity, ImageEncoding.Planar, entries);
    }
}
