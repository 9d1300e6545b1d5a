using System.Globalization;
using Scissorhands.Data.Samples;

namespace Scissorhands.Worker.Tests.Generations;

/// <summary>Small images whose class shows in their colours, so that steps do something.</summary>
internal sealed class MadeUpSamples(int count, int classes) : ISampleSet
{
    public int Count => count;

    public ImageShape Shape => new(3, 8, 8);

    public string Digest => "made-up";

    public string DigestOf(IEnumerable<int> ordinals) => Digest;

    public IReadOnlyList<string>? ClassNames => null;

    public string Id(int ordinal) => ordinal.ToString(CultureInfo.InvariantCulture);

    public int Label(int ordinal) => ordinal % classes;

    public string? Subject(int ordinal) => null;

    public bool TryFind(string id, out int ordinal) => int.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out ordinal) && ordinal < count;

    public void Read(int ordinal, Span<byte> pixels)
    {
        var random = new Random(ordinal);
        random.NextBytes(pixels);
        pixels.Slice(Label(ordinal) * 64, 64).Fill(255);
    }

    public void Dispose()
    {
    }
}
