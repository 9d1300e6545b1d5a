using System.CommandLine;
using Scissorhands.CommandLine;
using Scissorhands.Core.Native;

namespace Scissorhands.Cli.Commands;

/// <summary><c>scissorhands doctor</c>: says what works on this machine, and what to do about the rest.</summary>
internal static class DoctorCommand
{
    public static Command Create()
    {
        var command = new Command("doctor", "Check whether this machine can run everything");
        command.SetAction(_ =>
        {
            var findings = NativeLibraries.Check();
            foreach (var finding in findings)
            {
                Console.WriteLine($"{(finding.Ok ? "ok  " : "FAIL")}  {finding.Name}: {finding.Text}");
            }

            return findings.All(f => f.Ok) ? ExitCodes.Done : ExitCodes.Failed;
        });
        return command;
    }
}
