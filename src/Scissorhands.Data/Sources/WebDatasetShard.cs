using System.Formats.Tar;
using System.Globalization;
using System.Text.Json;
using Scissorhands.Planning;

namespace Scissorhands.Data.Sources;

/// <summary>
/// Indexes a WebDataset tar shard: consecutive members KEY.EXT make up a sample, KEY being the member's path up to the
/// first dot of its file name. The image is a .jpg, .jpeg or .png, the label a .cls (ASCII digits) or the "label" of a
/// .json, which may also name a "subject".
/// </summary>
internal static class WebDatasetShard
{
    private const int MaximumMetadataBytes = 1 << 20;
    private const int MaximumImageBytes = 1 << 28;
    private const int MaximumShown = 20;

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    /// <summary>Reads a shard from front to back.</summary>
    public static SampleGroup Read(string path, string identity, CancellationToken cancellationToken) =>
        SourceFile.Read(path, () => ReadShard(path, identity, cancellationToken));

    private static SampleGroup ReadShard(string path, string identity, CancellationToken cancellationToken)
    {
        var entries = new List<SampleEntry>();
        var keys = new HashSet<string>(StringComparer.Ordinal);
        var sample = new Partial();
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20);
        using var reader = new TarReader(stream);
        long last = 0;
        try
        {
            while (reader.GetNextEntry(copyData: false) is { } entry)
            {
                cancellationToken.ThrowIfCancellationRequested();
                last = entry.DataOffset;
                if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile))
                {
                    continue;
                }

                var name = entry.Name;
                var dot = name.IndexOf('.', name.LastIndexOf('/') + 1);
                if (dot <= 0)
                {
                    continue;
                }

                var key = name[..dot];
                if (sample.Key is not null && sample.Key != key)
                {
                    entries.Add(sample.Finish(path));
                    sample = new Partial();
                }

                if (sample.Key is null && !keys.Add(key))
                {
                    throw new InputException($"{path}: the key '{key}' appears twice, or its members are not consecutive");
                }

                sample.Key = key;
                Take(path, entry, name[(dot + 1)..], sample);
            }
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or FormatException)
        {
            throw new InputException($"{path}: the tar is damaged or truncated after byte {last} ({e.Message}); fetch the shard again", e);
        }

        if (sample.Key is not null)
        {
            entries.Add(sample.Finish(path));
        }

        if (stream.Length % 512 != 0 || stream.Length == 0)
        {
            throw new InputException($"{path}: the tar is truncated: {stream.Length} bytes are not whole blocks of 512");
        }

        return new SampleGroup(path, path, identity, ImageEncoding.Compressed, entries);
    }

    private static void Take(string path, TarEntry entry, string extension, Partial sample)
    {
        switch (extension.ToUpperInvariant())
        {
            case "JPG" or "JPEG" or "PNG":
                if (entry.Length is 0 or > MaximumImageBytes)
                {
                    throw new InputException($"{path}: the image of '{sample.Key}' has {entry.Length} bytes");
                }

                var bytes = ReadAll(entry);
                (sample.Offset, sample.Length, sample.Hash) = (entry.DataOffset, bytes.Length, SampleHash.Of(bytes));
                break;
            case "CLS":
                var text = System.Text.Encoding.ASCII.GetString(ReadSmall(path, entry, sample)).Trim();
                if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var label))
                {
                    throw new InputException($"{path}: the label of '{sample.Key}' is '{Shortened(text)}', not a class index");
                }

                sample.Label = label;
                break;
            case "JSON":
                TakeJson(path, ReadSmall(path, entry, sample), sample);
                break;
        }
    }

    private static void TakeJson(string path, ReadOnlyMemory<byte> bytes, Partial sample)
    {
        try
        {
            using var json = JsonDocument.Parse(bytes.Span.StartsWith(ByteOrderMark) ? bytes[ByteOrderMark.Length..] : bytes);
            if (json.RootElement.ValueKind != JsonValueKind.Object)
            {
                return;
            }

            if (json.RootElement.TryGetProperty("label", out var label))
            {
                if (label.ValueKind == JsonValueKind.Number && label.TryGetInt32(out var number) && number >= 0)
                {
                    sample.Label ??= number;
                }
                else
                {
                    // Not a fault yet: a .cls may still come, and counts.
                    sample.BadLabel = Shortened(label.GetRawText());
                }
            }

            if (json.RootElement.TryGetProperty("subject", out var subject))
            {
                sample.Subject = subject.ValueKind == JsonValueKind.String ? subject.GetString() : subject.GetRawText();
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string that is half a character.
            throw new InputException($"{path}: the .json of '{sample.Key}' is not JSON ({e.Message})", e);
        }
    }

    private static string Shortened(string text) => text.Length > MaximumShown ? text[..MaximumShown] : text;

    private static byte[] ReadSmall(string path, TarEntry entry, Partial sample) =>
        entry.Length <= MaximumMetadataBytes ? ReadAll(entry) : throw new InputException($"{path}: '{entry.Name}' of '{sample.Key}' has {entry.Length} bytes, more than metadata may have");

    private static byte[] ReadAll(TarEntry entry)
    {
        var bytes = new byte[entry.Length];
        entry.DataStream?.ReadExactly(bytes);
        return bytes;
    }

    private sealed class Partial
    {
        public string? Key { get; set; }

        public int? Label { get; set; }

        public string? BadLabel { get; set; }

        public string? Subject { get; set; }

        public long Offset { get; set; }

        public int Length { get; set; }

        public string Hash { get; set; } = "";

        public SampleEntry Finish(string path)
        {
            if (Length == 0)
            {
                throw new InputException($"{path}: sample '{Key}' has no .jpg, .jpeg or .png");
            }

            if (Label is null && BadLabel is not null)
            {
                throw new InputException($"{path}: the label of '{Key}' in its .json is {BadLabel}, not a class index");
            }

            return new SampleEntry(
                Key!,
                Label ?? throw new InputException($"{path}: sample '{Key}' has no .cls, and no \"label\" in a .json"),
                Subject,
                path,
                Offset,
                Length,
                Hash);
        }
    }
}
