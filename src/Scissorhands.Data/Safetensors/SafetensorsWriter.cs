using Scissorhands.Planning.Files;

namespace Scissorhands.Data.Safetensors;

/// <summary>Writes safetensors files: equal input gives equal bytes.</summary>
public static class SafetensorsWriter
{
    /// <summary>Writes a file beside its final name, flushes it to disk, checks it and renames it.</summary>
    /// <param name="path">Final name.</param>
    /// <param name="tensors">The tensors, in the order their data is written; names differ.</param>
    /// <param name="metadata">Strings for <c>__metadata__</c>, written in ordinal order of their keys; null for none.</param>
    public static void Write(string path, IReadOnlyList<SafetensorsInput> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(tensors);
        var document = new SafetensorsDocument(tensors, metadata);

        // Nobody else's: a process id would not tell processes of different machines on one folder apart.
        var beside = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            using (var stream = new FileStream(beside, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 1 << 16))
            {
                document.WriteTo(stream);
                stream.Flush(flushToDisk: true);
            }

            using (SafetensorsFile.Open(beside))
            {
            }

            File.Move(beside, path, overwrite: true);
            DurableFolder.Flush(Path.GetDirectoryName(Path.GetFullPath(path))!);
        }
        catch
        {
            File.Delete(beside);
            throw;
        }
    }
}
