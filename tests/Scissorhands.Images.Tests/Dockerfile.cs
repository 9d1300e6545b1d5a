using System.Text.Json;
using System.Text.RegularExpressions;

namespace Scissorhands.Images.Tests;

/// <summary>A Dockerfile as its instructions, in order.</summary>
internal sealed partial class Dockerfile
{
    private Dockerfile(IReadOnlyList<(string Name, string Value)> instructions) => Instructions = instructions;

    /// <summary>Instructions with their continued lines joined.</summary>
    public IReadOnlyList<(string Name, string Value)> Instructions { get; }

    /// <summary>Those of the last stage: what the image is.</summary>
    public IReadOnlyList<(string Name, string Value)> Final => [.. Instructions.Skip(Instructions.ToList().FindLastIndex(static i => i.Name == "FROM"))];

    public static Dockerfile Read(string path)
    {
        var joined = Continued().Replace(File.ReadAllText(path), " ");
        return new Dockerfile([.. joined.Split('\n').Select(static l => l.Trim()).Where(static l => l.Length > 0 && l[0] != '#').Select(static l => (l.Split(' ')[0], l[(l.IndexOf(' ', StringComparison.Ordinal) + 1)..]))]);
    }

    /// <summary>The only value of an instruction in the last stage.</summary>
    public string Value(string name) => Assert.Single(Final, i => i.Name == name).Value;

    /// <summary>The only value of an instruction in its form without a shell.</summary>
    public string[] Words(string name) => JsonSerializer.Deserialize<string[]>(Value(name)[Value(name).IndexOf('[', StringComparison.Ordinal)..])!;

    [GeneratedRegex(@"\\\n\s*")]
    private static partial Regex Continued();
}
