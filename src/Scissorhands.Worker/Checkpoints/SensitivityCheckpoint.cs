using System.Globalization;
using System.Text.RegularExpressions;
using System.Runtime.InteropServices;
using Scissorhands.Data.Safetensors;
using Scissorhands.Data.Storage;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning;
using Scissorhands.Planning.Cut;

namespace Scissorhands.Worker.Checkpoints;

/// <summary>
/// The partial sums of the sensitivity, one object an owner. A run may go on with another number of workers: the reader puts
/// its own range together from whichever objects hold it.
/// </summary>
public static partial class SensitivityCheckpoint
{
    /// <summary>The name of a checkpoint, without the owners' suffixes.</summary>
    /// <param name="blocks">Blocks it holds.</param>
    /// <param name="size">Owners it is spread over.</param>
    /// <returns>What the keys of its objects in the run's store begin with.</returns>
    public static string NameOf(int blocks, int size) => string.Create(CultureInfo.InvariantCulture, $"sensitivity-{blocks:D8}-of-{size}");

    /// <summary>Makes one owner's part durable.</summary>
    /// <param name="store">The run's store.</param>
    /// <param name="name">The checkpoint's name.</param>
    /// <param name="rank">The owner.</param>
    /// <param name="length">n.</param>
    /// <param name="partials">The owner's partial sums.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="IOException">It is not durable, or not known to be.</exception>
    public static void Write(ICheckpointStore store, string name, int rank, int length, IReadOnlyList<SubtreeSum> partials, CancellationToken cancellationToken) =>
        VerifiedSafetensors.Write(
            store,
            KeyOf(name, rank),
            [.. partials.Select(p => CheckpointTensors.Floats($"{p.Node.Level}.{p.Node.Index}", p.Values))],
            new Dictionary<string, string> { ["kind"] = "sensitivity", ["length"] = length.ToString(CultureInfo.InvariantCulture) },
            cancellationToken);

    /// <summary>Reads the partial sums of one owner's range.</summary>
    /// <param name="store">The run's store.</param>
    /// <param name="name">The checkpoint's name; it tells over how many owners it is spread.</param>
    /// <param name="length">n.</param>
    /// <param name="rank">The new owner.</param>
    /// <param name="size">Number of new owners.</param>
    /// <param name="cancellationToken">Ends every wait.</param>
    /// <returns>The partial sums of the range the new owner owns.</returns>
    /// <exception cref="InputException">A part is missing or damaged; names it.</exception>
    /// <exception cref="IOException">The store does not answer.</exception>
    public static IReadOnlyList<SubtreeSum> Read(ICheckpointStore store, string name, int length, int rank, int size, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(store);
        var match = NamePattern().Match(name);
        if (!match.Success)
        {
            throw new InputException($"{store.Location}: '{name}' is not the name of a sensitivity checkpoint");
        }

        var writers = int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture);
        var owned = RangeOwnership.Owned(length, rank, size);
        var result = new SortedDictionary<(int Level, int Index), float[]>();
        for (var writer = 0; writer < writers; writer++)
        {
            var held = RangeOwnership.Owned(length, writer, writers);
            var start = Math.Max(held.Start, owned.Start);
            var end = Math.Min(held.End, owned.End);
            using var file = VerifiedSafetensors.Open(store, KeyOf(name, writer), cancellationToken);
            if (writer > 0 && file.Entries.Count != result.Count)
            {
                throw new InputException($"{file.Path}: {file.Entries.Count} partial sums, the first range's object has {result.Count}; the checkpoint is damaged");
            }

            foreach (var entry in file.Entries)
            {
                var dot = entry.Name.IndexOf('.', StringComparison.Ordinal);
                var node = (int.Parse(entry.Name.AsSpan(0, dot), CultureInfo.InvariantCulture), int.Parse(entry.Name.AsSpan(dot + 1), CultureInfo.InvariantCulture));
                if (!result.TryGetValue(node, out var values))
                {
                    if (writer > 0)
                    {
                        throw new InputException($"{file.Path}: partial sum '{entry.Name}' is not in the first range's object; the checkpoint is damaged");
                    }

                    result.Add(node, values = new float[owned.Count]);
                }

                if (entry.DType != SafetensorsDType.F32 || entry.Shape.Count != 1 || entry.Shape[0] != held.Count)
                {
                    throw new InputException($"{file.Path}: partial sum '{entry.Name}' does not have the range's {held.Count} elements; the checkpoint is damaged");
                }

                if (start < end)
                {
                    file.ReadInto(entry, (long)(start - held.Start) * sizeof(float), MemoryMarshal.AsBytes(values.AsSpan(start - owned.Start, end - start)));
                }
            }
        }

        return [.. result.Select(r => new SubtreeSum(new TreeNode(r.Key.Level, r.Key.Index), r.Value))];
    }

    /// <summary>
    /// Deletes the checkpoints of fewer blocks. Those of as many or more stay: a worker that was stopped and goes on must not
    /// delete what others have written since.
    /// </summary>
    /// <param name="store">The run's store.</param>
    /// <param name="blocks">Blocks that a durable checkpoint holds.</param>
    /// <param name="cancellationToken">Ends every wait.</param>
    public static void DeleteOlder(ICheckpointStore store, int blocks, CancellationToken cancellationToken) => OldCheckpoints.Delete(
        store,
        "sensitivity-",
        key => KeyPattern().Match(key) is { Success: true } match && int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture) < blocks,
        cancellationToken);

    private static string KeyOf(string name, int rank) => string.Create(CultureInfo.InvariantCulture, $"{name}.{rank}.safetensors");

    [GeneratedRegex("^sensitivity-[0-9]{8}-of-([0-9]{1,4})$")]
    private static partial Regex NamePattern();

    [GeneratedRegex("^sensitivity-([0-9]{8})-of-[0-9]{1,4}[.][0-9]{1,4}[.]safetensors$")]
    private static partial Regex KeyPattern();
}
