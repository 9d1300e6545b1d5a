using System.Security.Cryptography;
using System.Text.RegularExpressions;

namespace Scissorhands.Testing;

/// <summary>
/// Node.js with the packages that a folder's <c>package-lock.json</c> pins, each checked against its hash there. They are installed
/// once, below <c>artifacts/node</c>, and none of their scripts is run.
/// </summary>
public sealed partial class NodePrograms
{
    private static readonly TimeSpan InstallDeadline = TimeSpan.FromMinutes(5);

    // What tells that the packages' registry cannot be reached or does not serve them. Anything else is a fault of the folder.
    private static readonly string[] Unreachable =
    [
        "ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ERR_SOCKET_TIMEOUT", "ENETUNREACH", "EHOSTUNREACH", "EPROTO",
        "ENOTCACHED", "E401", "E403", "E404", "E429", "E500", "E502", "E503", "E504",
    ];

    private readonly string _node;
    private readonly string _modules;

    private NodePrograms(string node, string modules, string? missing)
    {
        (_node, _modules, Missing) = (node, modules, missing);
    }

    /// <summary>Why no program can be run; null where programs can.</summary>
    public string? Missing { get; }

    /// <summary>Installs what a folder pins, unless that was done before; where it is not to be had, <see cref="Missing"/> says so.</summary>
    /// <param name="folder">Holds <c>package.json</c>, <c>package-lock.json</c> and <c>.npmrc</c>.</param>
    /// <exception cref="InvalidOperationException">The packages are not those of the lock file, or it is damaged; the message is what npm said.</exception>
    public static async Task<NodePrograms> OfAsync(string folder)
    {
        if (Find("node") is not { } node || Find("npm") is not { } npm)
        {
            return new NodePrograms("", "", "node and npm are not installed (apt-get install nodejs npm).");
        }

        var pinned = new[] { "package.json", "package-lock.json", ".npmrc" };
        var digest = SHA256.HashData([.. pinned.SelectMany(name => File.ReadAllBytes(Path.Combine(folder, name)))]);
        var parent = Path.Combine(RepositoryFiles.Root, "artifacts", "node");
        var installed = Path.Combine(parent, Convert.ToHexStringLower(digest)[..16]);
        var modules = Path.Combine(installed, "node_modules");
        if (Directory.Exists(installed))
        {
            return new NodePrograms(node, modules, null);
        }

        var beside = Path.Combine(parent, Path.GetRandomFileName());
        Directory.CreateDirectory(beside);
        try
        {
            foreach (var name in pinned)
            {
                File.Copy(Path.Combine(folder, name), Path.Combine(beside, name));
            }

            // The waits keep a machine without a network from waiting for minutes.
            var (code, output) = await ChildProcess.RunAsync(
                npm,
                ["ci", "--prefix", beside, "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=30000"],
                InstallDeadline);
            if (code != 0)
            {
                return Unreachable.Contains(Code().Match(output).Groups[1].Value, StringComparer.Ordinal)
                    ? new NodePrograms("", "", $"the packages of {Path.GetFileName(folder)}/package-lock.json are not to be had: npm says {Code().Match(output).Groups[1].Value}.")
                    : throw new InvalidOperationException($"npm ci:\n{output}");
            }

            // Another process may have been first.
            if (!Directory.Exists(installed))
            {
                Directory.Move(beside, installed);
            }

            return new NodePrograms(node, modules, null);
        }
        catch (IOException) when (Directory.Exists(installed))
        {
            return new NodePrograms(node, modules, null);
        }
        finally
        {
            if (Directory.Exists(beside))
            {
                Directory.Delete(beside, recursive: true);
            }
        }
    }

    /// <summary>Runs a program.</summary>
    /// <param name="script">Its file, a CommonJS module: it finds the packages by <c>require</c>, wherever it lies.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <param name="environment">Further variables; none where null.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <returns>What it printed.</returns>
    /// <exception cref="InvalidOperationException">It failed; the message is what it complained of.</exception>
    public async Task<string> RunAsync(string script, CancellationToken cancellationToken, IReadOnlyDictionary<string, string>? environment = null, params string[] arguments)
    {
        var variables = new Dictionary<string, string>(environment ?? new Dictionary<string, string>()) { ["NODE_PATH"] = _modules };
        var (done, output) = await ScriptProcess.RunAsync(_node, [script, .. arguments], variables, cancellationToken);
        return done ? output : throw new InvalidOperationException(output);
    }

    private static string? Find(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries).Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);

    [GeneratedRegex(@"^npm (?:error|ERR!) code (\S+)", RegexOptions.Multiline)]
    private static partial Regex Code();
}
