using Scissorhands.Testing;

namespace Scissorhands.Drill.Cluster;

/// <summary>What a cluster of processes is made of.</summary>
public sealed record ClusterOptions
{
    /// <summary>The broker.</summary>
    public required Broker Broker { get; init; }

    /// <summary>Coordinators. Several need <see cref="Redis"/> and a <see cref="Store"/> they share. Default: 1.</summary>
    public int Coordinators { get; init; } = 1;

    /// <summary>Port of the first coordinator's HTTP; 0 for any that is free. Default: 0.</summary>
    public int HttpPort { get; init; }

    /// <summary>The store of truth. Default: an SQLite file of the cluster's own.</summary>
    public string? Store { get; init; }

    /// <summary>Where coordinators find each other; null where there is one only.</summary>
    public string? Redis { get; init; }

    /// <summary>Further arguments of coordinators. Default: none.</summary>
    public IReadOnlyList<string> CoordinatorArguments { get; init; } = [];

    /// <summary>The virtual host that deletion requests arrive in; null for none.</summary>
    public Uri? Intake { get; init; }

    /// <summary>Where the processes keep what they cache; null for the user's own folder.</summary>
    public string? CacheHome { get; init; }

    /// <summary>Whether each process serves metrics and health checks on a port of its own. Default: no.</summary>
    public bool Metrics { get; init; }

    /// <summary>Further variables of all processes. Default: none.</summary>
    public IReadOnlyDictionary<string, string> Variables { get; init; } = new Dictionary<string, string>();

    /// <summary>Seconds between signs of life. Default: 0.5, so that what is lost is missed soon.</summary>
    public double BeatSeconds { get; init; } = 0.5;

    /// <summary>The broker's address as a worker of that name is told it, such as that of a network which fails; null for the real one.</summary>
    public Func<string, Uri?>? AddressFor { get; init; }
}
