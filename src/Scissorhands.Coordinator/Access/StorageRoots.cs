using Scissorhands.Planning;

namespace Scissorhands.Coordinator.Access;

/// <summary>The folders that the service may read and write in. A path outside of them, or one that a link leads out of them, is refused.</summary>
public sealed class StorageRoots
{
    private const int MostLinks = 40;
    private const int LongestShown = 300;
    private readonly string[] _roots;

    /// <summary>Takes the folders.</summary>
    /// <param name="roots">Absolute paths; none for none at all.</param>
    /// <exception cref="InputException">A folder is missing or not absolute.</exception>
    public StorageRoots(IEnumerable<string> roots)
    {
        ArgumentNullException.ThrowIfNull(roots);
        _roots = [.. roots.Select(static root =>
        {
            if (!Path.IsPathRooted(root) || !Directory.Exists(root))
            {
                throw new InputException($"--root {root}: must be the absolute path of a folder that exists");
            }

            return Real(Path.GetFullPath(root));
        })];
    }

    /// <summary>Whether there are any.</summary>
    public bool Any => _roots.Length > 0;

    /// <summary>Checks a path that a caller has named.</summary>
    /// <param name="key">What the caller named it as.</param>
    /// <param name="path">The path; its last parts may be a glob or not exist yet.</param>
    /// <param name="tellsRoots">Whether the caller may be told the roots: who operates the service, but not who only hands requests in, to whom they would tell how its storage is laid out.</param>
    /// <returns>The full path.</returns>
    /// <exception cref="InputException">Not absolute, or outside of the roots; names key and path.</exception>
    public string Check(string key, string? path, bool tellsRoots = false)
    {
        if (string.IsNullOrEmpty(path) || path.Contains('\0', StringComparison.Ordinal))
        {
            throw new InputException($"{key}: missing");
        }

        if (_roots.Length == 0)
        {
            throw new InputException($"{key}: this coordinator was started without --root, so it serves no deletion requests");
        }

        var full = Path.IsPathRooted(path) ? Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)) : throw new InputException($"{key} {Shown(path)}: must be an absolute path");
        var real = Real(full);
        return Array.Exists(_roots, root => real == root || real.StartsWith(root.EndsWith('/') ? root : root + "/", StringComparison.Ordinal))
            ? full
            : throw new InputException($"{key} {Shown(path)}: lies outside of the folders that this coordinator may use, or a link leads out of them; {(tellsRoots ? $"they are {string.Join(", ", _roots)}, and another --root of the coordinator adds one" : "its operators know which they are (--root)")}");
    }

    // One line of bounded length, whatever the caller has sent.
    private static string Shown(string path) => (path.Length <= LongestShown ? path : path[..LongestShown] + "...").ReplaceLineEndings(" ");

    /// <summary>
    /// Whether a file of the service's own folders may be told to a caller: it is there and, where there are roots, in one of
    /// them. Whoever may write to the folder must not be able to have other files told by a link in it.
    /// </summary>
    /// <param name="path">The file.</param>
    public bool MayServe(string path)
    {
        if (new FileInfo(path) is not { Exists: true, LinkTarget: null })
        {
            return false;
        }

        try
        {
            return !Any || Check("file", path).Length > 0;
        }
        catch (InputException)
        {
            return false;
        }
    }

    // Each part that exists is followed where it is a link; what does not exist cannot lead anywhere yet.
    private static string Real(string path, int depth = 0)
    {
        if (depth > MostLinks)
        {
            throw new InputException("the path: its links lead to no end");
        }

        var at = Path.GetPathRoot(path)!;
        foreach (var part in path[at.Length..].Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            at = Path.Combine(at, part);
            if (new FileInfo(at).LinkTarget is { } target)
            {
                // The target's own parts may be links.
                at = Real(Path.GetFullPath(target, Path.GetDirectoryName(at)!), depth + 1);
            }
        }

        return Path.GetFullPath(at);
    }
}
