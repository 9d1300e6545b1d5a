using Scissorhands.Core.Replica;
using TorchSharp;
using static TorchSharp.torch;

namespace Scissorhands.Core.Models;

/// <summary>A model as it came from its file: TorchScript, or a built-in architecture with a state dict.</summary>
public sealed class LoadedModel : IDisposable
{
    private readonly Func<Tensor, Tensor> _forward;
    private readonly Action<long, ForwardKey>? _setRandomContext;

    /// <summary>Wraps a module.</summary>
    /// <param name="module">The module.</param>
    /// <param name="forward">Its forward pass.</param>
    /// <param name="source">The file, for error messages.</param>
    /// <param name="setRandomContext">Tells the model's own random layers which pass follows; null where it has none.</param>
    public LoadedModel(nn.Module module, Func<Tensor, Tensor> forward, string source, Action<long, ForwardKey>? setRandomContext = null)
    {
        Module = module;
        _forward = forward;
        Source = source;
        _setRandomContext = setRandomContext;
    }

    /// <summary>The module.</summary>
    public nn.Module Module { get; }

    /// <summary>The file it came from.</summary>
    public string Source { get; }

    /// <summary>Runs the model.</summary>
    /// <param name="input">[n, ...].</param>
    /// <returns>The output.</returns>
    public Tensor Forward(Tensor input) => _forward(input);

    /// <summary>Names the forward pass that follows.</summary>
    /// <param name="seed">The run's seed.</param>
    /// <param name="key">The pass.</param>
    public void SetRandomContext(long seed, ForwardKey key) => _setRandomContext?.Invoke(seed, key);

    /// <inheritdoc />
    public void Dispose() => Module.Dispose();
}
