using Scissorhands.Abstractions.Runs;
using Scissorhands.Data.Samples;
using Scissorhands.Reporting.Model;
using Scissorhands.Worker.Run;

namespace Scissorhands.Cli.Progress;

/// <summary>Shows a person or a script how far long work is. Thread-safe; never throws.</summary>
public interface IRunProgress : IAsyncDisposable
{
    /// <summary>Data is being indexed or decoded.</summary>
    /// <param name="source">The option the data was given by.</param>
    /// <param name="progress">How far.</param>
    void Data(string source, DataProgress progress);

    /// <summary>A worker has reported.</summary>
    /// <param name="report">The report.</param>
    void Report(WorkerReport report);

    /// <summary>Something worth a line.</summary>
    /// <param name="line">The line.</param>
    void Say(string line);

    /// <summary>The run has ended well. Called after the progress was closed.</summary>
    /// <param name="report">Its report.</param>
    /// <param name="folder">Its folder.</param>
    void Completed(RunReport report, RunFolder folder);
}
