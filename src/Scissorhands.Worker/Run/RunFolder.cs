using Scissorhands.Data.Storage;
using Scissorhands.Planning;

namespace Scissorhands.Worker.Run;

/// <summary>
/// What a run has: its output folder with the files in it, and the store of what its workers share. Results lie in the folder
/// itself and only ever under their final names when they are whole; what makes the folder a run's, and results on their way,
/// lie in <c>.scissorhands</c> beneath it, and so does the store unless another one is given.
/// </summary>
public sealed class RunFolder
{
    private static readonly string[] ResultNames =
    [
        "model.pt", "model.safetensors", "mask.safetensors", "saliency.safetensors", "config.json", "events.jsonl", "report.json", "report.html",
        "certificate.dsse.json", "openings.jsonl", "bom.cdx.json",
    ];

    /// <summary>Describes a folder.</summary>
    /// <param name="path">The output folder.</param>
    /// <param name="checkpoints">The store of checkpoints, mask and saliency. Default: the folder of state beneath the output folder.</param>
    public RunFolder(string path, ICheckpointStore? checkpoints = null)
    {
        Path = System.IO.Path.GetFullPath(path);
        Checkpoints = checkpoints ?? CheckpointFolder.OfRun(Path);
    }

    /// <summary>The output folder.</summary>
    public string Path { get; }

    /// <summary>Checkpoints, mask and saliency: what another worker, on another machine, goes on from.</summary>
    public ICheckpointStore Checkpoints { get; }

    /// <summary>Folder of what makes the output folder a run's, and of what is on its way into it.</summary>
    public string WorkPath => Combine(CheckpointFolder.WorkFolderName);

    /// <summary>The run's durable state.</summary>
    public string StatePath => Work("state.json");

    /// <summary>The run's plan.</summary>
    public string PlanPath => Work("plan.json");

    /// <summary>Held open by the process that works on the run.</summary>
    public string LockPath => Work("lock");

    /// <summary>Names the run of a cluster that the folder belongs to; absent where it is a local run's.</summary>
    public string ClusterPath => Work("cluster");

    /// <summary>The resolved configuration.</summary>
    public string ConfigurationPath => Combine("config.json");

    /// <summary>One JSON object a line: what happened, in order.</summary>
    public string EventsPath => Combine("events.jsonl");

    /// <summary>The repair steps' totals, one JSON object a line; a resumed run appends, and what it does again counts.</summary>
    public string StepsPath => Work("steps.jsonl");

    /// <summary>
    /// Results between publication and delivery, under their final names: all of them move into the output folder at once
    /// or none does, so a disk that fills under the report leaves no scrubbed model without one.
    /// </summary>
    public string ResultsPath => Work("results");

    /// <summary>The report for machines.</summary>
    public string ReportJsonPath => Combine("report.json");

    /// <summary>The report for people.</summary>
    public string ReportHtmlPath => Combine("report.html");

    /// <summary>Names a file of the output folder.</summary>
    /// <param name="name">File name.</param>
    /// <returns>Full path.</returns>
    public string Combine(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Names a file of the work folder.</summary>
    /// <param name="name">File name.</param>
    /// <returns>Full path.</returns>
    public string Work(string name) => System.IO.Path.Combine(WorkPath, name);

    /// <summary>Where a result lies now: with the results that are not yet delivered, or in the output folder.</summary>
    /// <param name="name">File name.</param>
    /// <returns>Full path.</returns>
    public string Result(string name)
    {
        var waiting = System.IO.Path.Combine(ResultsPath, name);
        return File.Exists(waiting) ? waiting : Combine(name);
    }

    /// <summary>
    /// Moves results into the output folder. A delivery that was cut short is taken up where it ended: what is there
    /// already stays.
    /// </summary>
    /// <param name="names">File names, in the order in which they appear.</param>
    /// <exception cref="FileNotFoundException">A result is in neither folder.</exception>
    public void Deliver(IEnumerable<string> names)
    {
        ArgumentNullException.ThrowIfNull(names);
        foreach (var name in names)
        {
            var waiting = System.IO.Path.Combine(ResultsPath, name);
            try
            {
                File.Move(waiting, Combine(name), overwrite: true);
            }
            catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException && File.Exists(Combine(name)))
            {
                // Moved before, by this worker or by the one that held the run until it was lost.
            }
        }

        if (Directory.Exists(ResultsPath))
        {
            Directory.Delete(ResultsPath, recursive: true);
        }
    }

    /// <summary>A file that lies where a run would write its results; null where there is none.</summary>
    /// <returns>File name, or null.</returns>
    public string? FindForeignFile() => Array.Find(ResultNames, name => System.IO.Path.Exists(Combine(name)));

    /// <summary>
    /// Deletes what only an unfinished run needs: checkpoints (weights before the end, gradients of the forget samples),
    /// working copies of mask and saliency, and what a killed process left half written.
    /// </summary>
    /// <param name="cancellationToken">Ends every wait for the store.</param>
    /// <returns>Number of objects and files deleted.</returns>
    /// <exception cref="IOException">Something is left, or not known to be deleted.</exception>
    public int DeleteCheckpoints(CancellationToken cancellationToken = default)
    {
        var objects = Checkpoints.Clear(cancellationToken);
        string[] kept = [StatePath, PlanPath, LockPath, StepsPath];
        var files = Directory.EnumerateFiles(WorkPath).Where(file => !kept.Contains(file, StringComparer.Ordinal)).ToArray();
        foreach (var file in files)
        {
            File.Delete(file);
        }

        return objects + files.Length;
    }

    /// <summary>Creates the folders.</summary>
    /// <exception cref="InputException">The folder cannot be written.</exception>
    public void Create()
    {
        try
        {
            Directory.CreateDirectory(WorkPath);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"--out {Path}: cannot be written ({e.Message})", e);
        }
    }
}
