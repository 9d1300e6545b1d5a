using System.Formats.Tar;
using System.Text;
using SkiaSharp;

namespace Scissorhands.Data.Tests;

/// <summary>Makes small shards.</summary>
internal static class Shards
{
    public static byte[] Png(int width, int height, Func<int, int, (byte R, byte G, byte B)> color)
    {
        using var bitmap = new SKBitmap(new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Opaque));
        for (var y = 0; y < height; y++)
        {
            for (var x = 0; x < width; x++)
            {
                var (r, g, b) = color(x, y);
                bitmap.SetPixel(x, y, new SKColor(r, g, b));
            }
        }

        using var data = bitmap.Encode(SKEncodedImageFormat.Png, 100);
        return data.ToArray();
    }

    public static void Write(string path, IEnumerable<(string Name, byte[] Bytes)> members)
    {
        using var stream = File.Create(path);
        using var writer = new TarWriter(stream, TarEntryFormat.Pax);
        foreach (var (name, bytes) in members)
        {
            writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(bytes) });
        }
    }

    /// <summary>A shard of so many 4x3 images; image i has red value i at every pixel, green x, blue y.</summary>
    public static void WriteImages(string path, int count, string prefix = "s", int classes = 3) =>
        Write(path, Enumerable.Range(0, count).SelectMany(i => new[]
        {
            ($"{prefix}{i:D3}.png", Png(4, 3, (x, y) => ((byte)i, (byte)x, (byte)y))),
            ($"{prefix}{i:D3}.cls", Encoding.ASCII.GetBytes($"{i % classes}\n")),
        }));
}
