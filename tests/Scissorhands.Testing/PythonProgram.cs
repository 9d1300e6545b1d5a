namespace Scissorhands.Testing;

/// <summary>Debian's Python, which sees Debian's PyTorch and cryptography where they are installed.</summary>
public static class PythonProgram
{
    private const string Python = "/usr/bin/python3";

    /// <summary>Runs a program that needs the given modules; null where one of them is not installed.</summary>
    /// <exception cref="InvalidOperationException">The program failed; the message is what it said.</exception>
    public static async Task<string?> RunAsync(string modules, string program, CancellationToken cancellationToken, params string[] arguments)
    {
        if (!File.Exists(Python) || !(await StartAsync($"import {modules}", [], cancellationToken)).Done)
        {
            return null;
        }

        var (done, output) = await StartAsync($"import {modules}\n{program}", arguments, cancellationToken);
        return done ? output : throw new InvalidOperationException(output);
    }

    private static async Task<(bool Done, string Output)> StartAsync(string program, string[] arguments, CancellationToken cancellationToken)
    {
        // A file, because torch.jit.script reads the source of what it compiles.
        using var file = new TemporaryFile(program);
        return await ScriptProcess.RunAsync(Python, [file.Path, .. arguments], null, cancellationToken);
    }

    private sealed class TemporaryFile : IDisposable
    {
        public TemporaryFile(string text) => File.WriteAllText(Path, text);

        public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), System.IO.Path.GetRandomFileName() + ".py");

        public void Dispose() => File.Delete(Path);
    }
}
