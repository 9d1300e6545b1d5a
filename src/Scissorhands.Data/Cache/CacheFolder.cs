using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Scissorhands.Data.Sources;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Data.Cache;

/// <summary>
/// Where indexes and decoded images are kept between runs: never beside the user's data, and readable by the user alone,
/// since they are images of people. A file is called SOURCE-CONTENT-VARIANT.KIND by hashes of what it was made of, so a
/// changed source has another one, and the old ones are found and deleted.
/// </summary>
internal sealed class CacheFolder
{
    private const int FormatVersion = 3;
    private const int NameDigits = 16;
    private const int ContentDigits = 32;
    private const UnixFileMode FolderMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode FileMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private static readonly TimeSpan LeftBehind = TimeSpan.FromDays(1);

    // The whole form: the folder may be one that holds other programs' temporary files.
    private static readonly Regex Temporary = new(@"^[0-9a-f]{16}-[0-9a-f]{32}-[0-9a-f]{16}\.[a-z]+\.[0-9a-f]{32}\.tmp$", RegexOptions.CultureInvariant);

    private CacheFolder(string? path)
    {
        Path = path;
    }

    /// <summary>The folder; null where nothing is kept on disk.</summary>
    public string? Path { get; }

    /// <summary>Opens the configured folder, and deletes what broken-off runs left in it.</summary>
    public static CacheFolder Open(DataConfiguration options)
    {
        if (options.Cache == "none")
        {
            return new CacheFolder(null);
        }

        var path = options.Cache.Length > 0 ? options.Cache : Default();
        var cache = new CacheFolder(path);
        try
        {
            // A folder that is there keeps its mode: it may be anybody's.
            if (OperatingSystem.IsWindows())
            {
                Directory.CreateDirectory(path);
            }
            else
            {
                Directory.CreateDirectory(path, FolderMode);
            }

            cache.DeleteLeftBehind();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw cache.NotWritable(e);
        }

        return cache;
    }

    /// <summary>Path of a cached file.</summary>
    /// <param name="source">What it is made of, whatever that holds now.</param>
    /// <param name="identity">What the source holds now.</param>
    /// <param name="variant">What else the file depends on.</param>
    /// <param name="kind">Its extension.</param>
    /// <returns>The path.</returns>
    public string PathOf(string source, string identity, string variant, string kind) =>
        System.IO.Path.Combine(Path!, $"{Hash(source, NameDigits)}-{Hash(identity, ContentDigits)}-{Hash(string.Create(CultureInfo.InvariantCulture, $"{FormatVersion}\n{variant}"), NameDigits)}.{kind}");

    /// <summary>Finds an index, or makes it and keeps it.</summary>
    public SampleGroup IndexOf(string source, string name, string identity, Func<SampleGroup> make)
    {
        if (Path is null)
        {
            return make();
        }

        var path = PathOf(source, identity, "", "index");
        if (TryReadIndex(path, source, name, identity) is { } found)
        {
            return found;
        }

        var group = make();
        var bytes = JsonSerializer.SerializeToUtf8Bytes(group);
        Keep(path, bytes.Length, stream => stream.Write(bytes)).Dispose();
        return group;
    }

    /// <summary>Writes a file that is there whole or not at all, and deletes what it supersedes.</summary>
    /// <param name="path">Where, as <see cref="PathOf"/> says.</param>
    /// <param name="length">Its length, which is reserved first.</param>
    /// <param name="write">Writes the contents.</param>
    /// <returns>The file, open: another process may delete its name at any time. The caller disposes it.</returns>
    /// <exception cref="RunFailedException">The disk is full, or failed.</exception>
    public FileStream Keep(string path, long length, Action<FileStream> write)
    {
        // Random, since process ids are no names of their own where containers share the folder.
        var beside = $"{path}.{Guid.NewGuid():N}.tmp";
        FileStream? stream = null;
        try
        {
            var options = new FileStreamOptions
            {
                Mode = System.IO.FileMode.CreateNew,
                Access = FileAccess.ReadWrite,
                Share = FileShare.ReadWrite | FileShare.Delete,
                PreallocationSize = length,
                BufferSize = 0,
            };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = FileMode;
            }

            stream = new FileStream(beside, options);
            write(stream);
            stream.Flush(flushToDisk: true);
            File.Move(beside, path, overwrite: true);
            DeleteSuperseded(path);
            return stream;
        }
        catch (Exception e)
        {
            stream?.Dispose();
            TryDelete(beside);
            if (e is IOException or UnauthorizedAccessException)
            {
                throw NotWritable(e);
            }

            throw;
        }
    }

    private static SampleGroup? TryReadIndex(string path, string source, string name, string identity)
    {
        try
        {
            var group = File.Exists(path) ? JsonSerializer.Deserialize<SampleGroup>(File.ReadAllBytes(path)) : null;

            // A damaged cache is made again, not reported: it holds nothing of the user's.
            return group is { Entries.Count: > 0 } && group.Identity == identity && group.Source == source && group.Name == name
                && group.Entries.All(e => e is { Id.Length: > 0, Label: >= 0, Offset: >= 0, Length: > 0, File.Length: > 0 })
                ? group
                : null;
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string Default()
    {
        var root = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        if (string.IsNullOrEmpty(root))
        {
            var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
            root = home.Length > 0 ? System.IO.Path.Combine(home, ".cache") : System.IO.Path.GetTempPath();
        }

        return System.IO.Path.Combine(root, "scissorhands");
    }

    private static string Hash(string text, int digits) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..digits];

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It costs room and nothing else.
        }
    }

    private void DeleteSuperseded(string path)
    {
        var current = System.IO.Path.GetFileName(path)[..(NameDigits + 1 + ContentDigits)];
        foreach (var file in Directory.EnumerateFiles(Path!, current[..(NameDigits + 1)] + "*"))
        {
            if (!System.IO.Path.GetFileName(file).StartsWith(current, StringComparison.Ordinal) && !file.EndsWith(".tmp", StringComparison.Ordinal))
            {
                TryDelete(file);
            }
        }
    }

    private void DeleteLeftBehind()
    {
        var before = TimeProvider.System.GetUtcNow().UtcDateTime - LeftBehind;
        foreach (var file in Directory.EnumerateFiles(Path!, "*.tmp"))
        {
            if (Temporary.IsMatch(System.IO.Path.GetFileName(file)) && File.GetLastWriteTimeUtc(file) < before)
            {
                TryDelete(file);
            }
        }
    }

    private Exception NotWritable(Exception e) => e is UnauthorizedAccessException
        ? new InputException($"data.cache: '{Path}' cannot be written ({e.Message}); name another folder, or none", e)
        : new RunFailedException($"data.cache: '{Path}' cannot be written ({e.Message}); make room, name another folder, or none", e) { MayPass = true };
}
