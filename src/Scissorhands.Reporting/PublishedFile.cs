using System.Security.Cryptography;
using Scissorhands.Planning;
using Scissorhands.Planning.Files;

namespace Scissorhands.Reporting;

/// <summary>Files that carry their name only once they are whole.</summary>
public static class PublishedFile
{
    /// <summary>Writes beside the file, flushes to the device, renames, and flushes the name.</summary>
    /// <param name="path">The final name; an older file of that name is replaced.</param>
    /// <param name="write">Writes the content.</param>
    /// <param name="mode">Who may do what with the file, from its first byte on; null for the process's default.</param>
    /// <param name="flushName">Whether the name is flushed too; false for whoever writes many and then flushes their folder.</param>
    /// <exception cref="RunFailedException">The file cannot be written; nothing is left beside it.</exception>
    public static void Write(string path, Action<Stream> write, UnixFileMode? mode = null, bool flushName = true)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(write);
        var beside = path + ".part";
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, Share = FileShare.None };
            if (mode is { } asked && !OperatingSystem.IsWindows())
            {
                // The mode counts for a new file only: one that a killed process left may have another.
                File.Delete(beside);
                options.UnixCreateMode = asked;
            }

            using (var stream = new FileStream(beside, options))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(beside, path, overwrite: true);
            if (flushName)
            {
                DurableFolder.Flush(Path.GetDirectoryName(Path.GetFullPath(path))!);
            }
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

    /// <summary>SHA-256 of a file.</summary>
    /// <param name="path">The file.</param>
    /// <returns>Lower-case hexadecimal digits.</returns>
    public static string Sha256(string path)
    {
        using var stream = File.OpenRead(path);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
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
