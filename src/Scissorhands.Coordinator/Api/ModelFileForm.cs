using System.Buffers.Binary;
using System.IO.Compression;
using Scissorhands.Data.Safetensors;
using Scissorhands.Planning;

namespace Scissorhands.Coordinator.Api;

/// <summary>
/// Whether a file has the outer form of a model: told at registration, rather than by the first run. What is in it only workers
/// look at.
/// </summary>
internal static class ModelFileForm
{
    private const long MostDirectoryBytes = 64 << 20;
    private const int EndBytes = 22;
    private const int LocatorBytes = 20;
    private const int LargeEndBytes = 56;

    /// <summary>Checks a file.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="InputException">Neither safetensors nor TorchScript; names the file and what to do.</exception>
    public static void Check(string path)
    {
        if (path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase))
        {
            using var weights = SafetensorsFile.Open(path);
            if (weights.Entries.Count == 0)
            {
                throw new InputException($"file {path}: holds no tensors");
            }

            return;
        }

        try
        {
            using var stream = File.OpenRead(path);
            if (DirectoryBytes(stream) > MostDirectoryBytes)
            {
                throw new InputException($"file {path}: its list of contents is larger than {MostDirectoryBytes} bytes");
            }

            stream.Position = 0;
            using var archive = new ZipArchive(stream, ZipArchiveMode.Read);
            if (!archive.Entries.Any(static entry => entry.FullName.Contains("/code/", StringComparison.Ordinal)))
            {
                throw new InputException($"file {path}: is no TorchScript model, as it holds no code: save it with torch.jit.script(model).save(...), or its weights as safetensors");
            }
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            throw new InputException($"file {path}: is neither a TorchScript model nor, by its name, safetensors ({e.Message})", e);
        }
    }

    // Length of the central directory, which the library reads as a whole (APPNOTE 4.3.14 to 4.3.16); 0 where there is none.
    private static long DirectoryBytes(FileStream stream)
    {
        var tail = new byte[Math.Min(stream.Length, EndBytes + ushort.MaxValue)];
        stream.Position = stream.Length - tail.Length;
        stream.ReadExactly(tail);
        var end = tail.AsSpan().LastIndexOf("PK\u0005\u0006"u8);
        if (end < 0 || end + EndBytes > tail.Length)
        {
            return 0;
        }

        var length = BinaryPrimitives.ReadUInt32LittleEndian(tail.AsSpan(end + 12));
        if (length != uint.MaxValue)
        {
            return length;
        }

        if (end < LocatorBytes || !tail.AsSpan(end - LocatorBytes).StartsWith("PK\u0006\u0007"u8))
        {
            return long.MaxValue;
        }

        var at = BinaryPrimitives.ReadInt64LittleEndian(tail.AsSpan(end - LocatorBytes + 8));
        if (at < 0 || at > stream.Length - LargeEndBytes)
        {
            return long.MaxValue;
        }

        var large = new byte[LargeEndBytes];
        stream.Position = at;
        stream.ReadExactly(large);
        return BinaryPrimitives.ReadUInt64LittleEndian(large.AsSpan(40)) is var found && found <= long.MaxValue ? (long)found : long.MaxValue;
    }
}
