using Scissorhands.Abstractions.Runs;
using Scissorhands.Core.Models;
using Scissorhands.Reporting;
using Scissorhands.Worker.Checkpoints;

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
        files.Add(Publish(context, ParameterObjects.MaskKey));
        if (context.Inputs.Configuration.Artifacts.Saliency)
        {
            files.Add(Publish(context, ParameterObjects.SaliencyKey));
        }

        return StageJson.Write(new PublishOutcome(files.ToDictionary(name => name, name => PublishedFile.Sha256(Path.Combine(folder.ResultsPath, name)), StringComparer.Ordinal)));
    }

    private static string Publish(StageContext context, string key)
    {
        ParameterObjects.Publish(context.Checkpoints, key, context.Replica.Parameters, Path.Combine(context.Folder.ResultsPath, key), context.CancellationToken);
        return key;
    }
}
