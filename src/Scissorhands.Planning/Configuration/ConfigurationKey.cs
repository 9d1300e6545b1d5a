using System.Reflection;
using System.Text.Json;

namespace Scissorhands.Planning.Configuration;

/// <summary>One node of the configuration's key tree: a section with children, or a leaf with a value type.</summary>
internal sealed class ConfigurationKey
{
    private ConfigurationKey(string name, PropertyInfo property, IReadOnlyList<ConfigurationKey> children)
    {
        Name = name;
        Property = property;
        Children = children;
        Expected = children.Count > 0 ? "a section" : Describe(property.PropertyType);
    }

    /// <summary>The keys of <see cref="RunConfiguration"/>, in the order they are declared.</summary>
    public static IReadOnlyList<ConfigurationKey> Root { get; } = Build(typeof(RunConfiguration), "");

    /// <summary>All leaf keys by their full dotted names.</summary>
    public static IReadOnlyDictionary<string, ConfigurationKey> Leaves { get; } = Flatten(Root).ToDictionary(key => key.Name, StringComparer.Ordinal);

    /// <summary>All sections by their full dotted names.</summary>
    public static IReadOnlyDictionary<string, ConfigurationKey> Sections { get; } =
        Root.Where(key => key.Children.Count > 0).ToDictionary(key => key.Name, StringComparer.Ordinal);

    /// <summary>The full dotted name, e.g. <c>trim.fraction</c>.</summary>
    public string Name { get; }

    /// <summary>The last part of <see cref="Name"/>.</summary>
    public string ShortName => Name[(Name.LastIndexOf('.') + 1)..];

    /// <summary>The property of the record that holds this key.</summary>
    public PropertyInfo Property { get; }

    /// <summary>The keys of a section; empty for a leaf.</summary>
    public IReadOnlyList<ConfigurationKey> Children { get; }

    /// <summary>What a value must be, in words, for messages.</summary>
    public string Expected { get; }

    private static ConfigurationKey[] Build(Type type, string prefix)
    {
        // Reflection promises no order; metadata tokens follow the declaration.
        return type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Where(property => property.CanWrite)
            .OrderBy(property => property.MetadataToken)
            .Select(property =>
            {
                var name = prefix + JsonNamingPolicy.CamelCase.ConvertName(property.Name);
                return new ConfigurationKey(name, property, IsSection(property.PropertyType) ? Build(property.PropertyType, name + ".") : []);
            })
            .ToArray();
    }

    private static bool IsSection(Type type)
    {
        return type.IsClass && type.Namespace == typeof(RunConfiguration).Namespace;
    }

    private static IEnumerable<ConfigurationKey> Flatten(IEnumerable<ConfigurationKey> keys)
    {
        return keys.SelectMany(key => key.Children.Count > 0 ? Flatten(key.Children) : [key]);
    }

    private static string Describe(Type type)
    {
        return type switch
        {
            _ when type == typeof(string) => "a string",
            _ when type == typeof(bool) => "true or false",
            _ when type == typeof(int) || type == typeof(long) => "a whole number",
            _ when type == typeof(double) || type == typeof(decimal) => "a number",
            _ when type == typeof(IReadOnlyList<string>) => "a list of strings such as [a,b]",
            _ when type == typeof(IReadOnlyList<int>) => "a list of whole numbers such as [1,2]",
            _ when type == typeof(IReadOnlyList<float>) => "a list of numbers such as [0.5,0.25]",
            _ => throw new NotSupportedException($"configuration type {type}"),
        };
    }
}
