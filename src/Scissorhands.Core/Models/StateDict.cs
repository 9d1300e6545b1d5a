using Scissorhands.Planning;
using TorchSharp;
using static TorchSharp.torch;

namespace Scissorhands.Core.Models;

/// <summary>A parameter or buffer of a model.</summary>
/// <param name="Name">Dotted name, as in PyTorch's state dict.</param>
/// <param name="Tensor">The model's own tensor: not to be disposed of.</param>
/// <param name="IsBuffer">A buffer, which no gradient moves, rather than a parameter.</param>
public sealed record StateEntry(string Name, Tensor Tensor, bool IsBuffer);

/// <summary>Names, strict matching and raw bytes of the tensors that make up a model.</summary>
public static class StateDict
{
    /// <summary>
    /// Lists a model's tensors: parameters in <c>named_parameters()</c> order (the flat order), then buffers in
    /// <c>named_buffers()</c> order. The same for replicas of a model in any process.
    /// </summary>
    /// <param name="module">A built-in model, a loaded script module, or any other.</param>
    /// <returns>The entries.</returns>
    public static IReadOnlyList<StateEntry> Entries(nn.Module module)
    {
        ArgumentNullException.ThrowIfNull(module);
        return
        [
            .. module.named_parameters().Select(entry => new StateEntry(entry.name, entry.parameter, false)),
            .. module.named_buffers().Select(entry => new StateEntry(entry.name, entry.buffer, true)),
        ];
    }

    /// <summary>Compares what a file holds with what a model needs: equal names, shapes and element types.</summary>
    /// <param name="entries">The model's tensors.</param>
    /// <param name="found">Shape and element type of each of the file's tensors, by name.</param>
    /// <param name="file">The file, for messages.</param>
    /// <exception cref="InputException">The first difference in the model's order: names file and key.</exception>
    public static void Match(IReadOnlyList<StateEntry> entries, IReadOnlyDictionary<string, (ScalarType Type, long[] Shape)> found, string file)
    {
        ArgumentNullException.ThrowIfNull(entries);
        ArgumentNullException.ThrowIfNull(found);
        foreach (var entry in entries)
        {
            if (!found.TryGetValue(entry.Name, out var tensor))
            {
                throw new InputException($"{file}: tensor '{entry.Name}' is missing; save the model's whole state_dict()");
            }

            var shape = entry.Tensor.shape;
            if (!tensor.Shape.AsSpan().SequenceEqual(shape))
            {
                throw new InputException($"{file}: tensor '{entry.Name}' has shape [{string.Join(", ", tensor.Shape)}] where the model has [{string.Join(", ", shape)}]; name the architecture and options it was saved from");
            }

            if (tensor.Type != entry.Tensor.dtype)
            {
                throw new InputException($"{file}: tensor '{entry.Name}' is {tensor.Type} where the model has {entry.Tensor.dtype}; convert it before saving");
            }
        }

        if (found.Count > entries.Count)
        {
            var names = entries.Select(entry => entry.Name).ToHashSet(StringComparer.Ordinal);
            var unexpected = found.Keys.Where(name => !names.Contains(name)).Min(StringComparer.Ordinal);
            throw new InputException($"{file}: the model has no tensor '{unexpected}'; name the architecture and options it was saved from");
        }
    }

    /// <summary>Overwrites all tensors of a model from a file whose names, shapes and element types match strictly.</summary>
    /// <param name="entries">The model's tensors.</param>
    /// <param name="found">Shape and element type of each of the file's tensors, by name.</param>
    /// <param name="file">The file, for messages.</param>
    /// <param name="read">Reads the named tensor's bytes into the span, which has exactly their length.</param>
    /// <exception cref="InputException">The file does not match: nothing was overwritten.</exception>
    public static void Load(
        IReadOnlyList<StateEntry> entries,
        IReadOnlyDictionary<string, (ScalarType Type, long[] Shape)> found,
        string file,
        Action<string, Span<byte>> read)
    {
        Match(entries, found, file);
        foreach (var entry in entries)
        {
            Write(entry.Tensor, (entry.Name, read), static (bytes, state) => state.read(state.Name, bytes));
        }
    }

    /// <summary>Overwrites a tensor, on whatever device it is, with bytes in row-major order; autograd does not see it.</summary>
    /// <typeparam name="T">Type of <paramref name="state"/>.</typeparam>
    /// <param name="tensor">The tensor, at most 2 GiB.</param>
    /// <param name="state">Passed to <paramref name="fill"/>.</param>
    /// <param name="fill">Writes all bytes of the span it is given, which is the tensor's own memory where possible.</param>
    public static void Write<T>(Tensor tensor, T state, Action<Span<byte>, T> fill)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        ArgumentNullException.ThrowIfNull(fill);
        if (IsPlain(tensor))
        {
            fill(tensor.bytes, state);
            return;
        }

        using var noGradient = no_grad();
        using var host = empty(tensor.shape, tensor.dtype, CPU);
        fill(host.bytes, state);
        tensor.copy_(host);
    }

    /// <summary>Shows a tensor's bytes in row-major order.</summary>
    /// <typeparam name="T">Type of <paramref name="state"/>.</typeparam>
    /// <param name="tensor">The tensor, on whatever device, at most 2 GiB.</param>
    /// <param name="state">Passed to <paramref name="use"/>.</param>
    /// <param name="use">Receives the bytes: the tensor's own memory where possible, so only valid during the call.</param>
    public static void Read<T>(Tensor tensor, T state, Action<ReadOnlySpan<byte>, T> use)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        ArgumentNullException.ThrowIfNull(use);
        if (IsPlain(tensor))
        {
            use(tensor.bytes, state);
            return;
        }

        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        use(tensor.to(CPU).contiguous().bytes, state);
    }

    private static bool IsPlain(Tensor tensor) => tensor.device_type == DeviceType.CPU && tensor.is_contiguous();
}
