using System.Security.Cryptography;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Core.Models;

namespace Scissorhands.Worker.Stages;

/// <summary>
/// Writes the scrubbed model, the mask and, where asked for, the saliency beside the output folder's files, where the
/// report joins them before all are delivered.
/// </summary>
public sealed class PublishStage : IStageExecutor
{
    /// <inheritdoc />
    public string? Execute(StageContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (!context.IsFirst)
        {
            return null;
        }

        var folder = context.Folder;
        Directory.CreateDirectory(folder.ResultsPath);
        List<string> files = [.. ModelFiles.Save(context.Replica, context.Inputs.ModelPath, folder.ResultsPath, context.Inputs.Architecture)];
        Copy(folder.WorkMaskPath, Path.Combine(folder.ResultsPath, "mask.safetensors"));
        files.Add("mask.safetensors");
        if (context.Inputs.Configuration.Artifacts.Saliency)
        {
            Copy(folder.WorkSaliencyPath, Path.Combine(folder.ResultsPath, "saliency.safetensors"));
            files.Add("saliency.safetensors");
        }

        return StageJson.Write(new PublishOutcome(files.ToDictionary(name => name, name => HashOf(Path.Combine(folder.ResultsPath, name)), StringComparer.Ordinal)));
    }

    private static void Copy(string from, string to)
    {
        var beside = $"{to}.{Guid.NewGuid():N}.tmp";
        File.Copy(from, beside, overwrite: true);
        File.Move(beside, to, overwrite: true);
    }

    private static string HashOf(string path)
    {
        using var stream = File.OpenRead(path);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }
}
