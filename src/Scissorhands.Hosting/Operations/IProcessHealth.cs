namespace Scissorhands.Hosting.Operations;

/// <summary>How a process is, by what it knows itself: asked by those who start, serve and restart it. Each names what is missing; null where nothing is.</summary>
public interface IProcessHealth
{
    /// <summary>What keeps the process from having started.</summary>
    string? NotStarted { get; }

    /// <summary>What keeps it from taking work now.</summary>
    string? NotReady { get; }

    /// <summary>What only a restart would mend. Never something beside the process: a restart would not bring that back.</summary>
    string? NotAlive { get; }
}
