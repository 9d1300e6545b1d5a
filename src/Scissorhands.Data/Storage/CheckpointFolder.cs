using System.Text.RegularExpressions;
using Scissorhands.Planning;
using Scissorhands.Planning.Files;

namespace Scissorhands.Data.Storage;

/// <summary>
/// A run's store in a folder that its workers share. An object is a file, written beside its final name, flushed and renamed.
/// Other files of the run may lie there as well: the store knows its own by their names.
/// </summary>
public sealed partial class CheckpointFolder : ICheckpointStore
{
    /// <summary>Name of the folder of state and checkpoints within a run's output folder.</summary>
    public const string WorkFolderName = ".scissorhands";

    private readonly string _path;

    /// <summary>Describes a store; creates nothing.</summary>
    /// <param name="path">The folder.</param>
    public CheckpointFolder(string path)
    {
        _path = Path.GetFullPath(path);
    }

    /// <inheritdoc />
    public string Location => _path;

    /// <summary>The store of a run that nothing else was said of.</summary>
    /// <param name="output">The run's output folder.</param>
    /// <returns>The store.</returns>
    public static CheckpointFolder OfRun(string output) => new(Path.Combine(output, WorkFolderName));

    /// <inheritdoc />
    public void Put(string key, long length, Action<Stream> content, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(content);
        var path = PathOf(key);

        // Nobody else's: a process id would not tell processes of different machines on one folder apart.
        var beside = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            using (var stream = new FileStream(beside, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 1 << 16))
            {
                content(stream);
                if (stream.Position != length)
                {
                    throw new InvalidOperationException($"'{key}' has {stream.Position} bytes, not the {length} that were announced");
                }

                cancellationToken.ThrowIfCancellationRequested();
                stream.Flush(flushToDisk: true);
            }

            File.Move(beside, path, overwrite: true);

            // A renamed file is durable, but under which name is only once its folder is.
            DurableFolder.Flush(_path);
        }
        catch
        {
            File.Delete(beside);
            throw;
        }
    }

    /// <inheritdoc />
    public IStoredObject Open(string key, CancellationToken cancellationToken) => StoredFile.Open(PathOf(key));

    /// <inheritdoc />
    public IReadOnlyCollection<string> List(string prefix, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(prefix);
        return [.. Names().Where(name => CheckpointKey.IsValid(name) && name.StartsWith(prefix, StringComparison.Ordinal))];
    }

    /// <inheritdoc />
    public void Delete(string key, CancellationToken cancellationToken) => File.Delete(PathOf(key));

    /// <inheritdoc />
    public int Clear(CancellationToken cancellationToken)
    {
        var objects = 0;
        foreach (var name in Names())
        {
            var isObject = CheckpointKey.IsValid(name);
            if (isObject || (LeftPattern().Match(name) is { Success: true } left && CheckpointKey.IsValid(left.Groups[1].Value)))
            {
                File.Delete(Path.Combine(_path, name));
                objects += isObject ? 1 : 0;
            }
        }

        return objects;
    }

    private string[] Names()
    {
        try
        {
            return [.. Directory.EnumerateFiles(_path).Select(file => Path.GetFileName(file))];
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
    }

    private string PathOf(string key)
    {
        CheckpointKey.Check(key);
        return Path.Combine(_path, key);
    }

    [GeneratedRegex(@"\A(.*)[.][0-9a-f]{32}[.]tmp\z")]
    private static partial Regex LeftPattern();
}
