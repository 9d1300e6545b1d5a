using Scissorhands.Core.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Scissorhands.Benchmarks.World;

/// <summary>
/// What anyone would write with TorchSharp alone: a module, its optimizer and batches that lie ready as tensors. The
/// measure of everything the product adds.
/// </summary>
internal sealed class BareTraining : IDisposable
{
    private readonly LoadedModel _model;
    private readonly optim.Optimizer _optimizer;
    private readonly Tensor _input;
    private readonly Tensor _target;

    public BareTraining(LoadedModel model, int batchSize, double learningRate)
    {
        _model = model;
        _optimizer = optim.SGD(model.Module.parameters(), learningRate, momentum: 0.9, weight_decay: 0.0005);
        _input = torch.rand(batchSize, 3, 32, 32).DetachFromDisposeScope();
        _target = torch.randint(0, 10, [batchSize], ScalarType.Int64).DetachFromDisposeScope();
        model.Module.train();
    }

    /// <summary>Parameters of the model.</summary>
    public long Parameters => _model.Module.parameters().Sum(static p => p.numel());

    /// <summary>A step on one batch, or on a retain and a forget batch of the same size.</summary>
    public void Step(bool joint)
    {
        using var scope = torch.NewDisposeScope();
        _optimizer.zero_grad();
        Backward(1);
        if (joint)
        {
            Backward(-0.05);
        }

        _optimizer.step();
    }

    /// <summary>Forward and backward only.</summary>
    public void Gradient()
    {
        using var scope = torch.NewDisposeScope();
        _optimizer.zero_grad();
        Backward(1);
    }

    public void Dispose()
    {
        _optimizer.Dispose();
        _input.Dispose();
        _target.Dispose();
        _model.Dispose();
    }

    private void Backward(double factor)
    {
        var loss = nn.functional.cross_entropy(_model.Forward(_input), _target);
        (factor == 1 ? loss : loss * factor).backward();
    }
}
