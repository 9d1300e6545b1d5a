using Scissorhands.Core.Native;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Scissorhands.Core.Models;

/// <summary>
/// Residual networks (He et al., CVPR 2016) with torchvision's parameter names and order. Shortcuts that change size are
/// 1x1 convolutions (option B). Global average pooling is a mean over both image axes: the same value as adaptive
/// pooling, whose backward pass has no deterministic kernel on CUDA.
/// </summary>
internal sealed class ResidualNetwork : nn.Module<Tensor, Tensor>, IHasDropoutContext
{
    private readonly Conv2d _conv1;
    private readonly BatchNormalization _bn1;
    private readonly MaxPool2d? _maxPool;
    private readonly List<Sequential> _stages = [];
    private readonly CounterDropout _dropout;
    private readonly Linear _fc;

    /// <summary>Creates the network.</summary>
    /// <param name="spec">Its options.</param>
    /// <param name="depths">Blocks of each stage; stage i has width * 2^i planes, and all but the first halve the image.</param>
    /// <param name="bottleneck">Bottleneck blocks (1x1, 3x3, 1x1 to four times the planes) instead of basic ones.</param>
    public ResidualNetwork(ArchitectureSpec spec, ReadOnlySpan<int> depths, bool bottleneck) : base(spec.Name)
    {
        _conv1 = spec.CifarStem
            ? nn.Conv2d(spec.Channels, spec.Width, 3, stride: 1, padding: 1, bias: false)
            : nn.Conv2d(spec.Channels, spec.Width, 7, stride: 2, padding: 3, bias: false);
        _bn1 = new BatchNormalization(spec.Width);
        register_module("conv1", _conv1);
        register_module("bn1", _bn1);
        if (!spec.CifarStem)
        {
            _maxPool = nn.MaxPool2d(3, stride: 2, padding: 1);
            register_module("maxpool", _maxPool);
        }

        long channels = spec.Width;
        for (var stage = 0; stage < depths.Length; stage++)
        {
            var planes = (long)spec.Width << stage;
            var blocks = new List<(string, nn.Module<Tensor, Tensor>)>();
            for (var block = 0; block < depths[stage]; block++)
            {
                var stride = stage > 0 && block == 0 ? 2 : 1;
                nn.Module<Tensor, Tensor> module = bottleneck ? new BottleneckBlock(channels, planes, stride) : new BasicBlock(channels, planes, stride);
                blocks.Add(($"{block}", module));
                channels = bottleneck ? planes * BottleneckBlock.Expansion : planes;
            }

            var sequence = nn.Sequential(blocks);
            _stages.Add(sequence);
            register_module($"layer{stage + 1}", sequence);
        }

        _dropout = new CounterDropout("dropout", spec.Dropout);
        _fc = nn.Linear(channels, spec.Classes);
        register_module("dropout", _dropout);
        register_module("fc", _fc);
    }

    /// <inheritdoc/>
    public DropoutContext? DropoutContext
    {
        get => _dropout.DropoutContext;
        set => _dropout.DropoutContext = value;
    }

    /// <summary>Computes logits.</summary>
    /// <param name="input">Images [samples, channels, height, width], normalised as in training.</param>
    /// <returns>Logits [samples, classes].</returns>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        var hidden = _bn1.call(_conv1.call(input)).relu_();
        if (_maxPool is not null)
        {
            hidden = _maxPool.call(hidden);
        }

        foreach (var stage in _stages)
        {
            hidden = stage.call(hidden);
        }

        var pooled = hidden.mean([2, 3]);
        return _fc.call(_dropout.call(pooled)).MoveToOuterDisposeScope();
    }
}

/// <summary>Two 3x3 convolutions and a shortcut.</summary>
internal sealed class BasicBlock : nn.Module<Tensor, Tensor>
{
    private readonly Conv2d _conv1;
    private readonly BatchNormalization _bn1;
    private readonly Conv2d _conv2;
    private readonly BatchNormalization _bn2;
    private readonly Sequential? _downsample;

    public BasicBlock(long channels, long planes, long stride) : base(nameof(BasicBlock))
    {
        _conv1 = nn.Conv2d(channels, planes, 3, stride: stride, padding: 1, bias: false);
        _bn1 = new BatchNormalization(planes);
        _conv2 = nn.Conv2d(planes, planes, 3, stride: 1, padding: 1, bias: false);
        _bn2 = new BatchNormalization(planes);
        register_module("conv1", _conv1);
        register_module("bn1", _bn1);
        register_module("conv2", _conv2);
        register_module("bn2", _bn2);
        _downsample = Shortcut.Create(channels, planes, stride);
        if (_downsample is not null)
        {
            register_module("downsample", _downsample);
        }
    }

    /// <inheritdoc/>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        var hidden = _bn1.call(_conv1.call(input)).relu_();
        var output = _bn2.call(_conv2.call(hidden));
        return output.add_(_downsample is null ? input : _downsample.call(input), alpha: HeldScalars.One).relu_().MoveToOuterDisposeScope();
    }
}

/// <summary>1x1, 3x3 (which carries the stride, as in torchvision) and 1x1 convolutions, and a shortcut.</summary>
internal sealed class BottleneckBlock : nn.Module<Tensor, Tensor>
{
    /// <summary>Output channels of a block, in planes.</summary>
    public const long Expansion = 4;

    private readonly Conv2d _conv1;
    private readonly BatchNormalization _bn1;
    private readonly Conv2d _conv2;
    private readonly BatchNormalization _bn2;
    private readonly Conv2d _conv3;
    private readonly BatchNormalization _bn3;
    private readonly Sequential? _downsample;

    public BottleneckBlock(long channels, long planes, long stride) : base(nameof(BottleneckBlock))
    {
        _conv1 = nn.Conv2d(channels, planes, 1, bias: false);
        _bn1 = new BatchNormalization(planes);
        _conv2 = nn.Conv2d(planes, planes, 3, stride: stride, padding: 1, bias: false);
        _bn2 = new BatchNormalization(planes);
        _conv3 = nn.Conv2d(planes, planes * Expansion, 1, bias: false);
        _bn3 = new BatchNormalization(planes * Expansion);
        register_module("conv1", _conv1);
        register_module("bn1", _bn1);
        register_module("conv2", _conv2);
        register_module("bn2", _bn2);
        register_module("conv3", _conv3);
        register_module("bn3", _bn3);
        _downsample = Shortcut.Create(channels, planes * Expansion, stride);
        if (_downsample is not null)
        {
            register_module("downsample", _downsample);
        }
    }

    /// <inheritdoc/>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        var reduced = _bn1.call(_conv1.call(input)).relu_();
        var hidden = _bn2.call(_conv2.call(reduced)).relu_();
        var output = _bn3.call(_conv3.call(hidden));
        return output.add_(_downsample is null ? input : _downsample.call(input), alpha: HeldScalars.One).relu_().MoveToOuterDisposeScope();
    }
}

/// <summary>Shortcuts of residual blocks.</summary>
internal static class Shortcut
{
    /// <summary>Creates a shortcut.</summary>
    /// <param name="channels">Channels that come in.</param>
    /// <param name="outputs">Channels that go out.</param>
    /// <param name="stride">Stride of the block.</param>
    /// <returns>Convolution and normalisation, or null where the input is added as it is.</returns>
    public static Sequential? Create(long channels, long outputs, long stride)
        => stride == 1 && channels == outputs
            ? null
            : nn.Sequential(("0", nn.Conv2d(channels, outputs, 1, stride: stride, bias: false)), ("1", new BatchNormalization(outputs)));
}
