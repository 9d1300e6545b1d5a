using System.Globalization;
using System.Security.Cryptography;
using Scissorhands.Data.Storage;
using Scissorhands.Planning;

namespace Scissorhands.Data.Safetensors;

/// <summary>
/// Safetensors objects of a run's store that carry SHA-256 digests of their own header and data: in a last tensor,
/// <c>__sha256__</c>, which holds one for the header and one for each block of the data. So a range is verified by reading the
/// blocks it touches, and an object is whole or none, digests and all.
/// </summary>
public static class VerifiedSafetensors
{
    /// <summary>Name of the tensor of digests; no parameter of a model is called so.</summary>
    public const string DigestTensor = "__sha256__";

    /// <summary>Name of the metadata that tells the bytes of a block.</summary>
    public const string BlockBytesKey = "sha256.blockBytes";

    /// <summary>Bytes of a block, as written: a range's two ends cost at most so much, its digests a 32,768th of it.</summary>
    internal const int BlockBytes = 1 << 20;

    private const int MaximumBlockBytes = 1 << 26;

    /// <summary>Writes an object.</summary>
    /// <param name="store">Where to.</param>
    /// <param name="key">Its key.</param>
    /// <param name="tensors">The tensors, in the order their data is written; each content is called once and in order.</param>
    /// <param name="metadata">Strings for <c>__metadata__</c>.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="IOException">Not stored, or not known to be.</exception>
    public static void Write(ICheckpointStore store, string key, IReadOnlyList<SafetensorsInput> tensors, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken) =>
        Write(store, key, tensors, metadata, BlockBytes, cancellationToken);

    /// <summary>Opens an object and verifies its header; its tensors are verified as they are read.</summary>
    /// <param name="store">Where it lies.</param>
    /// <param name="key">Its key.</param>
    /// <param name="cancellationToken">Ends every wait.</param>
    /// <returns>The tensors, without that of the digests; the caller disposes it.</returns>
    /// <exception cref="InputException">Missing or damaged; names the object.</exception>
    /// <exception cref="IOException">The store does not answer.</exception>
    public static SafetensorsFile Open(ICheckpointStore store, string key, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(store);
        var stored = store.Open(key, cancellationToken);
        var file = SafetensorsFile.Open(stored);
        try
        {
            return Verified(file, stored);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Writes an object with blocks of another size.</summary>
    internal static void Write(ICheckpointStore store, string key, IReadOnlyList<SafetensorsInput> tensors, IReadOnlyDictionary<string, string> metadata, int blockBytes, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(tensors);
        ArgumentNullException.ThrowIfNull(metadata);
        var dataBytes = tensors.Sum(SafetensorsDocument.LengthOf);
        DigestingStream? digesting = null;
        SafetensorsInput digests = new(
            DigestTensor,
            SafetensorsDType.U8,
            [BlockDigests.Bytes(dataBytes, blockBytes) / SHA256.HashSizeInBytes, SHA256.HashSizeInBytes],
            destination => destination.Write(digesting!.Digests));
        var document = new SafetensorsDocument(
            [.. tensors, digests],
            new Dictionary<string, string>(metadata) { [BlockBytesKey] = blockBytes.ToString(CultureInfo.InvariantCulture) });
        store.Put(
            key,
            document.Length,
            destination =>
            {
                using (digesting = new DigestingStream(destination, document.DataStart, dataBytes, blockBytes))
                {
                    document.WriteTo(digesting);
                }
            },
            cancellationToken);
    }

    private static SafetensorsFile Verified(SafetensorsFile file, IStoredObject stored)
    {
        var written = file.Metadata.GetValueOrDefault(BlockBytesKey);
        var digests = file.Entries.FirstOrDefault(entry => entry.Name == DigestTensor);
        if (written is null && digests is null)
        {
            // Of a version that wrote no digests: a run that was stopped before goes on. Damage to a header that has some does
            // not end here, unless it takes both names away and leaves a header.
            return file;
        }

        if (digests is null
            || !int.TryParse(written, NumberStyles.None, CultureInfo.InvariantCulture, out var blockBytes)
            || blockBytes is 0 or > MaximumBlockBytes
            || digests.DType != SafetensorsDType.U8
            || digests != file.Entries[^1]
            || digests.Length != BlockDigests.Bytes(digests.Start, blockBytes))
        {
            throw new InputException($"{stored.Name}: its digests do not belong to its data; it is damaged: bring it back from a copy, or start in an empty folder");
        }

        var expected = new byte[digests.Length];
        file.ReadInto(digests, expected);
        var header = new byte[file.DataStart];
        stored.Read(0, header);
        BlockDigests.Check(stored.Name, 0, header, expected.AsSpan(0, SHA256.HashSizeInBytes));
        return file.From(new VerifiedObject(stored, file.DataStart, digests.Start, blockBytes, expected), [.. file.Entries.SkipLast(1)]);
    }
}
