using System.Text.Json;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Planning;

namespace Scissorhands.Grains.Runs;

/// <summary>A run's state in one JSON file, written beside, flushed and renamed.</summary>
public sealed class FileRunStateStore : IRunStateStore
{
    private readonly string _path;

    /// <summary>Creates a store.</summary>
    /// <param name="path">The file.</param>
    public FileRunStateStore(string path)
    {
        _path = path;
    }

    /// <inheritdoc />
    public RunState? Read()
    {
        if (!File.Exists(_path))
        {
            return null;
        }

        try
        {
            return RunStateJson.Read(File.ReadAllText(_path));
        }
        catch (JsonException e)
        {
            throw new InputException($"{_path}: the state of the run is damaged ({e.Message})", e);
        }
    }

    /// <inheritdoc />
    public void Write(RunState state)
    {
        var beside = _path + ".tmp";
        using (var stream = new FileStream(beside, FileMode.Create, FileAccess.Write))
        {
            JsonSerializer.Serialize(stream, state, RunStateJson.Options);
            stream.Flush(flushToDisk: true);
        }

        File.Move(beside, _path, overwrite: true);
    }
}
