using System.Diagnostics;

namespace Scissorhands.Cli.Tests.Runs;

/// <summary>Debian's Python, which sees Debian's PyTorch where that is installed.</summary>
internal static class PythonProgram
{
    private const string Python = "/usr/bin/python3";

    /// <summary>Runs a program that needs the given modules; null where one of them is not installed.</summary>
    public static async Task<string?> RunAsync(string modules, string program, params string[] arguments)
    {
        if (!File.Exists(Python) || !(await StartAsync($"import {modules}")).Done)
        {
            return null;
        }

        var (done, output) = await StartAsync($"import {modules}\n{program}", arguments);
        Assert.True(done, output);
        return output;
    }

    private static async Task<(bool Done, string Output)> StartAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Python, ["-c", program, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode == 0, process.ExitCode == 0 ? output.Trim() : await errors);
    }
}
