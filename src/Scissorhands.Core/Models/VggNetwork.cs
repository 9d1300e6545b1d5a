using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Scissorhands.Core.Models;

/// <summary>
/// VGG-16 with batch normalisation (Simonyan and Zisserman, ICLR 2015, configuration D) with torchvision's parameter names
/// and order.
/// </summary>
internal sealed class VggNetwork : nn.Module<Tensor, Tensor>, IHasDropoutContext
{
    // Channels in multiples of the width; 0 is a 2x2 max pooling.
    private static readonly int[] Layers = [1, 1, 0, 2, 2, 0, 4, 4, 4, 0, 8, 8, 8, 0, 8, 8, 8, 0];

    private readonly Sequential _features;
    private readonly AdaptiveAvgPool2d _pool;
    private readonly Sequential _classifier;
    private readonly CounterDropout[] _dropouts;
    private readonly int _poolEdge;

    /// <summary>Creates the network.</summary>
    /// <param name="spec">Its options.</param>
    public VggNetwork(ArchitectureSpec spec) : base(spec.Name)
    {
        var features = new List<nn.Module<Tensor, Tensor>>();
        long channels = spec.Channels;
        foreach (var multiple in Layers)
        {
            if (multiple == 0)
            {
                features.Add(nn.MaxPool2d(2, stride: 2));
                continue;
            }

            var outputs = (long)multiple * spec.Width;
            features.Add(nn.Conv2d(channels, outputs, 3, stride: 1, padding: 1));
            features.Add(new BatchNormalization(outputs));
            features.Add(nn.ReLU(inplace: true));
            channels = outputs;
        }

        _poolEdge = spec.CifarStem ? 1 : 7;
        var hidden = 64L * spec.Width;
        _features = nn.Sequential(features.Select((module, index) => ($"{index}", module)));
        _pool = nn.AdaptiveAvgPool2d([_poolEdge, _poolEdge]);
        _dropouts = [new CounterDropout("classifier.2", spec.Dropout), new CounterDropout("classifier.5", spec.Dropout)];
        _classifier = nn.Sequential(
            ("0", nn.Linear(channels * _poolEdge * _poolEdge, hidden)),
            ("1", nn.ReLU(inplace: true)),
            ("2", _dropouts[0]),
            ("3", nn.Linear(hidden, hidden)),
            ("4", nn.ReLU(inplace: true)),
            ("5", _dropouts[1]),
            ("6", nn.Linear(hidden, spec.Classes)));
        register_module("features", _features);
        register_module("avgpool", _pool);
        register_module("classifier", _classifier);
    }

    /// <inheritdoc/>
    public DropoutContext? DropoutContext
    {
        get => _dropouts[0].DropoutContext;
        set => Array.ForEach(_dropouts, layer => layer.DropoutContext = value);
    }

    /// <summary>Computes logits.</summary>
    /// <param name="input">Images [samples, channels, height, width] of at least 32x32, normalised as in training.</param>
    /// <returns>Logits [samples, classes].</returns>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        var maps = _features.call(input);

        // Adaptive pooling's backward pass has no deterministic kernel on CUDA; at the usual image sizes it is the identity.
        var pooled = maps.shape[2] == _poolEdge && maps.shape[3] == _poolEdge ? maps : _pool.call(maps);
        return _classifier.call(pooled.flatten(1)).MoveToOuterDisposeScope();
    }
}
