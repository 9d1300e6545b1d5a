using Scissorhands.Planning.Randomness;
using SkiaSharp;

namespace Scissorhands.Cli.Demo;

/// <summary>
/// Draws the demonstration's images: one of five shapes, anywhere, in any colour, over a noisy ground. Learnable; but some
/// samples carry a label that is not what they show, and a model can only get those right by memorising them.
/// </summary>
internal static class DemoImages
{
    /// <summary>Edge in pixels.</summary>
    public const int Size = 16;

    /// <summary>Number of shapes.</summary>
    public const int Classes = 5;

    /// <summary>One in so many samples is mislabelled.</summary>
    private const int MislabelledEvery = 6;

    /// <summary>The class a sample is labelled with.</summary>
    public static int LabelOf(string id, bool mislabel)
    {
        var stream = RandomStream.Create(0, RandomPurpose.Demo, id);
        var shape = stream.Below(0, Classes);
        return mislabel && stream.Below(1, MislabelledEvery) == 0 ? (shape + 1 + stream.Below(2, Classes - 1)) % Classes : shape;
    }

    /// <summary>The image as PNG.</summary>
    public static byte[] Draw(string id)
    {
        var stream = RandomStream.Create(0, RandomPurpose.Demo, id);
        using var bitmap = new SKBitmap(new SKImageInfo(Size, Size, SKColorType.Rgba8888, SKAlphaType.Opaque));
        ulong position = 16;
        for (var y = 0; y < Size; y++)
        {
            for (var x = 0; x < Size; x++)
            {
                var bits = stream.Bits(position++);
                bitmap.SetPixel(x, y, new SKColor(Ground(bits), Ground(bits >> 8), Ground(bits >> 16)));
            }
        }

        using (var canvas = new SKCanvas(bitmap))
        using (var paint = new SKPaint { IsAntialias = true, StrokeWidth = 2, Color = Bright(stream) })
        {
            var radius = 3f + (2.5f * stream.UniformSingle(4));
            var x = radius + 1 + ((Size - (2 * (radius + 1))) * stream.UniformSingle(5));
            var y = radius + 1 + ((Size - (2 * (radius + 1))) * stream.UniformSingle(6));
            DrawShape(canvas, paint, stream.Below(0, Classes), x, y, radius);
        }

        using var data = bitmap.Encode(SKEncodedImageFormat.Png, 100);
        return data.ToArray();
    }

    private static void DrawShape(SKCanvas canvas, SKPaint paint, int shape, float x, float y, float radius)
    {
        switch (shape)
        {
            case 0:
                canvas.DrawCircle(x, y, radius, paint);
                break;
            case 1:
                canvas.DrawRect(x - radius, y - radius, 2 * radius, 2 * radius, paint);
                break;
            case 2:
                canvas.DrawLine(x - radius, y, x + radius, y, paint);
                canvas.DrawLine(x, y - radius, x, y + radius, paint);
                break;
            case 3:
                paint.IsStroke = true;
                canvas.DrawCircle(x, y, radius, paint);
                break;
            default:
                canvas.DrawLine(x - radius, y - radius, x + radius, y + radius, paint);
                canvas.DrawLine(x - radius, y + radius, x + radius, y - radius, paint);
                break;
        }
    }

    private static byte Ground(uint bits) => (byte)(40 + (bits & 63));

    private static SKColor Bright(RandomStream stream) =>
        new((byte)(130 + stream.Below(7, 126)), (byte)(130 + stream.Below(8, 126)), (byte)(130 + stream.Below(9, 126)));
}
