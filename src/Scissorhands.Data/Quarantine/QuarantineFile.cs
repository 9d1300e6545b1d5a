using System.Formats.Tar;
using System.Globalization;
using System.Text.Json;
using Scissorhands.Data.Cache;
using Scissorhands.Data.Sources;
using Scissorhands.Planning;

namespace Scissorhands.Data.Quarantine;

/// <summary>
/// A tar with copies of samples, which whoever has to hand over evidence can unpack: <c>quarantine.json</c> says how the images
/// are stored and what else of their data set gives them their meaning; then come, a sample each, <c>N.json</c> with id,
/// label, subject and hash and <c>N.jpg</c>, <c>N.png</c> or <c>N.bin</c> with the bytes as they were in the data.
/// </summary>
internal static class QuarantineFile
{
    private const int Format = 1;
    private const int MaximumHeaderBytes = 1 << 26;
    private const int MaximumMetadataBytes = 1 << 20;
    private const int MaximumImageBytes = 1 << 28;
    private const int HashDigits = 32;
    private const string HeaderName = "quarantine.json";
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true };

    private static ReadOnlySpan<byte> PngSignature => [0x89, 0x50, 0x4E, 0x47];

    /// <summary>Writes copies.</summary>
    /// <param name="target">Where to.</param>
    /// <param name="context">What gives them their meaning.</param>
    /// <param name="entries">The samples, whose bytes are checked against their hashes.</param>
    /// <exception cref="InputException">A sample's bytes are not there, or others than were indexed.</exception>
    public static void Write(Stream target, QuarantineContext context, IReadOnlyList<SampleEntry> entries)
    {
        using var writer = new TarWriter(target, TarEntryFormat.Ustar, leaveOpen: true);
        Add(writer, HeaderName, JsonSerializer.SerializeToUtf8Bytes(new Header(Format, entries.Count, context.Encoding, context.Classes, context.Rows), Json));
        foreach (var (number, entry) in entries.Index())
        {
            var bytes = ImageDecoder.ReadBytes(entry);
            var ending = context.Encoding == ImageEncoding.Planar ? "bin" : bytes.AsSpan().StartsWith(PngSignature) ? "png" : "jpg";
            Add(writer, string.Create(CultureInfo.InvariantCulture, $"{number:D8}.json"), JsonSerializer.SerializeToUtf8Bytes(new Member(entry.Id, entry.Label, entry.Subject, entry.Hash), Json));
            Add(writer, string.Create(CultureInfo.InvariantCulture, $"{number:D8}.{ending}"), bytes);
        }
    }

    /// <summary>Reads what a file holds, not the images themselves.</summary>
    /// <exception cref="InputException">It is damaged, or cannot be read.</exception>
    public static (QuarantineContext Context, IReadOnlyList<SampleEntry> Entries) Read(string path, CancellationToken cancellationToken) => SourceFile.Read(path, () =>
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, 1 << 16);
        using var reader = new TarReader(stream);
        try
        {
            var header = Parse<Header>(Take(path, reader, HeaderName, MaximumHeaderBytes));
            if (header.Format != Format || !Enum.IsDefined(header.Encoding))
            {
                throw new InputException($"{path}: quarantine of format {header.Format}, this program knows {Format}; use the program that wrote it or a newer one");
            }

            var entries = new List<SampleEntry>();
            var ids = new HashSet<string>(StringComparer.Ordinal);
            while (reader.GetNextEntry() is { } metadata)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var member = Parse<Member>(Bytes(path, metadata, MaximumMetadataBytes));
                if (member.Id.Length == 0 || member.Label < 0 || member.Hash.Length != HashDigits || !ids.Add(member.Id))
                {
                    throw Damaged(path, "what is said of a sample cannot be");
                }

                // The bytes are not read here: whoever decodes them checks them against the hash.
                if (reader.GetNextEntry() is not { EntryType: TarEntryType.RegularFile } image
                    || image.Length is 0 or > MaximumImageBytes
                    || image.DataOffset + image.Length > stream.Length
                    || (header.Encoding == ImageEncoding.Planar && image.Length != CifarBinary.PixelBytes))
                {
                    throw Damaged(path, "a sample's bytes are missing or too many");
                }

                entries.Add(new SampleEntry(member.Id, member.Label, member.Subject, path, image.DataOffset, (int)image.Length, member.Hash));
            }

            // A tar that was cut at the end of a member looks whole.
            return entries.Count == header.Samples
                ? (new QuarantineContext(header.Encoding, header.Classes, header.Rows), entries)
                : throw Damaged(path, "samples are missing");
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or FormatException or JsonException or InvalidOperationException)
        {
            throw Damaged(path, e.Message);
        }
    });

    private static byte[] Take(string path, TarReader reader, string name, int limit) =>
        reader.GetNextEntry() is { } entry && entry.Name == name ? Bytes(path, entry, limit) : throw Damaged(path, $"{name} is missing");

    private static byte[] Bytes(string path, TarEntry entry, int limit)
    {
        if (entry.EntryType != TarEntryType.RegularFile || entry.DataStream is not { } data || entry.Length > limit)
        {
            throw Damaged(path, $"{entry.Name} is none of its members");
        }

        var bytes = new byte[entry.Length];
        data.ReadExactly(bytes);
        return bytes;
    }

    private static T Parse<T>(byte[] bytes) => JsonSerializer.Deserialize<T>(bytes, Json) ?? throw new JsonException("it is null");

    private static InputException Damaged(string path, string why) => new($"{path}: the quarantine is damaged ({why})");

    private static void Add(TarWriter writer, string name, byte[] bytes)
    {
        using var content = new MemoryStream(bytes);
        writer.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = content, ModificationTime = DateTimeOffset.UnixEpoch, Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
    }

    private sealed record Header(int Format, int Samples, ImageEncoding Encoding, IReadOnlyList<string>? Classes, IReadOnlyDictionary<string, int>? Rows);

    private sealed record Member(string Id, int Label, string? Subject, string Hash);
}
