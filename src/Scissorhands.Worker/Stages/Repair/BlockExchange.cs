using System.Runtime.InteropServices;
using Scissorhands.Core.Projection;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Worker.Stages.Repair;

/// <summary>Brings the dot products of all blocks together where each owner has those of its range. One a generation.</summary>
internal sealed class BlockExchange : IBlockExchange
{
    private readonly ICollectiveGroup _group;
    private readonly int _length;
    private readonly CancellationToken _cancellationToken;
    private long _round;

    /// <summary>Prepares.</summary>
    /// <param name="group">The workers.</param>
    /// <param name="length">Elements of the whole vector.</param>
    /// <param name="cancellationToken">Ends every wait.</param>
    public BlockExchange(ICollectiveGroup group, int length, CancellationToken cancellationToken)
    {
        _group = group;
        _length = length;
        _cancellationToken = cancellationToken;
    }

    /// <inheritdoc />
    public double[] Gather(double[] values, int perBlock)
    {
        ArgumentNullException.ThrowIfNull(values);
        if (_group.Size == 1)
        {
            return values;
        }

        var width = perBlock * sizeof(double);
        IndexRange[] ranges = [.. RangeOwnership.All(_length, _group.Size)
            .Select(range => new IndexRange(range.Start / RangeOwnership.BlockElements * width, RangeOwnership.Blocks(range.End) * width))];
        var all = new byte[RangeOwnership.Blocks(_length) * width];
        MemoryMarshal.AsBytes(values.AsSpan()).CopyTo(all.AsSpan(ranges[_group.Rank].Start, ranges[_group.Rank].Count));
        _group.AllGather(new OperationKey("dots", _round++), ranges, all).Wait(_cancellationToken);
        return MemoryMarshal.Cast<byte, double>(all).ToArray();
    }
}
