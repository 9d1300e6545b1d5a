using System.Globalization;
using Scissorhands.Planning;

namespace Scissorhands.Core.Models;

/// <summary>
/// Which built-in architecture a state dict belongs to. As text it is the name, optionally followed by options,
/// <c>resnet18;classes=10;stem=cifar;width=16</c>: what model files carry in their metadata
/// under <see cref="MetadataKey"/>.
/// </summary>
/// <param name="Name">One of <see cref="KnownNames"/>.</param>
/// <param name="Classes">Outputs of the last layer, at least 1.</param>
/// <param name="CifarStem">
/// For small images. Residual networks: a 3x3 first convolution with stride 1 and no max pooling. <c>vgg16_bn</c>:
/// pooling to 1x1 instead of 7x7 before the classifier.
/// </param>
/// <param name="Width">
/// Channels of the first stage, at least 1; later stages have fixed multiples of it. <c>vgg16_bn</c>'s hidden layers
/// have 64 times as many units.
/// </param>
/// <param name="Dropout">Drop probability in [0,1): before <c>fc</c>, or after each hidden layer of <c>vgg16_bn</c>'s classifier.</param>
/// <param name="Channels">Channels of the images, at least 1.</param>
public sealed record ArchitectureSpec(string Name, int Classes, bool CifarStem, int Width, double Dropout, int Channels = 3)
{
    /// <summary>Key of the encoded specification in a safetensors file's metadata.</summary>
    public const string MetadataKey = "architecture";

    private static readonly string[] Options = ["classes", "stem", "width", "dropout", "channels"];

    private static readonly Dictionary<string, ArchitectureSpec> Defaults = new(StringComparer.Ordinal)
    {
        ["resnet18"] = new("resnet18", 1000, false, 64, 0),
        ["resnet20"] = new("resnet20", 10, true, 16, 0),
        ["resnet34"] = new("resnet34", 1000, false, 64, 0),
        ["resnet50"] = new("resnet50", 1000, false, 64, 0),
        ["vgg16_bn"] = new("vgg16_bn", 1000, false, 64, 0.5),
    };

    /// <summary>The built-in architectures, in name order.</summary>
    public static IReadOnlyList<string> KnownNames { get; } = [.. Defaults.Keys.Order(StringComparer.Ordinal)];

    /// <summary>Whether the architecture is a residual network: they share their first and last layers' names.</summary>
    internal bool IsResidual => Name.StartsWith("resnet", StringComparison.Ordinal);

    /// <summary>Reads the text form.</summary>
    /// <param name="text">A name, optionally followed by <c>;option=value</c>: classes, stem (cifar, imagenet), width, dropout, channels.</param>
    /// <returns>The specification; options not named have the architecture's defaults.</returns>
    /// <exception cref="InputException">Unknown name or option, or a value out of range.</exception>
    public static ArchitectureSpec Parse(string text) => Read(text, out _);

    /// <summary>
    /// Finds out classes, stem, width and image channels from a state dict's shapes. Options that <paramref name="text"/>
    /// names must agree with them; dropout leaves no trace in the shapes and is taken from the text.
    /// </summary>
    /// <param name="text">A name, optionally with options, as <see cref="Parse"/> takes it.</param>
    /// <param name="shapes">Shapes by tensor name.</param>
    /// <returns>The specification the shapes belong to. Only the first and last layers are looked at: loading checks the rest.</returns>
    /// <exception cref="InputException">The shapes are not those of the named architecture, or differ from a named option.</exception>
    public static ArchitectureSpec Infer(string text, IReadOnlyDictionary<string, long[]> shapes)
    {
        ArgumentNullException.ThrowIfNull(shapes);
        var stated = Read(text, out var options);
        var (firstName, lastName) = stated.IsResidual ? ("conv1.weight", "fc.weight") : ("features.0.weight", "classifier.6.weight");
        var first = Shape(firstName, 4);
        var last = Shape(lastName, 2);
        bool cifarStem;
        if (stated.IsResidual)
        {
            cifarStem = first[2] switch
            {
                3 => true,
                7 => false,
                _ => throw Mismatch(firstName, first),
            };
        }
        else
        {
            var hidden = Shape("classifier.0.weight", 2);
            cifarStem = (hidden[1] / (8 * first[0])) switch
            {
                1 => true,
                49 => false,
                _ => throw Mismatch("classifier.0.weight", hidden),
            };
        }

        var inferred = stated with
        {
            Classes = Count(last[0], lastName, last),
            CifarStem = cifarStem,
            Width = Count(first[0], firstName, first),
            Channels = Count(first[1], firstName, first),
        };
        foreach (var option in options)
        {
            var (given, found) = (stated.Option(option), inferred.Option(option));
            if (given != found)
            {
                throw new InputException($"architecture '{text}': {option}={given}, but the tensors' shapes say {option}={found}; correct or leave out the option");
            }
        }

        return inferred;

        long[] Shape(string name, int rank)
        {
            if (!shapes.TryGetValue(name, out var shape))
            {
                throw new InputException($"architecture '{stated.Name}': there is no tensor '{name}'; name the architecture the state dict belongs to, one of {string.Join(", ", KnownNames)}");
            }

            return shape.Length == rank && !shape.Contains(0) ? shape : throw Mismatch(name, shape);
        }

        int Count(long value, string name, long[] shape) => value is > 0 and <= int.MaxValue ? (int)value : throw Mismatch(name, shape);

        InputException Mismatch(string name, long[] shape)
            => new($"architecture '{stated.Name}': tensor '{name}' of shape [{string.Join(", ", shape)}] does not belong to it; name the architecture the state dict belongs to, one of {string.Join(", ", KnownNames)}");
    }

    /// <summary>Finds out which architecture a model file belongs to.</summary>
    /// <param name="file">The file, for messages.</param>
    /// <param name="metadata">The file's metadata; <see cref="MetadataKey"/> holds the text form.</param>
    /// <param name="shapes">Shapes by tensor name.</param>
    /// <returns>The specification.</returns>
    /// <exception cref="InputException">The metadata names no known architecture, or the shapes are not its own.</exception>
    public static ArchitectureSpec OfFile(string file, IReadOnlyDictionary<string, string> metadata, IReadOnlyDictionary<string, long[]> shapes)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        if (!metadata.TryGetValue(MetadataKey, out var text))
        {
            throw new InputException($"{file}: does not say which architecture it belongs to; save it with metadata {{\"{MetadataKey}\": \"NAME\"}}, NAME one of {string.Join(", ", KnownNames)}");
        }

        try
        {
            return Infer(text, shapes);
        }
        catch (InputException e)
        {
            throw new InputException($"{file}: {e.Message}", e);
        }
    }

    /// <summary>The text form, with all options.</summary>
    /// <returns>What <see cref="Parse"/> reads back to an equal specification.</returns>
    public override string ToString()
        => string.Join(';', [Name, .. Options.Select(option => $"{option}={Option(option)}")]);

    private static ArchitectureSpec Read(string text, out IReadOnlyList<string> options)
    {
        ArgumentNullException.ThrowIfNull(text);
        var parts = text.Split(';', StringSplitOptions.TrimEntries);
        if (!Defaults.TryGetValue(parts[0], out var spec))
        {
            throw new InputException($"architecture '{text}': unknown name '{parts[0]}'; known are {string.Join(", ", KnownNames)}");
        }

        var named = new List<string>();
        foreach (var part in parts.Skip(1))
        {
            var separator = part.IndexOf('=', StringComparison.Ordinal);
            var (option, value) = separator < 0 ? (part, "") : (part[..separator], part[(separator + 1)..]);
            spec = option switch
            {
                "classes" => spec with { Classes = Positive(option, value) },
                "width" => spec with { Width = Positive(option, value) },
                "channels" => spec with { Channels = Positive(option, value) },
                "stem" when value is "cifar" or "imagenet" => spec with { CifarStem = value == "cifar" },
                "stem" => throw Bad(option, value, "cifar or imagenet"),
                "dropout" => spec with { Dropout = Probability(value) },
                _ => throw new InputException($"architecture '{text}': unknown option '{option}'; known are {string.Join(", ", Options)}"),
            };
            if (named.Contains(option))
            {
                throw new InputException($"architecture '{text}': option '{option}' is given twice");
            }

            named.Add(option);
        }

        options = named;
        return spec;

        // The bound keeps products of widths, multiples and kernel sizes far from overflow.
        int Positive(string option, string value)
            => int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number is > 0 and <= 1 << 20
                ? number
                : throw Bad(option, value, "a whole number from 1 to 1048576");

        double Probability(string value)
            => double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number is >= 0 and < 1
                ? number
                : throw Bad("dropout", value, "a number from 0 to below 1");

        InputException Bad(string option, string value, string expected)
            => new($"architecture '{text}': {option}={value} is not {expected}");
    }

    private string Option(string option) => option switch
    {
        "classes" => Classes.ToString(CultureInfo.InvariantCulture),
        "width" => Width.ToString(CultureInfo.InvariantCulture),
        "channels" => Channels.ToString(CultureInfo.InvariantCulture),
        "stem" => CifarStem ? "cifar" : "imagenet",
        _ => Dropout.ToString("R", CultureInfo.InvariantCulture),
    };
}
