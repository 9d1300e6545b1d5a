using System.CommandLine;
using Scissorhands.Drill.Commands;

var root = new RootCommand("Clusters of processes on one machine: to try out, and to break")
{
    ClusterCommand.Create(),
    DrillCommand.Create(),
    IntakeCommand.Create(),
    RecoveryCommand.Create(),
    ScalingCommand.Create(),
    WatchingCommand.Create(),
};

// Ending takes its processes with it, which takes longer than the two seconds a command is left by default.
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromMinutes(1) });
