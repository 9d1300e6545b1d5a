using System.Runtime.InteropServices;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Core.Selection;
using Scissorhands.Core.Sensitivity;
using Scissorhands.Core.Trim;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning.Cut;
using Scissorhands.Worker.Checkpoints;
using Scissorhands.Worker.Telemetry;

namespace Scissorhands.Worker.Stages;

/// <summary>
/// Finds the threshold by counting, each worker over the range it owns, and gathers the bit-packed mask on all of them.
/// </summary>
public sealed class SelectStage : IStageExecutor
{
    /// <inheritdoc />
    public string? Execute(StageContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var table = context.Replica.Parameters;
        var configuration = context.Inputs.Configuration;
        var owned = RangeOwnership.Owned(table.Count, context.Group.Rank, context.Group.Size);
        var saliency = context.Model.OwnedSums ?? throw new InvalidOperationException("Selection needs the sums of the sensitivity stage");
        context.Model.OwnedSums = null;
        context.Replica.WeightsToHost();
        Saliency.Finish(saliency, context.Replica.HostWeights.Span.Slice(owned.Start, owned.Count));

        var trimmable = TrimScope.Trimmable(configuration.Trim, table);
        var selected = new byte[owned.Count];
        var selection = MaskSelection.Select(saliency, owned, table, trimmable, configuration, new CountExchange(context.Group, context.CancellationToken), selected);
        if (configuration.Artifacts.Saliency)
        {
            WriteSaliency(context, saliency, owned);
        }

        var all = GatherBits(context, selected, owned);
        var mask = new byte[table.Count];
        foreach (var segment in trimmable)
        {
            all.AsSpan(segment.Start, segment.Count).CopyTo(mask.AsSpan(segment.Start));
        }

        context.Model.Mask = mask;
        if (!context.IsFirst)
        {
            return null;
        }

        ParameterObjects.WriteMask(context.Checkpoints, table, mask, context.CancellationToken);
        var trimmed = mask.AsSpan().Count((byte)1);
        var inScope = trimmable.Sum(static segment => (long)segment.Count);
        WorkerMeters.Trimmed(inScope == 0 ? 0 : trimmed / (double)inScope);
        return StageJson.Write(new SelectionOutcome(
            selection.Threshold,
            selection.Considered,
            all.AsSpan().Count((byte)1),
            trimmed,
            [.. table.Slots.Select(s => new ParameterRow(s.Name, s.Count, all.AsSpan(s.Start, s.Count).Count((byte)1), mask.AsSpan(s.Start, s.Count).Count((byte)1)))]));
    }

    private static byte[] GatherBits(StageContext context, byte[] selected, IndexRange owned)
    {
        var n = context.Replica.Parameters.Count;
        var size = context.Group.Size;

        // Owned ranges start at multiples of 65,536, so every owner's bits begin at a whole byte.
        var packed = new byte[(n + 7) / 8];
        for (var i = 0; i < selected.Length; i++)
        {
            var index = owned.Start + i;
            packed[index >> 3] |= (byte)(selected[i] << (index & 7));
        }

        if (size > 1)
        {
            var ranges = RangeOwnership.All(n, size)
                .Select(r => new IndexRange((r.Start + 7) / 8, (r.End + 7) / 8)).ToArray();
            context.Group.AllGather(new OperationKey("mask", 0), ranges, packed).Wait(context.CancellationToken);
        }

        var all = new byte[n];
        for (var i = 0; i < n; i++)
        {
            all[i] = (byte)((packed[i >> 3] >> (i & 7)) & 1);
        }

        return all;
    }

    private static void WriteSaliency(StageContext context, float[] saliency, IndexRange owned)
    {
        var n = context.Replica.Parameters.Count;
        var size = context.Group.Size;
        var all = new float[n];
        saliency.CopyTo(all, owned.Start);
        if (size > 1)
        {
            var bytes = MemoryMarshal.AsBytes(all.AsSpan()).ToArray();
            var ranges = RangeOwnership.All(n, size)
                .Select(r => new IndexRange(r.Start * sizeof(float), r.End * sizeof(float))).ToArray();
            context.Group.AllGather(new OperationKey("saliency", 0), ranges, bytes).Wait(context.CancellationToken);
            MemoryMarshal.Cast<byte, float>(bytes).CopyTo(all);
        }

        if (context.IsFirst)
        {
            ParameterObjects.WriteSaliency(context.Checkpoints, context.Replica.Parameters, all, context.CancellationToken);
        }
    }
}
