using System.Runtime.InteropServices;

namespace Scissorhands.Data.Storage;

/// <summary>Makes the names in a folder durable: a file that was renamed into it may otherwise be gone after a power cut.</summary>
public static partial class DurableFolder
{
    private const int ReadOnly = 0;

    /// <summary>Waits until the device has a folder's names.</summary>
    /// <param name="path">The folder.</param>
    /// <exception cref="IOException">The device does not take them.</exception>
    public static void Flush(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var folder = Open(path, ReadOnly);
        if (folder < 0)
        {
            throw new IOException($"{path}: {Marshal.GetLastPInvokeErrorMessage()}");
        }

        var failed = Synchronise(folder) != 0 ? Marshal.GetLastPInvokeErrorMessage() : null;
        _ = Close(folder);
        if (failed is not null)
        {
            throw new IOException($"{path}: {failed}");
        }
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Synchronise(int file);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int file);
}
