using Scissorhands.Abstractions.Runs;

namespace Scissorhands.Grains.Runs;

/// <summary>Keeps a run's state durable.</summary>
public interface IRunStateStore
{
    /// <summary>Reads the stored state.</summary>
    /// <returns>The state, or null where there is none.</returns>
    RunState? Read();

    /// <summary>Replaces the stored state; when it returns the new state survives a crash.</summary>
    /// <param name="state">The state.</param>
    void Write(RunState state);
}
