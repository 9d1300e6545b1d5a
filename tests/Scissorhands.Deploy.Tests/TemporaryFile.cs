namespace Scissorhands.Deploy.Tests;

/// <summary>A file that goes with the object.</summary>
internal sealed class TemporaryFile : IDisposable
{
    public TemporaryFile(string text) => File.WriteAllText(Path, text);

    public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), System.IO.Path.GetRandomFileName() + ".yaml");

    public void Dispose() => File.Delete(Path);
}
