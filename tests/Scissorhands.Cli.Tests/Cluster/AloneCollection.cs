namespace Scissorhands.Cli.Tests.Cluster;

/// <summary>Tests that keep all processors busy for minutes: alone, after the others, whose waits have deadlines.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AloneCollection
{
    public const string Name = "alone";
}
