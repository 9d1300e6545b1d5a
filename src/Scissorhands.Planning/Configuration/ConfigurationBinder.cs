using System.Text.Json;
using System.Text.Json.Nodes;

namespace Scissorhands.Planning.Configuration;

/// <summary>
/// Makes a <see cref="RunConfiguration"/> of configuration trees and <c>KEY=VALUE</c> settings. Checks names and types;
/// <see cref="ConfigurationValidator"/> checks values.
/// </summary>
public static class ConfigurationBinder
{
    /// <summary>
    /// Binds layers over the defaults. Later layers overwrite earlier ones key by key (a list is overwritten whole), and
    /// settings overwrite layers. A section may be nested (<c>trim: {fraction: 0.03}</c>) or dotted (<c>trim.fraction</c>).
    /// </summary>
    /// <param name="layers">Trees with the file (or other origin) that messages name.</param>
    /// <param name="settings">
    /// <c>KEY=VALUE</c> with a dotted key. Lists are written <c>[a,b]</c>; items that hold a comma are quoted.
    /// </param>
    /// <returns>The configuration, its values not yet validated.</returns>
    /// <exception cref="InputException">A key is unknown or given twice in one layer, or a value has the wrong type.</exception>
    public static RunConfiguration Bind(IEnumerable<(string source, JsonNode tree)> layers, IEnumerable<string> settings)
    {
        ArgumentNullException.ThrowIfNull(layers);
        ArgumentNullException.ThrowIfNull(settings);
        var values = new Dictionary<string, object>(StringComparer.Ordinal);
        foreach (var (source, tree) in layers)
        {
            if (tree is not JsonObject root)
            {
                throw new InputException($"{source}: expected a configuration of keys and values, found {Show(tree)}");
            }

            var layer = new Dictionary<string, object>(StringComparer.Ordinal);
            Collect(source, root, "", layer);
            foreach (var (key, value) in layer)
            {
                values[key] = value;
            }
        }

        foreach (var setting in settings)
        {
            var (key, value) = ReadSetting(setting);
            values[key] = value;
        }

        return (RunConfiguration)Construct(new RunConfiguration(), ConfigurationKey.Root, values);
    }

    private static void Collect(string source, JsonObject tree, string prefix, Dictionary<string, object> layer)
    {
        foreach (var (name, node) in tree)
        {
            var full = prefix + name;
            if (ConfigurationKey.Leaves.TryGetValue(full, out var leaf))
            {
                if (!layer.TryAdd(full, ConfigurationValue.FromNode(leaf, node, source)))
                {
                    throw new InputException($"{source}: configuration key '{full}' is given twice; keep one");
                }
            }
            else if (ConfigurationKey.Sections.ContainsKey(full))
            {
                // A section whose entries are all commented out reads as null.
                if (node is JsonObject section)
                {
                    Collect(source, section, full + ".", layer);
                }
                else if (node is not null)
                {
                    throw new InputException($"{source}: configuration key '{full}' is a section with {Names(full)}, not {Show(node)}");
                }
            }
            else
            {
                throw new InputException(Unknown(source, full));
            }
        }
    }

    private static (string Key, object Value) ReadSetting(string setting)
    {
        const string Source = "--set";
        var equals = setting.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0)
        {
            throw new InputException($"{Source} '{setting}': expected KEY=VALUE, e.g. repair.epochs=5");
        }

        var key = setting[..equals].Trim();
        if (ConfigurationKey.Leaves.TryGetValue(key, out var leaf))
        {
            return (key, ConfigurationValue.FromText(leaf, setting[(equals + 1)..].Trim(), Source));
        }

        throw new InputException(ConfigurationKey.Sections.ContainsKey(key)
            ? $"{Source}: configuration key '{key}' is a section; set one of {Names(key)}"
            : Unknown(Source, key));
    }

    private static object Construct(object record, IReadOnlyList<ConfigurationKey> keys, Dictionary<string, object> values)
    {
        foreach (var key in keys)
        {
            if (key.Children.Count > 0)
            {
                Construct(key.Property.GetValue(record)!, key.Children, values);
            }
            else if (values.TryGetValue(key.Name, out var value))
            {
                key.Property.SetValue(record, value);
            }
        }

        return record;
    }

    private static string Names(string section)
    {
        return string.Join(", ", ConfigurationKey.Sections[section].Children.Select(child => child.Name));
    }

    private static string Unknown(string source, string key)
    {
        var start = $"{source}: unknown configuration key '{OneLine(key)}'; ";
        if (Nearest(key) is { } nearest)
        {
            return $"{start}did you mean '{nearest}'?";
        }

        var section = key.Split('.')[0];
        if (ConfigurationKey.Sections.Keys.FirstOrDefault(known => known != section && NearestName.Distance(section.ToLowerInvariant(), known) <= NearestName.SlipsIn(section)) is { } meant)
        {
            return $"{start}did you mean '{meant}.*'? It has {Names(meant)}";
        }

        return ConfigurationKey.Sections.ContainsKey(section)
            ? $"{start}section '{section}' has {Names(section)}"
            : $"{start}there are {string.Join(", ", ConfigurationKey.Root.Select(static child => child.Children.Count > 0 ? child.Name + ".*" : child.Name))}";
    }

    /// <summary>The key that was meant; null where none is like it.</summary>
    private static string? Nearest(string unknown)
    {
        var lower = unknown.ToLowerInvariant();
        var shortName = lower[(lower.LastIndexOf('.') + 1)..];

        // A key without (or with the wrong) section is a commoner slip than a misspelt one, hence the second measure.
        var (key, cost, distance) = ConfigurationKey.Leaves.Values
            .Select(key =>
            {
                var (whole, last) = (NearestName.Distance(lower, key.Name.ToLowerInvariant()), NearestName.Distance(shortName, key.ShortName.ToLowerInvariant()));
                return (key.Name, Cost: Math.Min(2 * whole, 1 + (2 * last)), Distance: Math.Min(whole, last));
            })
            .MinBy(static candidate => candidate.Cost);
        return distance <= NearestName.SlipsIn(shortName) ? key : null;
    }

    /// <summary>A node as one short line for messages.</summary>
    internal static string Show(JsonNode? node)
    {
        return OneLine(node is null ? "null" : node.ToJsonString(ConfigurationJson.Relaxed));
    }

    private static string OneLine(string text)
    {
        var line = new string(text.Select(c => char.IsControl(c) ? ' ' : c).ToArray());
        return line.Length > 80 ? line[..77] + "..." : line;
    }
}
