using System.Buffers.Binary;
using System.Text.Json;

namespace Scissorhands.Data.Safetensors;

/// <summary>Writes safetensors files: equal input gives equal bytes.</summary>
public static class SafetensorsWriter
{
    private const int ChunkAlignment = 8;

    /// <summary>Writes a file beside its final name, flushes it to disk, checks it and renames it.</summary>
    /// <param name="path">Final name.</param>
    /// <param name="tensors">The tensors, in the order their data is written; names differ.</param>
    /// <param name="metadata">Strings for <c>__metadata__</c>, written in ordinal order of their keys; null for none.</param>
    public static void Write(string path, IReadOnlyList<SafetensorsInput> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(tensors);
        var header = Header(tensors, metadata);

        // Nobody else's: a process id would not tell processes of different machines on one folder apart.
        var beside = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            using (var stream = new FileStream(beside, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 1 << 16))
            {
                Span<byte> prefix = stackalloc byte[8];
                BinaryPrimitives.WriteInt64LittleEndian(prefix, header.Length);
                stream.Write(prefix);
                stream.Write(header);
                foreach (var tensor in tensors)
                {
                    // Straight from the tensor's memory: a copy would be as large as the model.
                    var end = stream.Position + LengthOf(tensor);
                    tensor.Content(stream);
                    if (stream.Position != end)
                    {
                        throw new InvalidOperationException($"Tensor '{tensor.Name}' wrote {stream.Position - end + LengthOf(tensor)} bytes, not {LengthOf(tensor)}");
                    }
                }

                stream.Flush(flushToDisk: true);
            }

            using (SafetensorsFile.Open(beside))
            {
            }

            File.Move(beside, path, overwrite: true);
        }
        catch
        {
            File.Delete(beside);
            throw;
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

    private static long LengthOf(SafetensorsInput tensor) =>
        tensor.Shape.Aggregate((long)SafetensorsDTypes.Size(tensor.DType), (product, d) => checked(product * d));
}
