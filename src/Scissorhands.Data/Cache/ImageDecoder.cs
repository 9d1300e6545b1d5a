using Scissorhands.Data.Samples;
using Scissorhands.Data.Sources;
using Scissorhands.Planning;
using SkiaSharp;

namespace Scissorhands.Data.Cache;

/// <summary>From a sample's bytes to pixels: RGB, one byte an element, channels first.</summary>
internal static class ImageDecoder
{
    private const int Channels = 3;
    private const int MaximumEdge = 16_384;

    /// <summary>The size an image has, after resizing.</summary>
    public static ImageShape ShapeOf(SampleGroup group, SampleEntry entry, int imageSize)
    {
        if (group.Encoding == ImageEncoding.Planar)
        {
            return new ImageShape(Channels, 32, 32);
        }

        if (imageSize > 0)
        {
            return new ImageShape(Channels, imageSize, imageSize);
        }

        using var bitmap = Load(group, entry);
        return new ImageShape(Channels, bitmap.Height, bitmap.Width);
    }

    /// <summary>
    /// Decodes, resizes where asked, and checks the size. Resizing takes the whole image to the square: the ratio of its
    /// sides is not kept.
    /// </summary>
    public static void Decode(SampleGroup group, SampleEntry entry, ImageShape shape, int imageSize, Span<byte> pixels)
    {
        if (group.Encoding == ImageEncoding.Planar)
        {
            ReadBytes(entry).CopyTo(pixels);
            return;
        }

        var bitmap = Load(group, entry);
        try
        {
            if (imageSize > 0 && (bitmap.Width != imageSize || bitmap.Height != imageSize))
            {
                // The cubic sampler sees four pixels a side whatever the scale; halving first lets every pixel count.
                while (bitmap.Width >= 2 * imageSize || bitmap.Height >= 2 * imageSize)
                {
                    Resize(
                        ref bitmap,
                        bitmap.Width >= 2 * imageSize ? (bitmap.Width + 1) / 2 : bitmap.Width,
                        bitmap.Height >= 2 * imageSize ? (bitmap.Height + 1) / 2 : bitmap.Height,
                        new SKSamplingOptions(SKFilterMode.Linear),
                        group,
                        entry);
                }

                Resize(ref bitmap, imageSize, imageSize, new SKSamplingOptions(SKCubicResampler.Mitchell), group, entry);
            }

            if (bitmap.Width != shape.Width || bitmap.Height != shape.Height)
            {
                throw new InputException($"{group.Name}: the image of '{entry.Id}' is {bitmap.Width}x{bitmap.Height}, others are {shape.Width}x{shape.Height}; set data.imageSize to resize all");
            }

            var source = bitmap.GetPixelSpan();
            var plane = shape.Height * shape.Width;
            var rowBytes = bitmap.RowBytes;
            for (var y = 0; y < shape.Height; y++)
            {
                var row = source.Slice(y * rowBytes, shape.Width * 4);
                var target = y * shape.Width;
                for (var x = 0; x < shape.Width; x++)
                {
                    pixels[target + x] = row[x * 4];
                    pixels[target + x + plane] = row[(x * 4) + 1];
                    pixels[target + x + (2 * plane)] = row[(x * 4) + 2];
                }
            }
        }
        finally
        {
            bitmap.Dispose();
        }
    }

    private static void Resize(ref SKBitmap bitmap, int width, int height, SKSamplingOptions sampling, SampleGroup group, SampleEntry entry)
    {
        if (bitmap.Width == width && bitmap.Height == height)
        {
            return;
        }

        var resized = bitmap.Resize(new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Unpremul), sampling)
            ?? throw new InputException($"{group.Name}: the image of '{entry.Id}' cannot be resized to {width}x{height}");
        bitmap.Dispose();
        bitmap = resized;
    }

    private static SKBitmap Load(SampleGroup group, SampleEntry entry)
    {
        var bytes = ReadBytes(entry);
        using var data = SKData.CreateCopy(bytes);
        using var codec = SKCodec.Create(data);
        if (codec is null || codec.Info.Width is <= 0 or > MaximumEdge || codec.Info.Height is <= 0 or > MaximumEdge)
        {
            throw Undecodable(group, entry);
        }

        var bitmap = new SKBitmap(new SKImageInfo(codec.Info.Width, codec.Info.Height, SKColorType.Rgba8888, SKAlphaType.Unpremul));
        if (codec.GetPixels(bitmap.Info, bitmap.GetPixels()) != SKCodecResult.Success)
        {
            // Half an image decodes as IncompleteInput; it would be learned and forgotten as something it is not.
            bitmap.Dispose();
            throw Undecodable(group, entry);
        }

        return bitmap;
    }

    private static InputException Undecodable(SampleGroup group, SampleEntry entry) =>
        new($"{group.Name}: the image of '{entry.Id}' is neither a whole JPEG nor a whole PNG");

    /// <summary>Reads an image as it is stored.</summary>
    /// <exception cref="InputException">It is not there, or not what was indexed.</exception>
    public static byte[] ReadBytes(SampleEntry entry)
    {
        var bytes = SourceFile.Read(entry.File, () => ReadRange(entry));

        // A shard that is rewritten under a run has other images at the places of the index.
        return SampleHash.Of(bytes) == entry.Hash ? bytes : throw new InputException($"{entry.File}: the image of '{entry.Id}' is not the one that was indexed; the file is damaged, or was rewritten meanwhile");
    }

    private static byte[] ReadRange(SampleEntry entry)
    {
        using var handle = File.OpenHandle(entry.File);
        var bytes = new byte[entry.Length];
        var done = 0;
        while (done < bytes.Length)
        {
            var read = RandomAccess.Read(handle, bytes.AsSpan(done), entry.Offset + done);
            if (read == 0)
            {
                throw new InputException($"{entry.File}: ends within the image of '{entry.Id}'");
            }

            done += read;
        }

        return bytes;
    }
}
