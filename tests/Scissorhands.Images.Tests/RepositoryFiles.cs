using System.Runtime.CompilerServices;
using Scissorhands.Testing;

namespace Scissorhands.Images.Tests;

/// <summary>The files that images are made of.</summary>
internal static class RepositoryFiles
{
    public static string Root { get; } = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(OwnPath())!, "..", ".."));

    public static string Docker { get; } = Path.Combine(Root, "docker");

    /// <summary>A program as it was built with these tests.</summary>
    public static string Program(string project, string name) => Path.Combine(Root, "artifacts", "bin", project, "release", name);

    /// <summary>Runs a program to its end.</summary>
    /// <returns>Its exit code and what it printed.</returns>
    public static async Task<(int Code, string Output)> RunAsync(string program, IEnumerable<string> arguments, TimeSpan? patience = null, IReadOnlyDictionary<string, string>? environment = null)
    {
        await using var process = new ChildProcess(program, arguments, environment ?? new Dictionary<string, string>());
        await process.Exited.WaitAsync(patience ?? TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
        return (process.ExitCode, process.Output);
    }

    private static string OwnPath([CallerFilePath] string path = "") => path;
}
