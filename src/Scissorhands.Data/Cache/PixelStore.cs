using System.Buffers;
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

    private PixelStore(SampleGroup group, ImageShape shape, int imageSize, FileStream cached)
        : this(group, shape, imageSize)
    {
        _file = MemoryMappedFile.CreateFromFile(cached, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
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
    /// <param name="keep">Whether decoded images are kept; otherwise each use decodes.</param>
    /// <param name="cancellationToken">Ends the decoding.</param>
    /// <returns>The store.</returns>
    public static PixelStore Open(SampleGroup group, ImageShape shape, int imageSize, CacheFolder cache, Action decoded, bool keep, CancellationToken cancellationToken)
    {
        if (!keep)
        {
            return new PixelStore(group, shape, imageSize);
        }

        if (cache.Path is null)
        {
            var memory = (byte*)NativeMemory.Alloc((nuint)group.Entries.Count * (nuint)shape.Elements);
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

        var path = cache.PathOf(group.Source, group.Identity, string.Create(CultureInfo.InvariantCulture, $"{imageSize}-{shape.Channels}x{shape.Height}x{shape.Width}{(group.Selection.Length > 0 ? "-" : "")}{group.Selection}"), "pixels");
        return new PixelStore(group, shape, imageSize, TryOpen(path, group, shape)
            ?? cache.Keep(path, LengthOf(group, shape), stream => Write(stream, group, shape, imageSize, decoded, cancellationToken)));
    }

    /// <summary>Whether each use of an image decodes it.</summary>
    public bool DecodesOnRead => _mapped is null;

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

    /// <summary>
    /// Writes with calls that tell a full disk: a store into mapped memory that finds none kills the process instead.
    /// </summary>
    private static void Write(FileStream stream, SampleGroup group, ImageShape shape, int imageSize, Action decoded, CancellationToken cancellationToken)
    {
        SourceFile.ForEach(group.Entries.Count, i =>
        {
            var pixels = ArrayPool<byte>.Shared.Rent(shape.Elements);
            try
            {
                ImageDecoder.Decode(group, group.Entries[i], shape, imageSize, pixels.AsSpan(0, shape.Elements));
                RandomAccess.Write(stream.SafeFileHandle, pixels.AsSpan(0, shape.Elements), HeaderBytes + ((long)i * shape.Elements));
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(pixels);
            }

            decoded();
        }, cancellationToken);
        Span<byte> header = stackalloc byte[HeaderBytes];
        WriteHeader(header, group.Entries.Count, shape);
        RandomAccess.Write(stream.SafeFileHandle, header, 0);
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

    private static FileStream? TryOpen(string path, SampleGroup group, ImageShape shape)
    {
        FileStream? stream = null;
        try
        {
            stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 0);
            Span<byte> expected = stackalloc byte[HeaderBytes];
            WriteHeader(expected, group.Entries.Count, shape);
            Span<byte> found = stackalloc byte[HeaderBytes];
            if (stream.Length == LengthOf(group, shape) && RandomAccess.Read(stream.SafeFileHandle, found, 0) == HeaderBytes && found.SequenceEqual(expected))
            {
                return stream;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Made anew, as a damaged one is.
        }

        stream?.Dispose();
        return null;
    }

    private static long LengthOf(SampleGroup group, ImageShape shape) => HeaderBytes + ((long)group.Entries.Count * shape.Elements);
}
