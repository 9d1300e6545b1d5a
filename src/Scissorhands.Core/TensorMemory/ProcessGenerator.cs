namespace Scissorhands.Core.TensorMemory;

/// <summary>libtorch's default random generator, one for the whole process.</summary>
internal static class ProcessGenerator
{
    /// <summary>
    /// Held by whoever draws from the generator or watches whether others do: the forward passes of models that draw
    /// (two replicas that drew in turn would each see the other's numbers), and the constructors of layers, which fill
    /// their weights from it.
    /// </summary>
    public static Lock Gate { get; } = new();
}
