using System.Buffers.Binary;
using System.Globalization;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using Scissorhands.Data.Samples;
using Scissorhands.Data.Sources;

namespace Scissorhands.Data.Cache;

/// <summary>
/// A group's decoded images: one byte an element, channels first, one after the other; in a memory-mapped cache file, in
/// memory, or, where they are too many, decoded at each use.
/// </summary>
internal sealed unsafe class PixelStore : IDisposable
{
    private const int HeaderBytes = 64;
    private const long MaximumCacheBytes = 8L << 30;
    private static ReadOnlySpan<byte> Magic => "SCRPIX01"u8;

    private readonly SampleGroup _group;
    private readonly ImageShape _shape;
    private readonly int _imageSize;
    private readonly MemoryMappedFile? _file;
    private readonly MemoryMappedViewAccessor? _view;
    private readonly byte* _mapped;
    private readonly byte* _allocated;

    private PixelStore(SampleGroup group, ImageShape shape, int imageSize)
    {
        _group = group;
        _shape = shape;
        _imageSize = imageSize;
    }

    private PixelStore(SampleGroup group, ImageShape shape, int imageSize, string cachePath)
        : this(group, shape, imageSize)
    {
        _file = MemoryMappedFile.CreateFromFile(cachePath, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
        _view = _file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        byte* start = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        _mapped = start + HeaderBytes;
    }

    private PixelStore(SampleGroup group, ImageShape shape, int imageSize, byte* allocated)
        : this(group, shape, imageSize)
    {
        _mapped = _allocated = allocated;
    }

    /// <summary>Decodes a group, unless the cache holds it.</summary>
    /// <param name="group">The samples.</param>
    /// <param name="shape">The size all images must have after resizing.</param>
    /// <param name="imageSize">Edge to resize to; 0 for none.</param>
    /// <param name="cache">The cache.</param>
    /// <param name="decoded">Told of each decoded image.</param>
    /// <param name="cancellationToken">Ends the decoding.</param>
    /// <returns>The store.</returns>
    public static PixelStore Open(SampleGroup group, ImageShape shape, int imageSize, CacheFolder cache, Action decoded, CancellationToken cancellationToken)
    {
        var bytes = (long)group.Entries.Count * shape.Elements;
        if (bytes > MaximumCacheBytes)
        {
            return new PixelStore(group, shape, imageSize);
        }

        if (cache.Path is null)
        {
            var memory = (byte*)NativeMemory.Alloc((nuint)bytes);
            try
            {
                DecodeAll(group, shape, imageSize, memory, decoded, cancellationToken);
                return new PixelStore(group, shape, imageSize, memory);
            }
            catch
            {
                NativeMemory.Free(memory);
                throw;
            }
        }

        var path = cache.PathOf(group.Identity, string.Create(CultureInfo.InvariantCulture, $"pixels-{imageSize}-{shape.Channels}x{shape.Height}x{shape.Width}"));
        if (!IsWhole(path, group, shape))
        {
            Make(path, group, shape, imageSize, decoded, cancellationToken);
        }

        return new PixelStore(group, shape, imageSize, path);
    }

    /// <summary>Copies an image.</summary>
    public void Read(int index, Span<byte> pixels)
    {
        if (_mapped is null)
        {
            ImageDecoder.Decode(_group, _group.Entries[index], _shape, _imageSize, pixels);
            return;
        }

        new ReadOnlySpan<byte>(_mapped + ((long)index * _shape.Elements), _shape.Elements).CopyTo(pixels);
    }

    /// <inheritdoc />
    public void Dispose()
    {
        if (_view is not null)
        {
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
            _view.Dispose();
            _file!.Dispose();
        }

        if (_allocated is not null)
        {
            NativeMemory.Free(_allocated);
        }
    }

    private static void Make(string path, SampleGroup group, ImageShape shape, int imageSize, Action decoded, CancellationToken cancellationToken)
    {
        // A name of its own: two processes may be at it at once, and the last rename wins with equal bytes.
        var beside = string.Create(CultureInfo.InvariantCulture, $"{path}.{Environment.ProcessId}.{Environment.CurrentManagedThreadId}.tmp");
        try
        {
            var length = HeaderBytes + ((long)group.Entries.Count * shape.Elements);
            using (var stream = new FileStream(beside, FileMode.Create, FileAccess.ReadWrite, FileShare.None))
            {
                stream.SetLength(length);
                using (var file = MemoryMappedFile.CreateFromFile(stream, null, length, MemoryMappedFileAccess.ReadWrite, HandleInheritability.None, leaveOpen: true))
                using (var view = file.CreateViewAccessor())
                {
                    byte* start = null;
                    view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
                    try
                    {
                        DecodeAll(group, shape, imageSize, start + HeaderBytes, decoded, cancellationToken);
                        WriteHeader(new Span<byte>(start, HeaderBytes), group.Entries.Count, shape);
                    }
                    finally
                    {
                        view.SafeMemoryMappedViewHandle.ReleasePointer();
                    }
                }

                stream.Flush(flushToDisk: true);
            }

            File.Move(beside, path, overwrite: true);
        }
        catch
        {
            File.Delete(beside);
            throw;
        }
    }

    private static void DecodeAll(SampleGroup group, ImageShape shape, int imageSize, byte* target, Action decoded, CancellationToken cancellationToken)
    {
        var start = (nint)target;
        SourceFile.ForEach(group.Entries.Count, i =>
        {
            var pixels = new Span<byte>((byte*)start + ((long)i * shape.Elements), shape.Elements);
            ImageDecoder.Decode(group, group.Entries[i], shape, imageSize, pixels);
            decoded();
        }, cancellationToken);
    }

    private static void WriteHeader(Span<byte> header, int count, ImageShape shape)
    {
        header.Clear();
        Magic.CopyTo(header);
        BinaryPrimitives.WriteInt32LittleEndian(header[8..], count);
        BinaryPrimitives.WriteInt32LittleEndian(header[12..], shape.Channels);
        BinaryPrimitives.WriteInt32LittleEndian(header[16..], shape.Height);
        BinaryPrimitives.WriteInt32LittleEndian(header[20..], shape.Width);
    }

    private static bool IsWhole(string path, SampleGroup group, ImageShape shape)
    {
        if (!File.Exists(path) || new FileInfo(path).Length != HeaderBytes + ((long)group.Entries.Count * shape.Elements))
        {
            return false;
        }

        Span<byte> expected = stackalloc byte[HeaderBytes];
        WriteHeader(expected, group.Entries.Count, shape);
        Span<byte> found = stackalloc byte[HeaderBytes];
        using var stream = File.OpenRead(path);
        stream.ReadExactly(found);
        return found.SequenceEqual(expected);
    }
}
