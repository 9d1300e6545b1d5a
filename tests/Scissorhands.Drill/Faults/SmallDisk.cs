using System.Diagnostics;
using System.Globalization;

namespace Scissorhands.Drill.Faults;

/// <summary>A disk of a few megabytes that can be filled up: a file system in memory, which only root may mount.</summary>
public sealed class SmallDisk : IDisposable
{
    private readonly string _filler;
    private readonly bool _mounted;

    /// <summary>Mounts it.</summary>
    /// <param name="folder">Where; created.</param>
    /// <param name="mebibytes">Its size.</param>
    public SmallDisk(string folder, int mebibytes)
    {
        Folder = folder;
        _filler = Path.Combine(folder, "filler");
        Directory.CreateDirectory(folder);
        var failure = Execute("mount", "-t", "tmpfs", "-o", string.Create(CultureInfo.InvariantCulture, $"size={mebibytes}m"), "none", folder);
        _mounted = failure is null;
        Missing = failure is null ? null : $"a small disk cannot be mounted here: {failure}";
    }

    /// <summary>Where it is mounted.</summary>
    public string Folder { get; }

    /// <summary>Why there is none; null where there is one.</summary>
    public string? Missing { get; }

    /// <summary>Leaves no byte free.</summary>
    public void Fill()
    {
        using var file = new FileStream(_filler, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        var piece = new byte[4096];
        try
        {
            while (true)
            {
                file.Write(piece);
            }
        }
        catch (IOException)
        {
            // Full, as intended.
        }
    }

    /// <summary>Makes room again.</summary>
    public void Free() => File.Delete(_filler);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_mounted)
        {
            Execute("umount", "--lazy", Folder);
        }
    }

    private static string? Execute(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? null : errors.Trim();
    }
}
