using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Scissorhands.CommandLine.Configuration;

/// <summary>
/// Reads configuration files (YAML, or JSON by the extension <c>.json</c>) and the presets that come with the program
/// into the trees that <see cref="ConfigurationBinder"/> takes. Plain YAML scalars get their types by the YAML 1.2 core
/// schema; quoted ones are strings.
/// </summary>
public static partial class YamlLayers
{
    private const int MaximumBytes = 1 << 20;
    private const int MaximumDepth = 16;

    /// <summary>The names of the presets beside the program, in ordinal order.</summary>
    /// <returns>File names without the extension.</returns>
    public static IReadOnlyList<string> Presets()
    {
        var folder = PresetFolder();
        return Directory.Exists(folder)
            ? Directory.EnumerateFiles(folder, "*.yaml").Select(path => Path.GetFileNameWithoutExtension(path)).Order(StringComparer.Ordinal).ToArray()
            : [];
    }

    /// <summary>Reads a layer by the path of a file or, where there is no such file, the name of a preset.</summary>
    /// <param name="pathOrPreset">The value of <c>--config</c>.</param>
    /// <returns>The file's path, for messages, and its tree; an empty file is an empty tree.</returns>
    /// <exception cref="InputException">Neither a file nor a preset, not readable, too large, or malformed (with the line).</exception>
    public static (string Source, JsonNode Tree) Read(string pathOrPreset)
    {
        ArgumentNullException.ThrowIfNull(pathOrPreset);
        var path = pathOrPreset;
        if (!File.Exists(path))
        {
            var presets = Presets();
            if (!presets.Contains(pathOrPreset, StringComparer.Ordinal))
            {
                throw new InputException($"--config '{pathOrPreset}': neither a file nor a preset; presets are {string.Join(", ", presets)}");
            }

            path = Path.Combine(PresetFolder(), pathOrPreset + ".yaml");
        }

        return ReadFile(path);
    }

    /// <summary>Reads a file of keys and values: YAML, or JSON by the extension <c>.json</c>.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The file's path, for messages, and its tree; an empty file is an empty tree.</returns>
    /// <exception cref="InputException">Not there, not readable, too large, or malformed (with the line).</exception>
    public static (string Source, JsonNode Tree) ReadFile(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        string text;
        try
        {
            if (new FileInfo(path).Length > MaximumBytes)
            {
                throw new InputException($"{path}: larger than {MaximumBytes} bytes; is this a configuration file?");
            }

            text = File.ReadAllText(path, new UTF8Encoding(false, throwOnInvalidBytes: true));
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: cannot be read: {failure.Message.ReplaceLineEndings(" ")}", failure);
        }
        catch (DecoderFallbackException failure)
        {
            throw new InputException($"{path}: not UTF-8 text; is this a configuration file?", failure);
        }

        var isJson = string.Equals(Path.GetExtension(path), ".json", StringComparison.OrdinalIgnoreCase);
        return (path, isJson ? ConfigurationJson.ParseTree(text, path) : ParseYaml(text, path));
    }

    /// <summary>Reads one YAML document into a tree.</summary>
    /// <param name="yaml">The text; nothing but comments is an empty tree.</param>
    /// <param name="source">The file that messages name.</param>
    /// <returns>The tree.</returns>
    /// <exception cref="InputException">
    /// Malformed; a repeated key, an alias, an unknown tag, several documents, or nesting deeper than 16. Names file and line.
    /// </exception>
    public static JsonNode ParseYaml(string yaml, string source)
    {
        ArgumentNullException.ThrowIfNull(yaml);
        var parser = new Parser(new StringReader(yaml));
        try
        {
            parser.Consume<StreamStart>();
            if (parser.TryConsume<StreamEnd>(out _))
            {
                return new JsonObject();
            }

            parser.Consume<DocumentStart>();
            var tree = ReadNode(parser, source, 0);
            parser.Consume<DocumentEnd>();
            if (!parser.TryConsume<StreamEnd>(out _))
            {
                throw Fault(source, parser.Current!.Start, "a second document; a configuration file holds one");
            }

            return tree ?? new JsonObject();
        }
        catch (YamlException failure)
        {
            // An unquoted glob is the likely cause of a broken alias.
            var line = yaml.Split('\n').ElementAtOrDefault((int)failure.Start.Line - 1) ?? "";
            var hint = line.Contains('*', StringComparison.Ordinal) ? " (a glob that begins with * must be quoted: \"*layer4*\")" : "";
            throw Fault(source, failure.Start, $"not valid YAML: {failure.Message.ReplaceLineEndings(" ")}{hint}", failure);
        }
        catch (Exception failure) when (failure is not InputException)
        {
            // The scanner answers some malformed texts with exceptions of other kinds that carry no position.
            throw Fault(source, parser.Current?.End ?? Mark.Empty, "not valid YAML near here", failure);
        }
    }

    private static JsonNode? ReadNode(Parser parser, string source, int depth)
    {
        var start = parser.Current!.Start;
        if (depth > MaximumDepth)
        {
            throw Fault(source, start, $"nested deeper than {MaximumDepth}");
        }

        if (parser.TryConsume<Scalar>(out var scalar))
        {
            return ReadScalar(scalar, source);
        }

        if (parser.TryConsume<SequenceStart>(out var sequence))
        {
            RejectTag(sequence, "tag:yaml.org,2002:seq", source);
            var array = new JsonArray();
            while (!parser.TryConsume<SequenceEnd>(out _))
            {
                array.Add(ReadNode(parser, source, depth + 1));
            }

            return array;
        }

        if (parser.TryConsume<MappingStart>(out var mapping))
        {
            RejectTag(mapping, "tag:yaml.org,2002:map", source);
            var section = new JsonObject();
            while (!parser.TryConsume<MappingEnd>(out _))
            {
                var keyAt = parser.Current!.Start;
                if (!parser.TryConsume<Scalar>(out var key))
                {
                    throw Fault(source, keyAt, "a key must be a plain name");
                }

                if (section.ContainsKey(key.Value))
                {
                    throw Fault(source, keyAt, $"key '{key.Value}' is given twice; keep one");
                }

                section.Add(key.Value, ReadNode(parser, source, depth + 1));
            }

            return section;
        }

        // Aliases would let a short file expand without bound, and no configuration needs them.
        throw Fault(source, start, "aliases (*name) are not supported; a glob that begins with * must be quoted: \"*layer4*\"");
    }

    private static JsonNode? ReadScalar(Scalar scalar, string source)
    {
        var text = scalar.Value;
        if (!scalar.Tag.IsEmpty)
        {
            RejectTag(scalar, "tag:yaml.org,2002:str", source);
            return JsonValue.Create(text);
        }

        return scalar.Style == ScalarStyle.Plain ? ReadPlain(text, scalar.Start, source) : JsonValue.Create(text);
    }

    private static JsonNode? ReadPlain(string text, Mark at, string source)
    {
        switch (text)
        {
            case "" or "~" or "null" or "Null" or "NULL":
                return null;
            case "true" or "True" or "TRUE":
                return JsonValue.Create(true);
            case "false" or "False" or "FALSE":
                return JsonValue.Create(false);
        }

        if (OtherBase().Match(text) is { Success: true } other)
        {
            var digits = other.Groups["digits"].Value;
            var value = digits.Aggregate(BigInteger.Zero, (sum, digit) => (sum * (text[1] == 'x' ? 16 : 8)) + Convert.ToInt32(digit.ToString(), 16));
            return JsonNode.Parse(value.ToString(CultureInfo.InvariantCulture));
        }

        if (Number().Match(text) is { Success: true } number)
        {
            // JSON knows neither a plus sign nor a bare point nor leading zeros; the digits stay as they are written.
            var whole = number.Groups["whole"].Value.TrimStart('0');
            var part = number.Groups["part"].Value;
            var sign = text[0] == '-' ? "-" : "";
            return JsonNode.Parse($"{sign}{(whole.Length > 0 ? whole : "0")}{(part.Length > 0 ? "." + part : "")}{number.Groups["exponent"].Value}");
        }

        if (NotFinite().IsMatch(text))
        {
            throw Fault(source, at, $"'{text}' is not a finite number");
        }

        return JsonValue.Create(text);
    }

    private static void RejectTag(NodeEvent node, string allowed, string source)
    {
        if (!node.Tag.IsEmpty && !node.Tag.IsNonSpecific && node.Tag.Value != allowed)
        {
            throw Fault(source, node.Start, $"tag '{node.Tag.Value}' is not supported; remove it");
        }
    }

    private static InputException Fault(string source, Mark at, string what, Exception? inner = null)
    {
        // What it quotes may hold line endings: a key, a tag.
        return new InputException($"{source}, line {at.Line}: {what.ReplaceLineEndings(" ")}", inner);
    }

    private static string PresetFolder()
    {
        return Path.Combine(AppContext.BaseDirectory, "presets");
    }

    [GeneratedRegex(@"^[-+]?(?:(?<whole>[0-9]+)(?:\.(?<part>[0-9]*))?|\.(?<part>[0-9]+))(?<exponent>[eE][-+]?[0-9]+)?\z", RegexOptions.CultureInvariant)]
    private static partial Regex Number();

    [GeneratedRegex(@"^0(?:x(?<digits>[0-9a-fA-F]+)|o(?<digits>[0-7]+))\z", RegexOptions.CultureInvariant)]
    private static partial Regex OtherBase();

    [GeneratedRegex(@"^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\z", RegexOptions.CultureInvariant)]
    private static partial Regex NotFinite();
}
