using System.Globalization;
using System.Runtime.InteropServices;

namespace Scissorhands.Data.Sources;

/// <summary>
/// What tells a file's contents from those it had before, without reading it. The change time is the kernel's own:
/// tools that restore the modification time of a rewritten file cannot restore it.
/// </summary>
internal static partial class FileIdentity
{
    private const int CurrentFolder = -100;
    private const uint Wanted = 0x40 | 0x80 | 0x100 | 0x200;

    /// <summary>Path, inode, length, and times of modification and change.</summary>
    /// <exception cref="IOException">There is no such file, or it cannot be asked.</exception>
    public static string Of(string path)
    {
        if (Statx(CurrentFolder, path, 0, Wanted, out var status) != 0)
        {
            throw new IOException(Marshal.GetLastPInvokeErrorMessage());
        }

        return string.Create(CultureInfo.InvariantCulture, $"{path}|{status.Inode}|{status.Length}|{status.Modified}.{status.ModifiedNanoseconds}|{status.Changed}.{status.ChangedNanoseconds}");
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Statx(int folder, string path, int flags, uint mask, out Status status);

    /// <summary>The kernel's struct statx, the same on every architecture.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Status
    {
        [FieldOffset(32)]
        public ulong Inode;

        [FieldOffset(40)]
        public ulong Length;

        [FieldOffset(96)]
        public long Changed;

        [FieldOffset(104)]
        public uint ChangedNanoseconds;

        [FieldOffset(112)]
        public long Modified;

        [FieldOffset(120)]
        public uint ModifiedNanoseconds;
    }
}
