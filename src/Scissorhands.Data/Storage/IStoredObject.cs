using Scissorhands.Planning;

namespace Scissorhands.Data.Storage;

/// <summary>Bytes that lie in a file or a store and do not change while they are read, by ranges. Thread-safe.</summary>
public interface IStoredObject : IDisposable
{
    /// <summary>What it is and where it lies, for messages: a path, an address.</summary>
    string Name { get; }

    /// <summary>Bytes.</summary>
    long Length { get; }

    /// <summary>Reads a range.</summary>
    /// <param name="offset">Its first byte.</param>
    /// <param name="destination">Receives so many bytes.</param>
    /// <exception cref="EndOfStreamException">There are not so many.</exception>
    /// <exception cref="IOException">They cannot be read now, or the object has been replaced or deleted.</exception>
    /// <exception cref="InputException">They are not those that were written.</exception>
    void Read(long offset, Span<byte> destination);
}
