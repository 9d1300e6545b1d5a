using System.Buffers.Binary;
using System.Text.Json;

namespace Scissorhands.Data.Safetensors;

/// <summary>The bytes of a safetensors file that is yet to be written. Equal input gives equal bytes.</summary>
internal sealed class SafetensorsDocument
{
    private const int PrefixBytes = 8;
    private const int ChunkAlignment = 8;

    private readonly byte[] _header;
    private readonly IReadOnlyList<SafetensorsInput> _tensors;

    /// <summary>Lays a file out.</summary>
    /// <param name="tensors">The tensors, in the order their data is written; names differ.</param>
    /// <param name="metadata">Strings for <c>__metadata__</c>, written in ordinal order of their keys; null for none.</param>
    public SafetensorsDocument(IReadOnlyList<SafetensorsInput> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        _tensors = tensors;
        _header = Header(tensors, metadata);
    }

    /// <summary>Bytes before the data.</summary>
    public int DataStart => PrefixBytes + _header.Length;

    /// <summary>Bytes of the whole file.</summary>
    public long Length => DataStart + _tensors.Sum(LengthOf);

    /// <summary>Bytes of a tensor.</summary>
    /// <param name="tensor">The tensor.</param>
    /// <returns>As its type and shape say.</returns>
    public static long LengthOf(SafetensorsInput tensor) =>
        tensor.Shape.Aggregate((long)SafetensorsDTypes.Size(tensor.DType), (product, d) => checked(product * d));

    /// <summary>Writes the file.</summary>
    /// <param name="destination">Where to; tells its position.</param>
    /// <exception cref="InvalidOperationException">A tensor gives another number of bytes than its shape says.</exception>
    public void WriteTo(Stream destination)
    {
        Span<byte> prefix = stackalloc byte[PrefixBytes];
        BinaryPrimitives.WriteInt64LittleEndian(prefix, _header.Length);
        destination.Write(prefix);
        destination.Write(_header);
        foreach (var tensor in _tensors)
        {
            // Straight from the tensor's memory: a copy would be as large as the model.
            var end = destination.Position + LengthOf(tensor);
            tensor.Content(destination);
            if (destination.Position != end)
            {
                throw new InvalidOperationException($"Tensor '{tensor.Name}' wrote {destination.Position - end + LengthOf(tensor)} bytes, not {LengthOf(tensor)}");
            }
        }
    }

    private static byte[] Header(IReadOnlyList<SafetensorsInput> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            if (metadata is { Count: > 0 })
            {
                json.WriteStartObject("__metadata__");
                foreach (var (key, value) in metadata.OrderBy(m => m.Key, StringComparer.Ordinal))
                {
                    json.WriteString(key, value);
                }

                json.WriteEndObject();
            }

            long offset = 0;
            foreach (var tensor in tensors)
            {
                var length = LengthOf(tensor);
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", tensor.DType.ToString());
                json.WriteStartArray("shape");
                foreach (var dimension in tensor.Shape)
                {
                    json.WriteNumberValue(dimension);
                }

                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset + length);
                json.WriteEndArray();
                json.WriteEndObject();
                offset += length;
            }

            json.WriteEndObject();
        }

        // Spaces bring the data to a multiple of 8, as the format's own writer does.
        while (buffer.Length % ChunkAlignment != 0)
        {
            buffer.WriteByte((byte)' ');
        }

        return buffer.ToArray();
    }
}
