using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Scissorhands.Data.Sources;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;

namespace Scissorhands.Data.Cache;

/// <summary>
/// Where indexes and decoded images are kept between runs: never beside the user's data. A file's name follows from what it
/// was made of, so a changed shard simply has another one.
/// </summary>
internal sealed class CacheFolder
{
    private const int FormatVersion = 1;

    private CacheFolder(string? path)
    {
        Path = path;
    }

    /// <summary>The folder; null where nothing is kept on disk.</summary>
    public string? Path { get; }

    /// <summary>Opens the configured folder.</summary>
    public static CacheFolder Open(DataConfiguration options)
    {
        if (options.Cache == "none")
        {
            return new CacheFolder(null);
        }

        var path = options.Cache.Length > 0 ? options.Cache : Default();
        try
        {
            Directory.CreateDirectory(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"data.cache: '{path}' cannot be written ({e.Message}); name another folder, or none", e);
        }

        return new CacheFolder(path);
    }

    /// <summary>Path of a cached file.</summary>
    public string PathOf(string identity, string kind)
    {
        var key = string.Create(CultureInfo.InvariantCulture, $"{FormatVersion}\n{kind}\n{identity}");
        return System.IO.Path.Combine(Path!, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)))[..32] + "." + kind.Split('-')[0]);
    }

    /// <summary>Finds an index, or makes it and keeps it.</summary>
    public SampleGroup IndexOf(string name, string identity, Func<SampleGroup> make)
    {
        if (Path is null)
        {
            return make();
        }

        var path = PathOf(identity, "index");
        if (TryReadIndex(path, name, identity) is { } found)
        {
            return found;
        }

        var group = make();
        var beside = string.Create(CultureInfo.InvariantCulture, $"{path}.{Environment.ProcessId}.tmp");
        File.WriteAllBytes(beside, JsonSerializer.SerializeToUtf8Bytes(group));
        File.Move(beside, path, overwrite: true);
        return group;
    }

    private static SampleGroup? TryReadIndex(string path, string name, string identity)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            var group = JsonSerializer.Deserialize<SampleGroup>(File.ReadAllBytes(path));

            // A damaged cache is made again, not reported: it holds nothing of the user's.
            return group is { Entries.Count: > 0 } && group.Identity == identity && group.Name == name
                && group.Entries.All(e => e is { Id.Length: > 0, Label: >= 0, Offset: >= 0, Length: > 0, File.Length: > 0 })
                ? group
                : null;
        }
        catch (JsonException)
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
}
