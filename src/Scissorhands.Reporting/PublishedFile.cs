using Scissorhands.Planning;

namespace Scissorhands.Reporting;

/// <summary>Files that carry their name only once they are whole.</summary>
internal static class PublishedFile
{
    /// <summary>Writes beside the file, flushes to the device, and renames.</summary>
    /// <param name="path">The final name; an older file of that name is replaced.</param>
    /// <param name="write">Writes the content.</param>
    /// <exception cref="RunFailedException">The file cannot be written; nothing is left beside it.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var beside = path + ".part";
        try
        {
            using (var stream = new FileStream(beside, FileMode.Create, FileAccess.Write, FileShare.None))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(beside, path, overwrite: true);
        }
        catch (Exception failure)
        {
            Discard(beside);
            if (failure is IOException or UnauthorizedAccessException)
            {
                throw new RunFailedException($"{path}: cannot be written: {failure.Message.ReplaceLineEndings(" ")}", failure) { MayPass = true };
            }

            throw;
        }
    }

    private static void Discard(string beside)
    {
        try
        {
            File.Delete(beside);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // The first failure is the one to tell.
        }
    }
}
