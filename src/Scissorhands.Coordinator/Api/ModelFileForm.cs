using System.IO.Compression;
using Scissorhands.Data.Safetensors;
using Scissorhands.Planning;

namespace Scissorhands.Coordinator.Api;

/// <summary>
/// Whether a file has the outer form of a model: told at registration, rather than by the first run. What is in it only workers
/// look at.
/// </summary>
internal static class ModelFileForm
{
    /// <summary>Checks a file.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="InputException">Neither safetensors nor TorchScript; names the file and what to do.</exception>
    public static void Check(string path)
    {
        if (path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase))
        {
            using var weights = SafetensorsFile.Open(path);
            if (weights.Entries.Count == 0)
            {
                throw new InputException($"file {path}: holds no tensors");
            }

            return;
        }

        try
        {
            using var archive = ZipFile.OpenRead(path);
            if (!archive.Entries.Any(static entry => entry.FullName.Contains("/code/", StringComparison.Ordinal)))
            {
                throw new InputException($"file {path}: is no TorchScript model, as it holds no code: save it with torch.jit.script(model).save(...), or its weights as safetensors");
            }
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            throw new InputException($"file {path}: is neither a TorchScript model nor, by its name, safetensors ({e.Message})", e);
        }
    }
}
