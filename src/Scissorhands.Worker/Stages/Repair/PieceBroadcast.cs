using Scissorhands.Messaging.Collectives;

namespace Scissorhands.Worker.Stages.Repair;

/// <summary>
/// Passes vectors as large as the model to all workers, piece by piece: a bounded part of one is in the way at a time, also
/// on workers that have no use for it.
/// </summary>
internal sealed class PieceBroadcast
{
    /// <summary>Float32 elements of a piece.</summary>
    internal const int PieceElements = 1 << 22;

    private const int PieceBytes = PieceElements * sizeof(float);

    private readonly ICollectiveGroup _group;
    private readonly CancellationToken _cancellationToken;
    private byte[] _piece = [];

    /// <summary>Prepares.</summary>
    /// <param name="group">The workers.</param>
    /// <param name="cancellationToken">Ends every wait.</param>
    public PieceBroadcast(ICollectiveGroup group, CancellationToken cancellationToken)
    {
        _group = group;
        _cancellationToken = cancellationToken;
    }

    /// <summary>Pieces of a vector.</summary>
    /// <param name="length">Its bytes.</param>
    /// <returns>Their number.</returns>
    public static int Count(int length) => (int)(((long)length + PieceBytes - 1) / PieceBytes);

    /// <summary>Passes one piece. All ranks call it for every piece, in the same order.</summary>
    /// <param name="purpose">What is passed.</param>
    /// <param name="round">Tells vectors of the same purpose and length apart.</param>
    /// <param name="index">The piece.</param>
    /// <param name="root">Who has it.</param>
    /// <param name="length">Bytes of the whole vector.</param>
    /// <param name="source">The whole vector on the root; not looked at elsewhere.</param>
    /// <returns>The piece, until the next call.</returns>
    public ReadOnlySpan<byte> Pass(string purpose, long round, int index, int root, int length, ReadOnlySpan<byte> source)
    {
        var start = index * PieceBytes;
        var count = Math.Min(PieceBytes, length - start);
        if (_piece.Length < count)
        {
            _piece = GC.AllocateUninitializedArray<byte>(count);
        }

        var piece = _piece.AsMemory(0, count);
        if (root == _group.Rank)
        {
            source.Slice(start, count).CopyTo(piece.Span);
        }

        _group.Broadcast(new OperationKey(purpose, (round * Count(length)) + index), root, piece).Wait(_cancellationToken);
        return piece.Span;
    }
}
