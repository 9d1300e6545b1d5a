using System.Globalization;
using System.Text.RegularExpressions;
using Scissorhands.Data.Safetensors;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Planning;
using Scissorhands.Planning.Cut;
using Scissorhands.Worker.Run;

namespace Scissorhands.Worker.Checkpoints;

/// <summary>
/// The partial sums of the sensitivity, one file an owner. A run may go on with another number of workers: the reader puts
/// its own range together from whichever files hold it.
/// </summary>
public static partial class SensitivityCheckpoint
{
    /// <summary>The name of a checkpoint, without the owners' suffixes.</summary>
    /// <param name="blocks">Blocks it holds.</param>
    /// <param name="size">Owners it is spread over.</param>
    /// <returns>Name within the work folder.</returns>
    public static string NameOf(int blocks, int size) => string.Create(CultureInfo.InvariantCulture, $"sensitivity-{blocks:D8}-of-{size}");

    /// <summary>Writes one owner's file.</summary>
    /// <param name="folder">The run's folder.</param>
    /// <param name="name">The checkpoint's name.</param>
    /// <param name="rank">The owner.</param>
    /// <param name="length">n.</param>
    /// <param name="partials">The owner's partial sums.</param>
    public static void Write(RunFolder folder, string name, int rank, int length, IReadOnlyList<SubtreeSum> partials)
    {
        ArgumentNullException.ThrowIfNull(folder);
        SafetensorsWriter.Write(
            FileOf(folder, name, rank),
            [.. partials.Select(p => CheckpointTensors.Floats($"{p.Node.Level}.{p.Node.Index}", p.Values))],
            new Dictionary<string, string> { ["kind"] = "sensitivity", ["length"] = length.ToString(CultureInfo.InvariantCulture) });
    }

    /// <summary>Reads the partial sums of one owner's range.</summary>
    /// <param name="folder">The run's folder.</param>
    /// <param name="name">The checkpoint's name; it tells over how many owners it is spread.</param>
    /// <param name="length">n.</param>
    /// <param name="rank">The new owner.</param>
    /// <param name="size">Number of new owners.</param>
    /// <returns>The partial sums of the range the new owner owns.</returns>
    public static IReadOnlyList<SubtreeSum> Read(RunFolder folder, string name, int length, int rank, int size)
    {
        ArgumentNullException.ThrowIfNull(folder);
        var match = NamePattern().Match(name);
        if (!match.Success)
        {
            throw new InputException($"{folder.StatePath}: '{name}' is not the name of a sensitivity checkpoint");
        }

        var writers = int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture);
        var owned = RangeOwnership.Owned(length, rank, size);
        var result = new SortedDictionary<(int Level, int Index), float[]>();
        for (var writer = 0; writer < writers; writer++)
        {
            var held = RangeOwnership.Owned(length, writer, writers);
            var start = Math.Max(held.Start, owned.Start);
            var end = Math.Min(held.End, owned.End);
            var path = FileOf(folder, name, writer);
            using var file = SafetensorsFile.Open(path);
            if (writer > 0 && file.Entries.Count != result.Count)
            {
                throw new InputException($"{path}: {file.Entries.Count} partial sums, the first range's file has {result.Count}; the checkpoint is damaged");
            }

            foreach (var entry in file.Entries)
            {
                var dot = entry.Name.IndexOf('.', StringComparison.Ordinal);
                var node = (int.Parse(entry.Name.AsSpan(0, dot), CultureInfo.InvariantCulture), int.Parse(entry.Name.AsSpan(dot + 1), CultureInfo.InvariantCulture));
                if (!result.TryGetValue(node, out var values))
                {
                    if (writer > 0)
                    {
                        throw new InputException($"{path}: partial sum '{entry.Name}' is not in the first range's file; the checkpoint is damaged");
                    }

                    result.Add(node, values = new float[owned.Count]);
                }

                if (entry.Shape.Count != 1 || entry.Shape[0] != held.Count)
                {
                    throw new InputException($"{path}: partial sum '{entry.Name}' does not have the range's {held.Count} elements; the checkpoint is damaged");
                }

                if (start < end)
                {
                    CheckpointTensors.ReadFloats(file, entry.Name).AsSpan(start - held.Start, end - start).CopyTo(values.AsSpan(start - owned.Start));
                }
            }
        }

        return [.. result.Select(r => new SubtreeSum(new TreeNode(r.Key.Level, r.Key.Index), r.Value))];
    }

    /// <summary>
    /// Deletes the checkpoints of fewer blocks. Those of as many or more stay: a worker that was stopped and goes on must not
    /// delete what others have written since.
    /// </summary>
    /// <param name="folder">The run's folder.</param>
    /// <param name="blocks">Blocks that a durable checkpoint holds.</param>
    public static void DeleteOlder(RunFolder folder, int blocks)
    {
        ArgumentNullException.ThrowIfNull(folder);
        foreach (var path in Directory.EnumerateFiles(folder.WorkPath, "sensitivity-*.safetensors"))
        {
            var match = FilePattern().Match(Path.GetFileName(path));
            if (match.Success && int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture) < blocks)
            {
                File.Delete(path);
            }
        }
    }

    private static string FileOf(RunFolder folder, string name, int rank) =>
        folder.Work(string.Create(CultureInfo.InvariantCulture, $"{name}.{rank}.safetensors"));

    [GeneratedRegex("^sensitivity-[0-9]{8}-of-([0-9]{1,4})$")]
    private static partial Regex NamePattern();

    [GeneratedRegex("^sensitivity-([0-9]{8})-of-[0-9]{1,4}[.][0-9]{1,4}[.]safetensors$")]
    private static partial Regex FilePattern();
}
