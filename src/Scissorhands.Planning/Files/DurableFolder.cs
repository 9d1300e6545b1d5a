using System.Runtime.InteropServices;

namespace Scissorhands.Planning.Files;

/// <summary>Makes the names in a folder durable: a file that was renamed into it may otherwise be gone after a power cut.</summary>
public static partial class DurableFolder
{
    private const int CloseOnExecute = 0x80000;
    private const int AccessDenied = 13;

    // EBADF, EINVAL, ENOSYS and EOPNOTSUPP.
    private static readonly int[] Unknown = [9, 22, 38, 95];

    /// <summary>Waits until the device has a folder's names. Does nothing on other systems than Linux.</summary>
    /// <param name="path">The folder.</param>
    /// <exception cref="IOException">The device does not take them.</exception>
    public static void Flush(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        var folder = Open(path, CloseOnExecute);
        if (folder < 0)
        {
            // It may be written to without being read.
            if (Marshal.GetLastPInvokeError() == AccessDenied)
            {
                return;
            }

            throw new IOException($"{path}: cannot be flushed ({Marshal.GetLastPInvokeErrorMessage()})");
        }

        try
        {
            // Some network file systems know no flushing of folders: there, names are as durable as the server makes them.
            if (Synchronise(folder) != 0 && Marshal.GetLastPInvokeError() is var error && !Unknown.Contains(error))
            {
                throw new IOException($"{path}: cannot be flushed ({Marshal.GetPInvokeErrorMessage(error)})");
            }
        }
        finally
        {
            _ = Close(folder);
        }
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Synchronise(int file);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int file);
}
