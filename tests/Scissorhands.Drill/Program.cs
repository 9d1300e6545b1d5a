using System.CommandLine;
using Scissorhands.Drill.Commands;

var root = new RootCommand("Clusters of processes on one machine: to try out, and to break")
{
    ClusterCommand.Create(),
    DrillCommand.Create(),
};
return await root.Parse(args).InvokeAsync();
