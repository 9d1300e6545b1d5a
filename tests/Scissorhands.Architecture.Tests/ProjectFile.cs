using System.Xml.Linq;

namespace Scissorhands.Architecture.Tests;

/// <summary>What a project file refers to.</summary>
/// <param name="Name">Name without extension.</param>
/// <param name="Path">Where it is, relative to the root, with forward slashes.</param>
/// <param name="Projects">Names of the referenced projects.</param>
/// <param name="Packages">Names of the referenced packages, frameworks and imported files.</param>
internal sealed record ProjectFile(string Name, string Path, IReadOnlyList<string> Projects, IReadOnlyList<string> Packages)
{
    public bool IsSource => Path.StartsWith("src/", StringComparison.Ordinal);

    /// <summary>Whether it is a program, which nothing may refer to.</summary>
    public bool IsProgram => IsSource && (Name.EndsWith(".Program", StringComparison.Ordinal) || Name.EndsWith(".Cli", StringComparison.Ordinal));

    public static ProjectFile Read(string path)
    {
        var root = XDocument.Load(path).Root!;
        var sdk = (string?)root.Attribute("Sdk") ?? "";
        return new ProjectFile(
            System.IO.Path.GetFileNameWithoutExtension(path),
            System.IO.Path.GetRelativePath(Repository.Root, path).Replace('\\', '/'),
            [.. Values(root, "ProjectReference", "Include").Select(value => System.IO.Path.GetFileNameWithoutExtension(value.Replace('\\', '/')))],
            [
                .. Values(root, "PackageReference", "Include"),
                .. Values(root, "FrameworkReference", "Include"),
                .. Values(root, "Import", "Project").Select(value => System.IO.Path.GetFileName(value.Replace('\\', '/'))),
                .. sdk.EndsWith(".Web", StringComparison.Ordinal) ? ["Microsoft.AspNetCore.App"] : Array.Empty<string>(),
            ]);
    }

    private static IEnumerable<string> Values(XElement root, string element, string attribute) =>
        root.Descendants(element).Select(found => (string?)found.Attribute(attribute)).OfType<string>();
}
