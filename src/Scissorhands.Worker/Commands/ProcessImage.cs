using System.Runtime.InteropServices;
using Scissorhands.Planning;

namespace Scissorhands.Worker.Commands;

/// <summary>The program that this process runs.</summary>
internal static partial class ProcessImage
{
    /// <summary>
    /// Runs the same program with the same arguments anew in this process, which keeps its id: whoever supervises it sees no
    /// end. Does not return.
    /// </summary>
    /// <exception cref="RunFailedException">The system refused.</exception>
    public static void StartAnew()
    {
        var program = Environment.ProcessPath ?? throw new RunFailedException("the path of this program is not known");
        var given = Environment.GetCommandLineArgs();

        // The first of them is the assembly: an argument only where the program is the runtime's own.
        var isRuntime = Path.GetFileNameWithoutExtension(program) == "dotnet";
        string?[] arguments = [program, .. isRuntime ? given : given[1..], null];
        _ = Execute(program, arguments);
        throw new RunFailedException($"{program}: could not be started anew (error {Marshal.GetLastPInvokeError()})");
    }

    [LibraryImport("libc", EntryPoint = "execv", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Execute(string path, string?[] arguments);
}
