using System.Runtime.InteropServices;

namespace Scissorhands.Testing;

/// <summary>
/// Signals to other processes, sent at the moment they are asked for: a shell that is started for it comes after what it was to
/// interrupt, where the machine is busy.
/// </summary>
public static class Signals
{
    /// <summary>Sends a signal.</summary>
    /// <param name="process">The process's id.</param>
    /// <param name="signal">KILL, STOP, CONT, INT or TERM.</param>
    /// <exception cref="InvalidOperationException">There is no such process, or none that may be sent it.</exception>
    public static void Send(int process, string signal)
    {
        // Linux's numbers on x86 and ARM.
        var number = signal switch
        {
            "INT" => 2,
            "KILL" => 9,
            "TERM" => 15,
            "CONT" => 18,
            "STOP" => 19,
            _ => throw new ArgumentOutOfRangeException(nameof(signal), signal, "not a signal that is known here"),
        };
        if (Kill(process, number) != 0)
        {
            throw new InvalidOperationException($"No signal {signal} could be sent to process {process}: error {Marshal.GetLastPInvokeError()}.");
        }
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int process, int signal);
}
