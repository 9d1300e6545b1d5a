using Scissorhands.Core.Replica;
using Scissorhands.Data.Safetensors;
using Scissorhands.Planning;
using TorchSharp;
using static TorchSharp.torch;

namespace Scissorhands.Core.Models;

/// <summary>
/// Models in the forms users have: TorchScript archives of any architecture, and safetensors state dicts of the built-in
/// ones. No pickles.
/// </summary>
public static class ModelFiles
{
    /// <summary>Name of the TorchScript output.</summary>
    public const string TorchScriptName = "model.pt";

    /// <summary>Name of the canonical output.</summary>
    public const string SafetensorsName = "model.safetensors";

    /// <summary>Whether a path names a state dict rather than TorchScript.</summary>
    /// <param name="path">The file.</param>
    /// <returns>True for <c>.safetensors</c>.</returns>
    public static bool IsSafetensors(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        return path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Loads a model on the CPU.</summary>
    /// <param name="path">TorchScript, or a safetensors state dict.</param>
    /// <param name="architecture">Of a state dict: name and options; null to take what the file's metadata says.</param>
    /// <returns>The model.</returns>
    /// <exception cref="InputException">Missing, damaged, or not what its name says.</exception>
    public static LoadedModel Load(string path, string? architecture = null)
    {
        if (!IsSafetensors(path))
        {
            return TorchScriptFile.Load(path);
        }

        if (!File.Exists(path))
        {
            throw new InputException($"{path}: no such model file");
        }

        using var file = SafetensorsFile.Open(path);
        var found = file.Entries.ToDictionary(e => e.Name, e => (TypeOf(e, path), e.Shape.ToArray()), StringComparer.Ordinal);
        var model = BuiltInModels.CreateLoaded(Specify(file, path, architecture), path);
        try
        {
            StateDict.Load(StateDict.Entries(model.Module), found, path, (name, bytes) => file.ReadInto(file.Find(name), bytes));
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Writes a replica in the form its model came in, plus the canonical safetensors state dict. Files are written beside
    /// and renamed.
    /// </summary>
    /// <param name="replica">The model.</param>
    /// <param name="original">The file it was loaded from.</param>
    /// <param name="folder">Where to write.</param>
    /// <param name="architecture">Of a state dict: as given to <see cref="Load"/>.</param>
    /// <returns>Names of the files written.</returns>
    public static IReadOnlyList<string> Save(ModelReplica replica, string original, string folder, string? architecture = null)
    {
        ArgumentNullException.ThrowIfNull(replica);
        var state = replica.State();
        if (IsSafetensors(original))
        {
            using var file = SafetensorsFile.Open(original);
            WriteStateDict(Path.Combine(folder, SafetensorsName), state, Specify(file, original, architecture));
            return [SafetensorsName];
        }

        TorchScriptFile.SaveLike(original, state.ToDictionary(s => s.Name, s => s.Tensor, StringComparer.Ordinal), Path.Combine(folder, TorchScriptName));
        WriteStateDict(Path.Combine(folder, SafetensorsName), state, null);
        return [TorchScriptName, SafetensorsName];
    }

    /// <summary>Writes a state dict.</summary>
    /// <param name="path">The file; written beside and renamed.</param>
    /// <param name="state">Names and tensors, in file order; float32 or int64.</param>
    /// <param name="architecture">Recorded in the file's metadata, or null.</param>
    public static void WriteStateDict(string path, IReadOnlyList<StateEntry> state, ArchitectureSpec? architecture)
    {
        ArgumentNullException.ThrowIfNull(state);
        SafetensorsWriter.Write(
            path,
            [.. state.Select(s => new SafetensorsInput(
                s.Name,
                s.Tensor.dtype == ScalarType.Int64 ? SafetensorsDType.I64 : SafetensorsDType.F32,
                s.Tensor.shape,
                destination => StateDict.Read(s.Tensor, destination, static (bytes, stream) => stream.Write(bytes))))],
            architecture is null ? null : new Dictionary<string, string> { [ArchitectureSpec.MetadataKey] = architecture.ToString() });
    }

    private static ArchitectureSpec Specify(SafetensorsFile file, string path, string? architecture)
    {
        var shapes = file.Entries.ToDictionary(e => e.Name, e => e.Shape.ToArray(), StringComparer.Ordinal);
        return architecture is null ? ArchitectureSpec.OfFile(path, file.Metadata, shapes) : ArchitectureSpec.Infer(architecture, shapes);
    }

    private static ScalarType TypeOf(SafetensorsEntry entry, string path) => entry.DType switch
    {
        SafetensorsDType.F32 => ScalarType.Float32,
        SafetensorsDType.I64 => ScalarType.Int64,
        SafetensorsDType.F16 => ScalarType.Float16,
        SafetensorsDType.BF16 => ScalarType.BFloat16,
        SafetensorsDType.F64 => ScalarType.Float64,
        _ => throw new InputException($"{path}: tensor '{entry.Name}' is {entry.DType}; a state dict holds float32 and int64 tensors"),
    };
}
