using System.Buffers.Binary;
using System.IO.Hashing;
using System.Security.Cryptography;

namespace Scissorhands.Messaging.Frames;

/// <summary>
/// Seals the frames of one generation. With a key, the seal is a 128-bit message authentication code (GMAC, that is AES-GCM
/// over associated data alone) over the header and a keyed digest of the payload (<see cref="PayloadDigest"/>), under a key
/// of the sender's life derived from the generation's key, with the frame's number as nonce; without one it is a 128-bit
/// hash, which finds what was damaged on the way but not what was forged. One instance serves one thread.
/// </summary>
internal sealed class FrameSeal : IDisposable
{
    internal const int KeyBytes = 32;
    private const int TagBytes = 16;
    private readonly byte[]? _key;
    private readonly PayloadDigest? _digest;
    private byte[] _shortened = [];
    private readonly Dictionary<(int Source, ulong Instance), AesGcm> _lives = [];

    /// <summary>Prepares.</summary>
    /// <param name="generationKey">32 random bytes that only the group knows, or empty for damage detection only.</param>
    internal FrameSeal(ReadOnlySpan<byte> generationKey)
    {
        if (generationKey.Length is not (0 or KeyBytes))
        {
            throw new ArgumentException($"A generation's key has {KeyBytes} bytes, not {generationKey.Length}.", nameof(generationKey));
        }

        _key = generationKey.IsEmpty ? null : generationKey.ToArray();
        _digest = _key is null ? null : new PayloadDigest(_key);
    }

    /// <summary>Writes a frame's header and seal.</summary>
    /// <param name="header">The header.</param>
    /// <param name="payload">Its payload.</param>
    /// <param name="bytes"><see cref="FrameHeader.Size"/> bytes.</param>
    internal void Seal(in FrameHeader header, ReadOnlySpan<byte> payload, Span<byte> bytes)
    {
        header.Write(bytes);
        Compute(header, bytes[..FrameHeader.SealedBytes], payload, bytes.Slice(FrameHeader.SealedBytes, TagBytes));
    }

    /// <summary>Checks a frame's seal.</summary>
    /// <param name="header">The header as read.</param>
    /// <param name="bytes">Its bytes, seal included.</param>
    /// <param name="payload">Its payload.</param>
    /// <returns>Whether nobody but a member of the group can have made it (with a key), or it is undamaged (without).</returns>
    internal bool IsIntact(in FrameHeader header, ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> payload)
    {
        Span<byte> expected = stackalloc byte[TagBytes];
        Compute(header, bytes[..FrameHeader.SealedBytes], payload, expected);
        return CryptographicOperations.FixedTimeEquals(expected, bytes.Slice(FrameHeader.SealedBytes, TagBytes));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var life in _lives.Values)
        {
            life.Dispose();
        }

        _lives.Clear();
        if (_key is not null)
        {
            CryptographicOperations.ZeroMemory(_key);
            _digest!.Clear();
        }
    }

    private void Compute(in FrameHeader header, ReadOnlySpan<byte> headerBytes, ReadOnlySpan<byte> payload, Span<byte> tag)
    {
        // Header and payload lie apart: the payload's tag becomes part of what the header's tag covers.
        Span<byte> head = stackalloc byte[FrameHeader.SealedBytes + TagBytes];
        headerBytes.CopyTo(head);
        var payloadTag = head[FrameHeader.SealedBytes..];
        if (_key is null)
        {
            XxHash128.Hash(payload, payloadTag);
            XxHash128.Hash(head, tag);
            return;
        }

        var life = LifeOf(header.Source, header.Instance);
        Span<byte> nonce = stackalloc byte[12];
        BinaryPrimitives.WriteUInt64LittleEndian(nonce, header.Counter);
        var shortened = PayloadDigest.Bytes(payload.Length);
        if (_shortened.Length < shortened)
        {
            _shortened = new byte[shortened];
        }

        _digest!.Compute(payload, _shortened);
        life.Encrypt(nonce, default, default, payloadTag, _shortened.AsSpan(0, shortened));
        nonce[8] = 1;
        life.Encrypt(nonce, default, default, tag, head);
    }

    private AesGcm LifeOf(int source, ulong instance)
    {
        if (_lives.TryGetValue((source, instance), out var life))
        {
            return life;
        }

        if (_lives.Count >= 1024)
        {
            // Only forged frames name so many lives.
            foreach (var old in _lives.Values)
            {
                old.Dispose();
            }

            _lives.Clear();
        }

        Span<byte> info = stackalloc byte[10];
        BinaryPrimitives.WriteUInt16LittleEndian(info, (ushort)source);
        BinaryPrimitives.WriteUInt64LittleEndian(info[2..], instance);
        Span<byte> key = stackalloc byte[KeyBytes];
        HKDF.Expand(HashAlgorithmName.SHA256, _key!, key, info);
        life = new AesGcm(key, TagBytes);
        _lives.Add((source, instance), life);
        return life;
    }
}
