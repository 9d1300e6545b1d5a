using Scissorhands.Core.Replica;
using Scissorhands.Core.TensorMemory;
using Scissorhands.Planning.Cut;
using TorchSharp;
using static TorchSharp.torch;

namespace Scissorhands.Core.Repair;

/// <summary>
/// The parameters that move in the repair: all, or only the trimmed entries (<c>repair.trainable: masked</c>). Everything
/// the repair keeps and sends (gradient, momentum, memories) is a vector over this set, in flat order.
/// </summary>
public sealed class MovingSet : IDisposable
{
    private readonly int[]? _indices;
    private readonly Tensor? _indexTensor;

    private MovingSet(int count, int[]? indices, Device device)
    {
        Count = count;
        _indices = indices;
        if (indices is not null)
        {
            using var host = torch.tensor(indices, ScalarType.Int64);
            _indexTensor = host.to(device).clone().DetachFromDisposeScope();
        }
    }

    /// <summary>Elements that move.</summary>
    public int Count { get; }

    /// <summary>Whether every parameter moves.</summary>
    public bool IsAll => _indices is null;

    /// <summary>Flat indices of the moving elements, as an int64 tensor; null where all move.</summary>
    public Tensor? IndexTensor => _indexTensor;

    /// <summary>All n parameters.</summary>
    /// <param name="count">n.</param>
    /// <returns>The set.</returns>
    public static MovingSet All(int count) => new(count, null, torch.CPU);

    /// <summary>Only the trimmed entries.</summary>
    /// <param name="mask">n bytes, 1 = trimmed.</param>
    /// <param name="device">Where the model computes.</param>
    /// <returns>The set.</returns>
    public static MovingSet Masked(ReadOnlySpan<byte> mask, Device device)
    {
        var indices = new List<int>();
        for (var i = 0; i < mask.Length; i++)
        {
            if (mask[i] != 0)
            {
                indices.Add(i);
            }
        }

        return new MovingSet(indices.Count, [.. indices], device);
    }

    /// <summary>Translates flat ranges to ranges within this set.</summary>
    /// <param name="segments">Disjoint flat ranges, ascending.</param>
    /// <returns>Disjoint ranges of positions in the set, ascending.</returns>
    public IReadOnlyList<IndexRange> Translate(IReadOnlyList<IndexRange> segments)
    {
        ArgumentNullException.ThrowIfNull(segments);
        return _indices is null
            ? segments
            : [.. segments.Select(s => new IndexRange(LowerBound(s.Start), LowerBound(s.End))).Where(s => s.Count > 0)];
    }

    /// <summary>Copies the moving elements of a flat vector.</summary>
    /// <param name="flat">n elements.</param>
    /// <param name="moving">Receives <see cref="Count"/> elements.</param>
    public void Gather(ReadOnlySpan<float> flat, Span<float> moving)
    {
        if (_indices is null)
        {
            flat[..Count].CopyTo(moving);
            return;
        }

        for (var i = 0; i < _indices.Length; i++)
        {
            moving[i] = flat[_indices[i]];
        }
    }

    /// <summary>Puts moving elements back to where <see cref="Gather"/> took them from.</summary>
    /// <param name="moving">At least <see cref="Count"/> elements.</param>
    /// <param name="flat">n elements; the others stay.</param>
    public void Scatter(ReadOnlySpan<float> moving, Span<float> flat)
    {
        if (_indices is null)
        {
            moving[..Count].CopyTo(flat);
            return;
        }

        for (var i = 0; i < _indices.Length; i++)
        {
            flat[_indices[i]] = moving[i];
        }
    }

    /// <inheritdoc />
    public void Dispose() => _indexTensor?.Dispose();

    private int LowerBound(int value)
    {
        var position = Array.BinarySearch(_indices!, value);
        return position < 0 ? ~position : position;
    }
}
