using Microsoft.Win32.SafeHandles;
using Scissorhands.Planning;

namespace Scissorhands.Data.Storage;

/// <summary>A file, read by ranges.</summary>
internal sealed class StoredFile : IStoredObject
{
    private readonly SafeFileHandle _handle;

    private StoredFile(string path, SafeFileHandle handle)
    {
        _handle = handle;
        Name = path;
        Length = RandomAccess.GetLength(handle);
    }

    /// <inheritdoc />
    public string Name { get; }

    /// <inheritdoc />
    public long Length { get; }

    /// <summary>Opens a file.</summary>
    /// <param name="path">Its path.</param>
    /// <returns>The file; the caller disposes it.</returns>
    /// <exception cref="InputException">It is missing or must not be read.</exception>
    public static StoredFile Open(string path)
    {
        try
        {
            return new StoredFile(path, File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: cannot be opened ({e.Message})", e);
        }
    }

    /// <inheritdoc />
    public void Read(long offset, Span<byte> destination)
    {
        while (destination.Length > 0)
        {
            var read = RandomAccess.Read(_handle, destination, offset);
            if (read == 0)
            {
                throw new EndOfStreamException($"{Name}: ends at byte {offset}");
            }

            offset += read;
            destination = destination[read..];
        }
    }

    /// <inheritdoc />
    public void Dispose() => _handle.Dispose();
}
