using System.Globalization;
using System.Runtime.InteropServices;

namespace Scissorhands.Core.Native;

/// <summary>
/// Which CUDA devices there are, by asking the driver: libtorch would answer too, but must not be loaded before the profile
/// of the first run is known.
/// </summary>
public static partial class CudaDevices
{
    private const string Driver = "libcuda.so.1";
    private const string Backend = "libtorch_cuda.so";

    /// <summary>Finds out whether this process can compute on a device.</summary>
    /// <param name="device"><c>cpu</c>, <c>cuda</c> or <c>cuda:N</c>.</param>
    /// <returns>Why it cannot, and what to do; null where it can.</returns>
    public static string? Refusal(string device)
    {
        ArgumentNullException.ThrowIfNull(device);
        return device == "cpu" ? null : Refusal(device, Count(), HasBackend());
    }

    /// <summary>The same for a machine and a program of that kind.</summary>
    /// <param name="device"><c>cuda</c> or <c>cuda:N</c>.</param>
    /// <param name="count">Devices that the driver names; null where there is no driver.</param>
    /// <param name="hasBackend">Whether libtorch comes with its CUDA part.</param>
    internal static string? Refusal(string device, int? count, bool hasBackend)
    {
        const string Otherwise = "use --device cpu, or start the worker on a machine that has one";
        var index = device.Split(':') is [_, var text] ? int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture) : 0;
        return (count, hasBackend) switch
        {
            (null, _) => $"no CUDA device here: NVIDIA's driver ({Driver}) is not installed; {Otherwise}",
            (0, _) => $"no CUDA device here: NVIDIA's driver finds none; {Otherwise}",
            (_, false) => "this program was built to compute on CPUs; build it with -p:TorchBackend=cuda, or use --device cpu",
            var (there, _) when index >= there => string.Create(CultureInfo.InvariantCulture, $"no CUDA device {index} here: there {(there == 1 ? "is one, cuda:0" : $"are {there}, cuda:0 to cuda:{there - 1}")}; name one of these, or use --device cpu"),
            _ => null,
        };
    }

    private static int? Count()
    {
        if (!NativeLibrary.TryLoad(Driver, out _))
        {
            return null;
        }

        // Anything but 0 is a failure: a driver without devices, or one that does not fit the kernel's part of it.
        return Initialize(0) == 0 && DeviceCount(out var count) == 0 ? count : 0;
    }

    private static bool HasBackend() =>
        ((string?)AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
        .Append(AppContext.BaseDirectory)
        .Any(static folder => File.Exists(Path.Combine(folder, Backend)));

    [LibraryImport(Driver, EntryPoint = "cuInit")]
    private static partial int Initialize(uint flags);

    [LibraryImport(Driver, EntryPoint = "cuDeviceGetCount")]
    private static partial int DeviceCount(out int count);
}
