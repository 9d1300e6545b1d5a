using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Scissorhands.Planning;
using Scissorhands.Planning.Configuration;
using TorchSharp;

namespace Scissorhands.Core.Native;

/// <summary>
/// Holds libtorch to one instruction set and one number of threads, since either changes the order of its sums and with
/// it the bits of the result. One process has one profile.
/// </summary>
public static partial class NumericProfile
{
    private static readonly Lock ProfileLock = new();
    private static Profile? _applied;
    private static bool _deterministicDevice;

    /// <summary>
    /// Sets the environment that libtorch, oneDNN, MKL, OpenMP and cuBLAS read when they are first used, so this must run
    /// before any tensor is made. The same profile again does nothing. For the device <c>cuda</c> it also turns
    /// non-deterministic kernels and TF32 off, which loads libtorch.
    /// </summary>
    /// <param name="configuration">Its <c>numerics</c>, <c>threads</c> and <c>device</c>.</param>
    /// <exception cref="InputException">
    /// The CPU lacks the instruction set, or the process already holds another profile.
    /// </exception>
    /// <exception cref="RunFailedException">The C library or libtorch refused a setting.</exception>
    public static void Apply(RunConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        var wanted = new Profile(configuration.Numerics, configuration.Threads);
        lock (ProfileLock)
        {
            if (_applied is { } applied)
            {
                CheckSame(applied, wanted);
            }
            else
            {
                foreach (var (name, value) in Variables(wanted))
                {
                    Set(name, value);
                }

                AllocatorPolicy.KeepFreedMemory();
                _applied = wanted;
            }

            if (configuration.Device == "cuda" && !_deterministicDevice)
            {
                UseDeterministicKernels();
                _deterministicDevice = true;
            }
        }
    }

    /// <summary>Whether this process is held to another profile, so that only a new process could do such a run.</summary>
    /// <param name="configuration">Its <c>numerics</c> and <c>threads</c>.</param>
    /// <returns>True where <see cref="Apply"/> would refuse.</returns>
    public static bool HoldsAnother(RunConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        lock (ProfileLock)
        {
            return _applied is { } applied && applied != new Profile(configuration.Numerics, configuration.Threads);
        }
    }

    /// <summary>Sets the number of intra-op threads; called on the compute thread, whose pool the size is bound to.</summary>
    /// <param name="threads">At least 1.</param>
    public static void ConfigureThread(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        torch.set_num_threads(threads);
    }

    /// <summary>The environment variables of a profile.</summary>
    /// <param name="profile">The profile.</param>
    /// <returns>Names and values.</returns>
    /// <exception cref="InputException">The name is unknown or the CPU lacks the instruction set.</exception>
    internal static IReadOnlyList<(string Name, string Value)> Variables(Profile profile)
    {
        var (supported, aten, oneDnn, mkl) = profile.Numerics switch
        {
            "default" => (true, "default", "SSE41", "COMPATIBLE"),
            "avx2" => (HasAvx2, "avx2", "AVX2", "AVX2"),
            "avx512" => (HasAvx512, "avx512", "AVX512_CORE", "AVX512"),
            _ => throw new InputException($"numerics: '{profile.Numerics}' is not a profile: use default, avx2 or avx512") { Key = "numerics" },
        };
        if (!supported)
        {
            throw new InputException($"numerics: this machine's CPU lacks {profile.Numerics}: run every worker with --set numerics=default (another profile is another answer)");
        }

        var threads = profile.Threads.ToString(CultureInfo.InvariantCulture);
        return
        [
            ("ATEN_CPU_CAPABILITY", aten),
            ("ONEDNN_MAX_CPU_ISA", oneDnn),
            ("MKL_CBWR", mkl),
            ("OMP_NUM_THREADS", threads),
            ("MKL_NUM_THREADS", threads),
            ("CUBLAS_WORKSPACE_CONFIG", ":4096:8"),
        ];
    }

    /// <summary>Whether the CPU runs libtorch's avx2 kernels, which also use fused multiply-add.</summary>
    internal static bool HasAvx2 => Avx2.IsSupported && Fma.IsSupported;

    /// <summary>Whether the CPU runs libtorch's avx512 kernels.</summary>
    internal static bool HasAvx512 => HasAvx2 && Avx512F.VL.IsSupported && Avx512BW.VL.IsSupported && Avx512DQ.VL.IsSupported;

    private static void CheckSame(Profile applied, Profile wanted)
    {
        if (applied.Numerics != wanted.Numerics)
        {
            throw new InputException($"numerics: this process is held to '{applied.Numerics}' and cannot change to '{wanted.Numerics}': start a new process");
        }

        if (applied.Threads != wanted.Threads)
        {
            throw new InputException($"threads: this process is held to {applied.Threads} and cannot change to {wanted.Threads}: start a new process");
        }
    }

    private static void Set(string name, string value)
    {
        // Not Environment.SetEnvironmentVariable: that keeps a managed copy which native code never sees.
        if (SetEnvironment(name, value, 1) != 0)
        {
            throw new RunFailedException($"numerics: the C library refused {name}={value} (error {Marshal.GetLastPInvokeError()})");
        }
    }

    private static void UseDeterministicKernels()
    {
        try
        {
            // Loads libtorch before its symbols are asked for.
            using (torch.zeros(1))
            {
            }

            var context = GlobalContext();
            SetDeterministicAlgorithms(context, true, false);
            SetDeterministicCuDnn(context, true);
            SetBenchmarkCuDnn(context, false);
            SetAllowTf32CuBlas(context, false);
            SetAllowTf32CuDnn(context, false);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            throw new RunFailedException("device: this libtorch lacks the switches for deterministic CUDA kernels, so a result could not be repeated: use --set device=cpu", e);
        }
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int SetEnvironment(string name, string value, int overwrite);

    [LibraryImport("libtorch_cpu.so", EntryPoint = "_ZN2at13globalContextEv")]
    private static partial nint GlobalContext();

    [LibraryImport("libtorch_cpu.so", EntryPoint = "_ZN2at7Context26setDeterministicAlgorithmsEbb")]
    private static partial void SetDeterministicAlgorithms(nint context, [MarshalAs(UnmanagedType.U1)] bool enabled, [MarshalAs(UnmanagedType.U1)] bool warnOnly);

    [LibraryImport("libtorch_cpu.so", EntryPoint = "_ZN2at7Context21setDeterministicCuDNNEb")]
    private static partial void SetDeterministicCuDnn(nint context, [MarshalAs(UnmanagedType.U1)] bool enabled);

    [LibraryImport("libtorch_cpu.so", EntryPoint = "_ZN2at7Context17setBenchmarkCuDNNEb")]
    private static partial void SetBenchmarkCuDnn(nint context, [MarshalAs(UnmanagedType.U1)] bool enabled);

    [LibraryImport("libtorch_cpu.so", EntryPoint = "_ZN2at7Context18setAllowTF32CuBLASEb")]
    private static partial void SetAllowTf32CuBlas(nint context, [MarshalAs(UnmanagedType.U1)] bool enabled);

    [LibraryImport("libtorch_cpu.so", EntryPoint = "_ZN2at7Context17setAllowTF32CuDNNEb")]
    private static partial void SetAllowTf32CuDnn(nint context, [MarshalAs(UnmanagedType.U1)] bool enabled);

    /// <summary>What a process is held to.</summary>
    /// <param name="Numerics">Name of the instruction set profile.</param>
    /// <param name="Threads">Intra-op threads.</param>
    internal sealed record Profile(string Numerics, int Threads);
}
