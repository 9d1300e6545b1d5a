using System.Formats.Tar;
using System.Globalization;
using System.Text;
using SkiaSharp;

namespace Scissorhands.Drill.World;

/// <summary>Draws tiny images and packs them into shards.</summary>
public static class TinyData
{
    public static string Id(string set, int index) => string.Create(CultureInfo.InvariantCulture, $"{set}-0-{index:D4}");

    /// <summary>Interleaved RGB pixels: stripes whose direction and colour follow the class, under noise.</summary>
    public static byte[] Pixels(int index, int label, int size)
    {
        var pixels = new byte[size * size * 3];
        var noise = (uint)((index + 1) * 2654435761L);
        for (var y = 0; y < size; y++)
        {
            for (var x = 0; x < size; x++)
            {
                var stripe = (label % 3) switch { 0 => x, 1 => y, _ => x + y } % 4 < 2;
                for (var c = 0; c < 3; c++)
                {
                    noise = (noise * 1664525) + 1013904223;
                    pixels[(((y * size) + x) * 3) + c] = (byte)((stripe == (c == label % 3) ? 150 : 40) + (noise >> 26) + index);
                }
            }
        }

        return pixels;
    }

    public static byte[] Png(byte[] pixels, int size)
    {
        using var bitmap = new SKBitmap(new SKImageInfo(size, size, SKColorType.Rgba8888, SKAlphaType.Opaque));
        for (var i = 0; i < size * size; i++)
        {
            bitmap.SetPixel(i % size, i / size, new SKColor(pixels[3 * i], pixels[(3 * i) + 1], pixels[(3 * i) + 2]));
        }

        using var data = bitmap.Encode(SKEncodedImageFormat.Png, 100);
        return data.ToArray();
    }

    /// <summary>Writes a shard whose samples have the size and label that the functions say.</summary>
    public static void WriteShard(string path, string set, int count, Func<int, int> size, Func<int, int> label) =>
        WriteShard(path, Enumerable.Range(0, count).Select(i => (Id(set, i), Png(Pixels(i, label(i), size(i)), size(i)), label(i))));

    public static void WriteShard(string path, IEnumerable<(string Id, byte[] Image, int Label)> samples)
    {
        using var stream = File.Create(path);
        using var writer = new TarWriter(stream, TarEntryFormat.Ustar);
        foreach (var (id, image, label) in samples)
        {
            Add(writer, id + ".png", image);
            Add(writer, id + ".cls", Encoding.ASCII.GetBytes(label.ToString(CultureInfo.InvariantCulture)));
        }
    }

    private static void Add(TarWriter writer, string name, byte[] bytes)
    {
        using var content = new MemoryStream(bytes);
        writer.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = content, ModificationTime = DateTimeOffset.UnixEpoch });
    }
}
