using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Scissorhands.Core.TensorMemory;

/// <summary>Copies between spans and tensors, in bulk, without TorchSharp's element-wise accessors.</summary>
public static class TensorBytes
{
    /// <summary>Copies a tensor's float32 elements, row-major, from any device.</summary>
    /// <param name="tensor">Source.</param>
    /// <param name="destination">At least as long as the tensor.</param>
    public static void CopyTo(Tensor tensor, Span<float> destination)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        using var host = tensor.detach().to(ScalarType.Float32).cpu().contiguous();
        MemoryMarshal.Cast<byte, float>(host.bytes).CopyTo(destination);
    }

    /// <summary>Copies float32 elements, row-major, into a contiguous tensor on any device.</summary>
    /// <param name="source">As long as the tensor.</param>
    /// <param name="tensor">Destination.</param>
    public static void CopyFrom(ReadOnlySpan<float> source, Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (tensor.device_type == TorchSharp.DeviceType.CPU && tensor.is_contiguous())
        {
            source.CopyTo(MemoryMarshal.Cast<byte, float>(tensor.bytes));
            return;
        }

        using var host = TorchSharp.torch.empty(tensor.shape, ScalarType.Float32);
        source.CopyTo(MemoryMarshal.Cast<byte, float>(host.bytes));
        using (TorchSharp.torch.no_grad())
        {
            tensor.copy_(host);
        }
    }
}
