using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TorchSharp;

namespace Scissorhands.Core.Native;

/// <summary>Finds out whether this machine can run tensors, and if not, why, in plain words.</summary>
public static partial class NativeLibraries
{
    private const long LeastFreeBytes = 1L << 30;
    private const double BytesPerGibibyte = 1L << 30;

    /// <summary>
    /// Looks at libtorch, the CPU, the memory and the disk. Loads libtorch, so a profile must be applied before if the
    /// process is to compute afterwards. Never throws.
    /// </summary>
    /// <returns>The findings, libtorch first.</returns>
    public static IReadOnlyList<NativeFinding> Check() =>
    [
        Guard("libtorch", Libtorch, ExplainLoadFailure),
        Guard("cuda", Cuda, e => "not usable: " + Innermost(e).Message),
        Guard("c library", CLibrary, Describe),
        Guard("cpu", Cpu, Describe),
        Guard("cores", static () => new NativeFinding("cores", true, Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture)), Describe),
        Guard("memory", Memory, Describe),
        Guard("disk", Disk, Describe),
    ];

    /// <summary>Says in plain words why libtorch did not load.</summary>
    /// <param name="failure">What was thrown.</param>
    /// <returns>Cause and remedy in one line.</returns>
    internal static string ExplainLoadFailure(Exception failure)
    {
        var messages = string.Join(" | ", Chain(failure).Select(e => e.Message));
        if (messages.Contains("GLIBCXX", StringComparison.Ordinal))
        {
            return "libstdc++ of this system is older than 13.2 and the library was not relaxed: run the program from a build/publish folder made by this project's build";
        }

        if (messages.Contains("GLIBC_", StringComparison.Ordinal))
        {
            return "the C library of this system is too old for libtorch: use Debian 12, Ubuntu 22.04 or newer";
        }

        if (Chain(failure).Any(e => e is BadImageFormatException) || messages.Contains("wrong ELF class", StringComparison.Ordinal) || RuntimeInformation.ProcessArchitecture != Architecture.X64)
        {
            return $"the native library is for x64 and this process is {RuntimeInformation.ProcessArchitecture}: use the x64 runtime on an x64 machine";
        }

        if (Chain(failure).Any(e => e is DllNotFoundException or NotSupportedException or FileNotFoundException))
        {
            return "the native package is missing beside the program: build or publish with -p:TorchBackend=cpu or -p:TorchBackend=cuda (" + OneLine(Innermost(failure).Message) + ")";
        }

        return Describe(failure);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static NativeFinding Libtorch()
    {
        using var one = torch.ones(1);
        using var two = one.add(one, alpha: HeldScalars.One);
        var sum = two.ToSingle();
        return sum == 2f
            ? new NativeFinding("libtorch", true, torch.__version__)
            : new NativeFinding("libtorch", false, string.Create(CultureInfo.InvariantCulture, $"{torch.__version__} loads but computes 1 + 1 = {sum}: the library is damaged, build anew"));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static NativeFinding Cuda() =>
        new("cuda", true, torch.cuda.is_available()
            ? string.Create(CultureInfo.InvariantCulture, $"{torch.cuda.device_count()} device(s)")
            : "none (only device=cpu)");

    private static NativeFinding Cpu()
    {
        var profiles = NumericProfile.HasAvx512 ? "avx512, avx2, default" : NumericProfile.HasAvx2 ? "avx2, default" : "default";
        return new NativeFinding("cpu", RuntimeInformation.ProcessArchitecture == Architecture.X64, $"{RuntimeInformation.ProcessArchitecture}, numerics: {profiles}");
    }

    private static NativeFinding CLibrary()
    {
        if (!OperatingSystem.IsLinux())
        {
            return new NativeFinding("c library", false, RuntimeInformation.OSDescription + ": use Linux");
        }

        string version;
        try
        {
            version = "glibc " + Marshal.PtrToStringUTF8(GlibcVersion());
        }
        catch (EntryPointNotFoundException)
        {
            return new NativeFinding("c library", false, "not glibc, which libtorch needs: use Debian 12, Ubuntu 22.04 or newer");
        }

        // The file that is loaded tells the version in its name, such as libstdc++.so.6.0.30.
        var standard = File.ReadLines("/proc/self/maps")
            .Select(line => Path.GetFileName(line[(line.LastIndexOf(' ') + 1)..]))
            .FirstOrDefault(name => name.StartsWith("libstdc++.so", StringComparison.Ordinal));
        return new NativeFinding("c library", true, standard is null ? version : $"{version}, {standard}");
    }

    private static NativeFinding Memory()
    {
        var bytes = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        return new NativeFinding("memory", bytes >= LeastFreeBytes, Gibibytes(bytes) + " for this process");
    }

    private static NativeFinding Disk()
    {
        var folder = Directory.GetCurrentDirectory();
        var bytes = new DriveInfo(folder).AvailableFreeSpace;
        return new NativeFinding("disk", bytes >= LeastFreeBytes, $"{Gibibytes(bytes)} free in {folder}");
    }

    private static NativeFinding Guard(string name, Func<NativeFinding> look, Func<Exception, string> explain)
    {
        try
        {
            return look();
        }
        catch (Exception e)
        {
            return new NativeFinding(name, false, explain(e));
        }
    }

    private static IEnumerable<Exception> Chain(Exception? failure)
    {
        for (; failure is not null; failure = failure.InnerException)
        {
            yield return failure;
        }
    }

    private static Exception Innermost(Exception failure) => failure.GetBaseException();

    private static string Describe(Exception failure) => OneLine($"{Innermost(failure).GetType().Name}: {Innermost(failure).Message}");

    private static string OneLine(string text) => string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    [LibraryImport("libc", EntryPoint = "gnu_get_libc_version")]
    private static partial nint GlibcVersion();

    private static string Gibibytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / BytesPerGibibyte:F1} GiB");
}
