using System.Net.Http.Headers;
using Scissorhands.Cli.Tests.Runs;

namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>Keys of callers, made by the program itself, and the file that a coordinator is given.</summary>
/// <param name="folder">Where the file is made.</param>
public sealed class CallerKeys(string folder)
{
    private readonly Dictionary<string, string> _keys = new(StringComparer.Ordinal);

    /// <summary>What <c>--keys</c> is to name.</summary>
    public string File { get; } = Path.Combine(folder, "keys");

    /// <summary>The key of a caller; one that is nobody's where there is no such caller.</summary>
    public string this[string name] => _keys.GetValueOrDefault(name, "sh_nobodys");

    /// <summary>Makes a key.</summary>
    /// <param name="name">The caller.</param>
    /// <param name="scopes">What it may do, separated by commas.</param>
    /// <param name="options">Further options of <c>key</c>.</param>
    public async Task AddAsync(string name, string scopes, params string[] options) =>
        _keys[name] = Assert.Single((await CliProcess.RunAsync(["key", name, "--scope", scopes, "--keys", File, .. options])).Output);

    /// <summary>What a caller sends; null for one that sends nothing.</summary>
    public AuthenticationHeaderValue? Header(string? name) => name is null ? null : new AuthenticationHeaderValue("Bearer", this[name]);
}
