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
        // A file, because torch.jit.script reads the source of what it compiles.
        using var file = new TemporaryFile(program);
        using var process = Process.Start(new ProcessStartInfo(Python, [file.Path, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode == 0, process.ExitCode == 0 ? output.Trim() : await errors);
    }

    private sealed class TemporaryFile : IDisposable
    {
        public TemporaryFile(string text) => File.WriteAllText(Path, text);

        public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), System.IO.Path.GetRandomFileName() + ".py");

        public void Dispose() => File.Delete(Path);
    }
}
