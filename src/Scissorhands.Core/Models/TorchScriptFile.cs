using System.Runtime.InteropServices;
using Scissorhands.Planning;
using TorchSharp;
using static TorchSharp.torch;

namespace Scissorhands.Core.Models;

/// <summary>TorchScript in and out.</summary>
public static partial class TorchScriptFile
{
    private static readonly Lock ExecutorLock = new();
    private static bool _executorSet;

    /// <summary>Loads a TorchScript archive as a trainable model on the CPU.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The model.</returns>
    /// <exception cref="InputException">Missing, or not TorchScript.</exception>
    public static LoadedModel Load(string path)
    {
        if (!File.Exists(path))
        {
            throw new InputException($"{path}: no such model file");
        }

        UsePlainExecutor();
        try
        {
            var module = torch.jit.load<Tensor, Tensor>(path);
            return new LoadedModel(module, module.call, path);
        }
        catch (Exception e) when (e is ExternalException or InvalidOperationException or FileNotFoundException)
        {
            throw new InputException($"{path}: not a TorchScript file that takes one tensor and returns one (export it with torch.jit.script(model).save(path))", e);
        }
    }

    /// <summary>
    /// Writes a model in the form of its original: loads the original anew, copies the values in and saves that, so the
    /// archive never holds the flat vectors behind a replica's views.
    /// </summary>
    /// <param name="original">The TorchScript file the run began with.</param>
    /// <param name="values">Parameters and buffers by name.</param>
    /// <param name="path">Where to write; written beside and renamed.</param>
    public static void SaveLike(string original, IReadOnlyDictionary<string, Tensor> values, string path)
    {
        ArgumentNullException.ThrowIfNull(values);
        using var scope = torch.NewDisposeScope();
        using var noGrad = torch.no_grad();
        using var model = Load(original);
        foreach (var (name, tensor) in model.Module.named_parameters().Select(p => (p.name, (Tensor)p.parameter)).Concat(model.Module.named_buffers().Select(b => (b.name, b.buffer))))
        {
            if (values.TryGetValue(name, out var value))
            {
                tensor.copy_(value);
            }
        }

        model.Module.eval();
        var beside = path + ".tmp";
        torch.jit.save((jit.ScriptModule)model.Module, beside);
        File.Move(beside, path, overwrite: true);
    }

    /// <summary>
    /// Turns libtorch's optimising graph executor off for the process. It profiles the first calls and then runs a
    /// rewritten graph, so a worker that has just joined and a warm one would run different code for the same step.
    /// </summary>
    private static void UsePlainExecutor()
    {
        lock (ExecutorLock)
        {
            if (_executorSet)
            {
                return;
            }

            // Loads libtorch before its symbols are asked for.
            using (torch.zeros(1))
            {
            }

            SetGraphExecutorOptimize(false);
            SetTensorExprFuserEnabled(false);
            _executorSet = true;
        }
    }

    [LibraryImport("libtorch_cpu.so", EntryPoint = "_ZN5torch3jit24setGraphExecutorOptimizeEb")]
    private static partial void SetGraphExecutorOptimize([MarshalAs(UnmanagedType.U1)] bool enabled);

    [LibraryImport("libtorch_cpu.so", EntryPoint = "_ZN5torch3jit25setTensorExprFuserEnabledEb")]
    private static partial void SetTensorExprFuserEnabled([MarshalAs(UnmanagedType.U1)] bool enabled);
}
