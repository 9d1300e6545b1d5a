using Scissorhands.Abstractions.Cluster;
using Scissorhands.Abstractions.Runs;
using Scissorhands.Grains.Store;

namespace Scissorhands.Grains.Cluster;

/// <summary>What follows from something that happened to a run: to be written first, then to be sent.</summary>
internal sealed class Decision
{
    /// <summary>Nothing follows.</summary>
    public static Decision None => new();

    /// <summary>Whether the run's durable state has changed.</summary>
    public bool Store { get; set; }

    /// <summary>Whether what the run wants of its pool has changed.</summary>
    public bool NeedChanged { get; set; }

    /// <summary>Commands to send once the state is durable.</summary>
    public List<WorkerCommand> Commands { get; } = [];

    /// <summary>What to write down of it.</summary>
    public List<NewEvent> Events { get; } = [];

    /// <summary>Why a generation was formed, for the instruments; null where none was.</summary>
    public string? Formed { get; set; }

    /// <summary>The stage that has ended and its seconds, for the instruments; null where none has.</summary>
    public (RunStage Stage, double Seconds)? StageDone { get; set; }
}
