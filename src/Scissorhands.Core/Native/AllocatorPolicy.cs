using System.Runtime.InteropServices;

namespace Scissorhands.Core.Native;

/// <summary>
/// Keeps memory that libtorch frees within the process. glibc gives blocks of a few MiB back to the system at once and
/// fetches them again for the next layer, zeroing every page: a fifth of a step's time, measured. Changes no result.
/// </summary>
internal static partial class AllocatorPolicy
{
    private const int TrimThreshold = -1;
    private const int MmapThreshold = -3;
    private const int ArenaMax = -8;

    /// <summary>glibc's own upper limit for <see cref="MmapThreshold"/> on 64-bit systems, in bytes.</summary>
    private const int LargestMmapThreshold = 32 << 20;

    /// <summary>Applies the policy; does nothing where the C library is not glibc.</summary>
    public static void KeepFreedMemory()
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        try
        {
            _ = Mallopt(MmapThreshold, LargestMmapThreshold);
            _ = Mallopt(TrimThreshold, int.MaxValue);

            // Arenas of other threads cannot grow beyond 64 MiB blocks and would fall back to mapping.
            _ = Mallopt(ArenaMax, 1);
        }
        catch (EntryPointNotFoundException)
        {
            // musl has no mallopt; it only costs time.
        }
    }

    [LibraryImport("libc", EntryPoint = "mallopt")]
    private static partial int Mallopt(int parameter, int value);
}
