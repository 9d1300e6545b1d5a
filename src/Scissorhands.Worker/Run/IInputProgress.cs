using Scissorhands.Data.Samples;

namespace Scissorhands.Worker.Run;

/// <summary>Told how far the loading of a run's inputs is, which may take minutes. Never throws.</summary>
public interface IInputProgress
{
    /// <summary>Data is being indexed or decoded.</summary>
    /// <param name="source">The option the data was given by.</param>
    /// <param name="progress">How far.</param>
    void Data(string source, DataProgress progress);

    /// <summary>Something worth a line.</summary>
    /// <param name="line">The line.</param>
    void Say(string line);
}
