using System.Globalization;
using System.Text.RegularExpressions;
using Scissorhands.Data.Safetensors;
using Scissorhands.Data.Storage;
using Scissorhands.Planning;

namespace Scissorhands.Worker.Checkpoints;

/// <summary>
/// All that a repair needs to go on as if nothing had happened: step, weights, buffers, momentum, the epoch's memory
/// gradients and what quantisation has lost. One object of the run's store; the one before is kept until it is durable. The
/// vectors are as large as the model, so writing and reading go without copies of them.
/// </summary>
/// <param name="Steps">Steps done, of the whole stage.</param>
/// <param name="Weights">The weights [n].</param>
/// <param name="Buffers">The float buffers.</param>
/// <param name="Integers">The int64 buffers.</param>
/// <param name="Moving">Elements of the moving set, over which the vectors below go.</param>
/// <param name="Momentum">Writes the float32 bytes of the momentum.</param>
/// <param name="Memories">
/// Write the memory gradients of the epoch of step <paramref name="Steps"/>; none at an epoch's start. Like the momentum's,
/// each is called once and in order: what it writes may come from other workers.
/// </param>
public sealed partial record RepairCheckpoint(
    int Steps,
    ReadOnlyMemory<float> Weights,
    ReadOnlyMemory<float> Buffers,
    long[] Integers,
    int Moving,
    SafetensorsContent Momentum,
    IReadOnlyList<SafetensorsContent> Memories)
{
    private const string Prefix = "repair-";

    /// <summary>
    /// What the quantisation of each leaf's gradients has lost so far, over the moving set: one writer of its float32 bytes a
    /// leaf, called once each and in order. None where nothing is quantised.
    /// </summary>
    public IReadOnlyList<SafetensorsContent> Residuals { get; init; } = [];

    /// <summary>The name of a checkpoint.</summary>
    /// <param name="steps">Steps it holds.</param>
    /// <returns>Its key in the run's store.</returns>
    public static string NameOf(int steps) => string.Create(CultureInfo.InvariantCulture, $"repair-{steps:D8}.safetensors");

    /// <summary>Makes the checkpoint durable.</summary>
    /// <param name="store">The run's store.</param>
    /// <param name="planHash">Hash of the plan it belongs to.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Its name.</returns>
    /// <exception cref="IOException">It is not durable, or not known to be.</exception>
    public string Write(ICheckpointStore store, string planHash, CancellationToken cancellationToken)
    {
        var tensors = new List<SafetensorsInput>
        {
            CheckpointTensors.Floats("weights", Weights),
            CheckpointTensors.Floats("buffers", Buffers),
            CheckpointTensors.Integers("integers", Integers),
            Vector("momentum", Momentum),
        };
        tensors.AddRange(Memories.Select((content, i) => Vector($"memory.{i}", content)));
        tensors.AddRange(Residuals.Select((content, leaf) => Vector($"residual.{leaf}", content)));
        var name = NameOf(Steps);
        var metadata = new Dictionary<string, string>
        {
            ["kind"] = "repair",
            ["plan"] = planHash,
            ["steps"] = Steps.ToString(CultureInfo.InvariantCulture),
            ["memories"] = Memories.Count.ToString(CultureInfo.InvariantCulture),
            ["residuals"] = Residuals.Count.ToString(CultureInfo.InvariantCulture),
        };
        VerifiedSafetensors.Write(store, name, tensors, metadata, cancellationToken);
        return name;
    }

    /// <summary>Steps that a checkpoint holds, by its name.</summary>
    /// <param name="name">A name of <see cref="NameOf"/>.</param>
    /// <returns>The steps, or null where it is no such name.</returns>
    public static int? StepsOf(string name) =>
        NamePattern().Match(name) is { Success: true } match ? int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture) : null;

    /// <summary>
    /// Deletes the checkpoints of fewer steps. Those of as many or more stay: a worker that was stopped and goes on must not
    /// delete what others have written since.
    /// </summary>
    /// <param name="store">The run's store.</param>
    /// <param name="steps">Steps that the oldest one to keep holds.</param>
    /// <param name="cancellationToken">Ends every wait.</param>
    public static void DeleteOlder(ICheckpointStore store, int steps, CancellationToken cancellationToken) =>
        OldCheckpoints.Delete(store, Prefix, name => StepsOf(name) < steps, cancellationToken);

    private SafetensorsInput Vector(string name, SafetensorsContent content) => new(name, SafetensorsDType.F32, [Moving], content);

    [GeneratedRegex("^repair-([0-9]{8})[.]safetensors$")]
    private static partial Regex NamePattern();
}
