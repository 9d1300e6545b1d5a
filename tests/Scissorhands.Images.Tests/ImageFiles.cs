using Scissorhands.Testing;

namespace Scissorhands.Images.Tests;

/// <summary>The files that images are made of.</summary>
internal static class ImageFiles
{
    public static string Docker { get; } = Path.Combine(RepositoryFiles.Root, "docker");

    /// <summary>A program as it was built with these tests.</summary>
    public static string Program(string project, string name) => Path.Combine(RepositoryFiles.Root, "artifacts", "bin", project, "release", name);
}
