using Scissorhands.Abstractions.Runs;
using Scissorhands.Reporting.Model;
using Scissorhands.Worker.Run;

namespace Scissorhands.Cli.Progress;

/// <summary>Shows a person or a script how far long work is. Thread-safe; never throws.</summary>
public interface IRunProgress : IInputProgress, IAsyncDisposable
{
    /// <summary>A worker has reported.</summary>
    /// <param name="report">The report.</param>
    /// <param name="stage">What its stage is called here; null for the stage's own name.</param>
    void Report(WorkerReport report, string? stage = null);

    /// <summary>The run has ended well. Called after the progress was closed.</summary>
    /// <param name="report">Its report.</param>
    /// <param name="folder">Its folder.</param>
    void Completed(RunReport report, RunFolder folder);
}
