#nullable disable
using System;
using System.IO;
using System.Text;
#if !WITHOUT_MSBUILD
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;
#endif

/// <summary>
/// Makes one symbol-version need of a shared library weak. TorchSharp's native library was linked with GCC 13.2 and asks
/// for GLIBCXX_3.4.32 on account of a single reference that is never called; with the flag set the loader accepts an older
/// libstdc++ (Debian 12, Ubuntu 22.04).
/// </summary>
internal static class VersionNeed
{
    private const uint SectionTypeVerneed = 0x6ffffffe;
    private const int VersionFlagWeak = 0x2;

    /// <summary>Finds where the flags of a version need are.</summary>
    /// <param name="elf">The whole file.</param>
    /// <param name="version">Name of the version.</param>
    /// <returns>Offset of the 16-bit flags, or -1 where the file is not a 64-bit little-endian ELF or does not need the version.</returns>
    internal static int FindFlags(byte[] elf, string version)
    {
        if (elf.Length < 64 || elf[0] != 0x7f || elf[1] != 'E' || elf[2] != 'L' || elf[3] != 'F' || elf[4] != 2 || elf[5] != 1)
        {
            return -1;
        }

        long sections = ReadLong(elf, 0x28);
        int entrySize = ReadShort(elf, 0x3A);
        int count = ReadShort(elf, 0x3C);
        for (int i = 0; i < count; i++)
        {
            long section = sections + (long)i * entrySize;
            if (ReadInt(elf, section + 4) != SectionTypeVerneed)
            {
                continue;
            }

            long strings = ReadLong(elf, sections + (long)ReadInt(elf, section + 40) * entrySize + 24);
            long need = ReadLong(elf, section + 24);
            uint remaining = ReadInt(elf, section + 44);
            while (remaining-- > 0)
            {
                long auxiliary = need + ReadInt(elf, need + 8);
                for (int left = ReadShort(elf, need + 2); left > 0; left--)
                {
                    if (Matches(elf, strings + ReadInt(elf, auxiliary + 8), version))
                    {
                        return checked((int)auxiliary + 4);
                    }

                    auxiliary += ReadInt(elf, auxiliary + 12);
                }

                need += ReadInt(elf, need + 12);
            }
        }

        return -1;
    }

    /// <summary>Sets the weak flag in a copied library.</summary>
    /// <param name="path">The library.</param>
    /// <param name="version">Name of the version.</param>
    /// <returns>Whether the file was changed.</returns>
    internal static bool Weaken(string path, string version)
    {
        byte[] elf = File.ReadAllBytes(path);
        int flags = FindFlags(elf, version);
        if (flags < 0 || (elf[flags] & VersionFlagWeak) != 0)
        {
            return false;
        }

        elf[flags] |= VersionFlagWeak;

        // A new file: the copy may be a hard link into the package cache, which must stay as it is.
        string beside = path + "." + Guid.NewGuid().ToString("N");
        File.WriteAllBytes(beside, elf);
        File.Delete(path);
        File.Move(beside, path);
        return true;
    }

    private static bool Matches(byte[] elf, long offset, string text)
    {
        byte[] expected = Encoding.ASCII.GetBytes(text + "\0");
        for (int i = 0; i < expected.Length; i++)
        {
            Check(elf, offset + i, 1);
            if (elf[offset + i] != expected[i])
            {
                return false;
            }
        }

        return true;
    }

    private static int ReadShort(byte[] elf, long offset)
    {
        Check(elf, offset, 2);
        return elf[offset] | elf[offset + 1] << 8;
    }

    private static uint ReadInt(byte[] elf, long offset)
    {
        Check(elf, offset, 4);
        return BitConverter.ToUInt32(elf, (int)offset);
    }

    private static long ReadLong(byte[] elf, long offset)
    {
        Check(elf, offset, 8);
        return BitConverter.ToInt64(elf, (int)offset);
    }

    private static void Check(byte[] elf, long offset, int length)
    {
        if (offset < 0 || offset > elf.Length - length)
        {
            throw new InvalidDataException("The ELF file points outside itself at offset " + offset);
        }
    }
}

#if !WITHOUT_MSBUILD
/// <summary>The build step around <see cref="VersionNeed"/>.</summary>
public sealed class WeakenLibstdcxxNeed : Task
{
    /// <summary>Copied libraries.</summary>
    [Required]
    public ITaskItem[] Files { get; set; }

    /// <summary>Name of the version to make weak.</summary>
    [Required]
    public string Version { get; set; }

    /// <inheritdoc />
    public override bool Execute()
    {
        foreach (ITaskItem file in Files)
        {
            try
            {
                if (VersionNeed.Weaken(file.ItemSpec, Version))
                {
                    Log.LogMessage(MessageImportance.Normal, "{0}: the need of {1} is now weak", file.ItemSpec, Version);
                }
            }
            catch (InvalidDataException e)
            {
                Log.LogError("{0}: {1}", file.ItemSpec, e.Message);
            }
        }

        return !Log.HasLoggedErrors;
    }
}
#endif
